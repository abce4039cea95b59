//! Where something is published: `/` and UTF-8 components, exactly as they travel.
//!
//! Nothing is decoded or normalised. A [`RemotePath`] that exists keeps the rules, so whoever maps
//! one to a file or a grant has no second spelling to think of.

use crate::{Code, Error, Result};
use std::{fmt, str::FromStr, sync::Arc};

/// An absolute path on a server, such as `/scans/ct.raw`. Case matters; the root is `/`.
///
/// No component is empty, `.` or `..`, none holds NUL, and the bounds below hold. A clone shares
/// the text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RemotePath(Arc<str>);

impl RemotePath {
    /// Bytes of a whole path at most.
    pub const MAX_BYTES: usize = 4096;
    /// Bytes of one component at most.
    pub const MAX_COMPONENT_BYTES: usize = 255;
    /// Components at most.
    pub const MAX_COMPONENTS: usize = 64;

    /// The path `/`.
    #[must_use]
    pub fn root() -> Self {
        Self("/".into())
    }

    /// Checks a path.
    ///
    /// # Errors
    ///
    /// [`Code::BAD_ADDRESS`], naming the rule that `text` breaks.
    pub fn new(text: &str) -> Result<Self> {
        match broken_rule(text) {
            None => Ok(Self(text.into())),
            Some(rule) => Err(refused(text, &rule)),
        }
    }

    /// The path as it travels.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `/`.
    #[must_use]
    pub fn is_root(&self) -> bool {
        &*self.0 == "/"
    }

    /// The components from the root on; none for the root itself.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0[1..].split('/').filter(|component| !component.is_empty())
    }

    /// The last component; none for the root.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.components().last()
    }

    /// The path of `relative`, one component or several, beneath this one.
    ///
    /// # Errors
    ///
    /// [`Code::BAD_ADDRESS`] if `relative` is empty, starts with `/` or breaks another rule.
    pub fn join(&self, relative: &str) -> Result<Self> {
        match self.is_root() {
            true => Self::new(&format!("/{relative}")),
            false => Self::new(&format!("{self}/{relative}")),
        }
    }

    /// This path as seen from `base`: `/` if they are equal, none if it lies elsewhere.
    #[must_use]
    pub fn strip_prefix(&self, base: &Self) -> Option<Self> {
        if base.is_root() {
            return Some(self.clone());
        }
        match self.0.strip_prefix(base.as_str())? {
            "" => Some(Self::root()),
            rest if rest.starts_with('/') => Some(Self(rest.into())),
            _ => None,
        }
    }

    /// Whether this path is `base` or lies beneath it.
    #[must_use]
    pub fn is_within(&self, base: &Self) -> bool {
        self.strip_prefix(base).is_some()
    }
}

/// The rule that `text` breaks, if any.
fn broken_rule(text: &str) -> Option<String> {
    if text.len() > RemotePath::MAX_BYTES {
        return Some(format!("it is longer than {} bytes", RemotePath::MAX_BYTES));
    }
    let Some(relative) = text.strip_prefix('/') else {
        return Some("it does not start with /".to_owned());
    };
    if relative.is_empty() {
        return None;
    }
    if relative.split('/').count() > RemotePath::MAX_COMPONENTS {
        return Some(format!("it has more than {} components", RemotePath::MAX_COMPONENTS));
    }
    relative.split('/').find_map(broken_component_rule).map(str::to_owned)
}

/// The rule that one component breaks, if any.
pub(crate) fn broken_component_rule(component: &str) -> Option<&'static str> {
    match component {
        "" => Some("a component is empty"),
        "." | ".." => Some("a component is . or .., which no published path has"),
        long if long.len() > RemotePath::MAX_COMPONENT_BYTES => {
            Some("a component is longer than 255 bytes")
        }
        nul if nul.contains('\0') => Some("a component holds a NUL"),
        _ => None,
    }
}

fn refused(text: &str, rule: &str) -> Error {
    let shown: String = text.chars().take(80).collect();
    let dots = if shown.len() < text.len() { "…" } else { "" };
    Error::new(Code::BAD_ADDRESS, format!("the path {shown:?}{dots} is refused: {rule}"))
        .with_hint("a path is / or components that each follow one /, as in /scans/ct.raw")
}

impl FromStr for RemotePath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl AsRef<str> for RemotePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<&RemotePath> for farlens_proto::OpenOn {
    fn from(path: &RemotePath) -> Self {
        Self::Path(path.as_str().to_owned())
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any valid path of a few components, odd characters included.
    pub(crate) fn any_path() -> impl Strategy<Value = RemotePath> {
        let component = "[^/\0]{1,12}".prop_filter("dots", |c| c != "." && c != "..");
        proptest::collection::vec(component, 0..6).prop_map(|components| {
            RemotePath::new(&format!("/{}", components.join("/"))).expect("built by the rules")
        })
    }

    fn path(text: &str) -> RemotePath {
        RemotePath::new(text).expect(text)
    }

    #[test]
    fn errors_name_the_rule() {
        let long = format!("/{}", "x".repeat(256));
        let deep = "/x".repeat(65);
        let large = format!("/{}", "x".repeat(4096));
        for (text, part) in [
            ("", "start with /"),
            ("a", "start with /"),
            ("//", "empty"),
            ("/a/", "empty"),
            ("/a//b", "empty"),
            ("/./a", ". or .."),
            ("/a/..", ". or .."),
            ("/a\0b", "NUL"),
            (&long, "255 bytes"),
            (&deep, "64 components"),
            (&large, "4096 bytes"),
        ] {
            let error = RemotePath::new(text).expect_err(text);
            assert_eq!(error.code(), Code::BAD_ADDRESS);
            assert!(error.message().contains(part), "{error}");
            assert!(error.message().len() < 300);
        }
    }

    #[test]
    fn bounds_are_inclusive() {
        path(&format!("/{}", "x".repeat(255)));
        path(&"/x".repeat(64));
        let largest = format!("{}/{}", format!("/{}", "x".repeat(254)).repeat(16), "y".repeat(15));
        assert_eq!(path(&largest).as_str().len(), RemotePath::MAX_BYTES);
    }

    #[test]
    fn odd_but_legal_names_stay_as_they_are() {
        for text in ["/...", "/.hidden", "/%2e%2e", "/a b", "/ä", "/A"] {
            assert_eq!(path(text).to_string(), text);
        }
    }

    #[test]
    fn joining_goes_down_only() {
        assert_eq!(path("/").join("a/b").unwrap(), path("/a/b"));
        assert_eq!(path("/a").join("b").unwrap(), path("/a/b"));
        for bad in ["", "/b", "..", "b/../../c"] {
            path("/a").join(bad).expect_err(bad);
        }
    }

    #[test]
    fn a_prefix_ends_at_a_component() {
        assert!(path("/a/b").is_within(&path("/a")));
        assert!(path("/a").is_within(&path("/a")));
        assert!(path("/a").is_within(&path("/")));
        assert!(!path("/ab").is_within(&path("/a")));
        assert!(!path("/").is_within(&path("/a")));
        assert_eq!(path("/a/b/c").strip_prefix(&path("/a")), Some(path("/b/c")));
    }

    proptest! {
        #[test]
        fn what_is_displayed_parses_to_the_same(path in any_path()) {
            prop_assert_eq!(path.to_string().parse::<RemotePath>().unwrap(), path);
        }

        #[test]
        fn stripping_undoes_joining(base in any_path(), path in any_path()) {
            prop_assume!(!path.is_root());
            let joined = base.join(&path.as_str()[1..]).unwrap();
            prop_assert_eq!(joined.file_name(), path.file_name());
            prop_assert_eq!(joined.strip_prefix(&base), Some(path));
        }

        #[test]
        fn nothing_panics(text in ".*") {
            let _ = RemotePath::new(&text);
        }
    }
}
