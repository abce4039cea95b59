//! What a type or a list of generics must not contain.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Error, Generics, Result, Type};

/// Refuses generic parameters and conditions.
///
/// # Errors
/// For the first of them, with `why`.
pub(super) fn generics(generics: &Generics, why: &str) -> Result<()> {
    if let Some(parameter) = generics.params.first() {
        return Err(Error::new_spanned(parameter, format!("no generics here: {why}")));
    }
    if let Some(clause) = &generics.where_clause {
        return Err(Error::new_spanned(clause, format!("no conditions here: {why}")));
    }
    Ok(())
}

/// Refuses types that are not the same for both ends of a link.
///
/// # Errors
/// For borrowed types, lifetimes, `Self` and `impl Trait`.
pub(super) fn travels_by_value(ty: &Type) -> Result<()> {
    match find(ty.to_token_stream()) {
        Some((token, text)) => Err(Error::new_spanned(token, text)),
        None => Ok(()),
    }
}

/// The first token that says that a type cannot travel, and why.
fn find(tokens: TokenStream) -> Option<(TokenTree, &'static str)> {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let text = match &token {
            TokenTree::Group(group) => match find(group.stream()) {
                Some(found) => return Some(found),
                None => continue,
            },
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                "what travels is owned: pass `String` for `&str`, `Vec<T>` for `&[T]`, `T` for `&T`"
            }
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                let name = tokens.next();
                if name.is_some_and(|name| name.to_string() == "static") {
                    continue;
                }
                "what travels is owned: no lifetimes here"
            }
            TokenTree::Ident(ident) if ident == "impl" => {
                "the only `impl Trait` of a remote method is `impl Stream<Item = …>`, alone"
            }
            TokenTree::Ident(ident) if ident == "Self" => {
                "`Self` is another type at the other end: name the reference, as in `ProbeRef`"
            }
            _ => continue,
        };
        return Some((token, text));
    }
    None
}
