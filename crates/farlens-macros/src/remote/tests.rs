//! What is refused, and where the complaint points.

use super::expand;
use proc_macro2::TokenStream;

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("it consists of tokens")
}

fn refusals(item: &str) -> Vec<String> {
    let error = expand(&TokenStream::new(), tokens(item)).expect_err("it is refused");
    error.into_iter().map(|error| error.to_string()).collect()
}

#[test]
fn what_cannot_be_remote_is_refused_with_a_reason() {
    for (method, reason) in [
        ("async fn f(&mut self) -> Result<()>;", "`&self`: several callers share"),
        ("async fn f(self) -> Result<()>;", "takes `&self`"),
        ("async fn f(self: &Arc<Self>) -> Result<()>;", "takes `&self`"),
        ("async fn f(&'static self) -> Result<()>;", "takes `&self`"),
        ("async fn f() -> Result<()>;", "no object to be called on"),
        ("async fn f(n: u8) -> Result<()>;", "no object to be called on"),
        ("fn f(&self) -> Result<()>;", "is an `async fn`, or returns an `impl Stream`"),
        ("async fn f(&self);", "returns a result"),
        ("async fn f<T>(&self, t: T) -> Result<()>;", "no generics"),
        ("async fn f<'a>(&'a self) -> Result<()>;", "no generics"),
        ("async fn f(&self) -> Result<()> where u8: Copy;", "no conditions"),
        ("async fn f(&self, text: &str) -> Result<()>;", "pass `String` for `&str`"),
        ("async fn f(&self, text: Option<&str>) -> Result<()>;", "pass `String` for `&str`"),
        ("async fn f(&self, text: Cow<'_, str>) -> Result<()>;", "no lifetimes"),
        ("async fn f(&self) -> Result<&str>;", "what travels is owned"),
        ("async fn f(&self, other: Self) -> Result<()>;", "name the reference"),
        ("async fn f(&self, f: impl Fn()) -> Result<()>;", "the only `impl Trait`"),
        ("async fn f(&self, f: Vec<impl Stream<Item = u8>>) -> Result<()>;", "alone"),
        ("async fn f(&self) -> Result<impl Sized>;", "the only `impl Trait`"),
        ("fn f(&self) -> impl Iterator<Item = u8>;", "the only `impl Trait`"),
        ("fn f(&self) -> impl Stream;", "says what it consists of"),
        ("async fn f(&self) -> impl Stream<Item = Result<u8>>;", "is no `async fn`"),
        ("async fn f(&self, (a, b): (u8, u8)) -> Result<()>;", "a plain name"),
        ("async fn f(&self, mut a: u8) -> Result<()> { Ok(()) }", "a plain name"),
        ("async fn f(&self, #[cfg(x)] a: u8) -> Result<()>;", "no attributes"),
        ("async unsafe fn f(&self) -> Result<()>;", "cannot be unsafe"),
        ("async extern \"C\" fn f(&self) -> Result<()>;", "no ABI"),
        ("async fn pipeline(&self) -> Result<()>;", "choose another name"),
        ("async fn r#new(&self) -> Result<()>;", "choose another name"),
        ("#[farlens(fast)] async fn f(&self) -> Result<()>;", "`one_way`"),
        ("#[farlens(one_way)] async fn f(&self) -> Result<u8>;", "returns `farlens::Result<()>`"),
        ("#[farlens(one_way)] fn f(&self) -> impl Stream<Item = u8>;", "nobody would read"),
        ("type Item;", "no associated types"),
        ("const N: u8;", "no constants"),
        ("methods!();", "without macros"),
    ] {
        let text = refusals(&format!("trait T {{ {method} }}")).join("\n");
        assert!(text.contains(reason), "{method}\n{text}");
    }
}

#[test]
fn a_trait_has_one_form() {
    for (item, reason) in [
        ("trait T<U> {}", "no generics"),
        ("trait T<'a> {}", "no generics"),
        ("trait T where u8: Copy {}", "no conditions"),
        ("trait T: Clone {}", "no other trait above it"),
        ("unsafe trait T {}", "cannot be unsafe"),
        ("struct T;", "a trait is expected"),
    ] {
        let text = refusals(item).join("\n");
        assert!(text.contains(reason), "{item}\n{text}");
    }
    assert!(expand(&TokenStream::new(), tokens("trait T: Send + Sync + 'static {}")).is_ok());
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let all = refusals(
        "trait T<U> {
            fn f(&self) -> u8;
            type Item;
            async fn good(&self) -> Result<()>;
        }",
    );
    assert_eq!(all.len(), 3, "{all:?}");
}

#[test]
fn arguments_of_the_attribute_are_refused() {
    let error = expand(&tokens("lazy"), tokens("trait T {}")).expect_err("it is refused");
    assert!(error.to_string().contains("no arguments"));
}
