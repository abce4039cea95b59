//! What a key may do: a verb and the paths for which it holds.
//!
//! ```text
//! read /scans/**              read /scans and everything beneath it
//! read,watch /logs/*.log      two verbs; * stands for any part of one component
//! read /a; call /probe        several grants
//! ```
//!
//! A pattern is a path whose last component may be `**`. Names that hold a blank, `*`, `;`, `#` or
//! `%` are written with `%XX`, so that a star from a file's name never widens a grant.

use crate::{Code, Error, RemotePath, Result, path::broken_component_rule, percent};
use std::{fmt, str::FromStr};

/// Something that a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// Read elements, list, and ask for metadata.
    Read,
    /// Create, replace, and write anywhere that the mode allows, the ends included.
    Write,
    /// Write at the end and nowhere else. [`Verb::Write`] covers it.
    Append,
    /// Move an end of the data. [`Verb::Write`] covers it; alone it allows nothing yet.
    Truncate,
    /// Call methods of an object, see it in listings, and ask what it is.
    Call,
    /// Be told what goes on at a stream.
    Watch,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::Write, Self::Append, Self::Truncate, Self::Call, Self::Watch];

    /// The word in `authorized_clients`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Append => "append",
            Self::Truncate => "truncate",
            Self::Call => "call",
            Self::Watch => "watch",
        }
    }

    /// Whether a grant of this verb allows `wanted`.
    const fn covers(self, wanted: Self) -> bool {
        matches!(
            (self, wanted),
            (Self::Read, Self::Read)
                | (Self::Write, Self::Write | Self::Append | Self::Truncate)
                | (Self::Append, Self::Append)
                | (Self::Truncate, Self::Truncate)
                | (Self::Call, Self::Call)
                | (Self::Watch, Self::Watch)
        )
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The paths for which a grant holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    components: Vec<Glob>,
    beneath: bool,
}

impl Pattern {
    /// `path` and everything beneath it: `path/**`.
    #[must_use]
    pub fn beneath(path: &RemotePath) -> Self {
        let components = path.components().map(|name| Glob(vec![name.to_owned()])).collect();
        Self { components, beneath: true }
    }

    /// Whether the grant holds for `path`.
    ///
    /// Costs a walk over the path, and over each component once per star.
    #[must_use]
    pub fn matches(&self, path: &RemotePath) -> bool {
        let mut names = path.components();
        let all = self.components.iter().all(|glob| names.next().is_some_and(|n| glob.matches(n)));
        all && (self.beneath || names.next().is_none())
    }

    /// Whether something that matches may lie at `path` or beneath it.
    pub(crate) fn leads_through(&self, path: &RemotePath) -> bool {
        let globs = self.components.iter();
        let shared = globs.zip(path.components()).all(|(glob, name)| glob.matches(name));
        shared && (self.beneath || path.components().count() <= self.components.len())
    }
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let relative = text
            .strip_prefix('/')
            .ok_or_else(|| bad(&format!("the pattern {text:?} does not start with /")))?;
        let mut names: Vec<&str> = relative.split('/').collect();
        let beneath = names.last() == Some(&"**");
        if beneath || relative.is_empty() {
            names.pop();
        }
        if names.len() > RemotePath::MAX_COMPONENTS || text.len() > RemotePath::MAX_BYTES {
            return Err(bad("the pattern is longer than any path"));
        }
        let components = names
            .into_iter()
            .map(|name| Glob::parse(name).map_err(|why| bad(&format!("in {text:?} {why}"))))
            .collect::<Result<_>>()?;
        Ok(Self { components, beneath })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for component in &self.components {
            write!(f, "/{component}")?;
        }
        match (self.beneath, self.components.is_empty()) {
            (true, _) => f.write_str("/**"),
            (false, true) => f.write_str("/"),
            (false, false) => Ok(()),
        }
    }
}

/// One component: the literal parts between its stars, so one part means no star.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Glob(Vec<String>);

impl Glob {
    fn parse(text: &str) -> Result<Self, String> {
        if text.contains("**") {
            return Err("** is not the whole last component".to_owned());
        }
        if let Some(rule) = broken_component_rule(text) {
            return Err(rule.to_owned());
        }
        let parts: Vec<String> = text.split('*').map(percent::decode).collect::<Result<_, _>>()?;
        match parts.as_slice() {
            [name] => broken_component_rule(name).map_or(Ok(()), |rule| Err(rule.to_owned()))?,
            parts if parts.iter().any(|part| part.contains('\0')) => {
                return Err("a component holds a NUL".to_owned());
            }
            _ => {}
        }
        Ok(Self(parts))
    }

    /// Takes the first and last part from the ends, then each middle part where it comes first.
    fn matches(&self, name: &str) -> bool {
        let [first, middle @ .., last] = self.0.as_slice() else { return self.0[0] == name };
        let Some(rest) = name.strip_prefix(first.as_str()) else { return false };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
        middle.iter().all(|part| match rest.find(part.as_str()) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> =
            self.0.iter().map(|part| percent::encode(part, &['*', ';', '#'])).collect();
        f.write_str(&parts.join("*"))
    }
}

/// One verb for one pattern, written `read /scans/**`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a grant is a verb and a pattern")]
pub struct Grant {
    /// What is allowed.
    pub verb: Verb,
    /// Where it is allowed.
    pub pattern: Pattern,
}

impl Grant {
    /// Whether it allows `verb` at `path`.
    #[must_use]
    pub fn allows(&self, verb: Verb, path: &RemotePath) -> bool {
        self.verb.covers(verb) && self.pattern.matches(path)
    }

    /// Reads the grants of one line: verbs, then a pattern, then perhaps more of the same.
    ///
    /// Verbs are separated by commas or blanks, grants by `;` or just by the next verb.
    ///
    /// # Errors
    ///
    /// [`Code::BAD_CONFIG`], naming the word that is wrong.
    pub fn parse_list(text: &str) -> Result<Vec<Self>> {
        let mut grants = Vec::new();
        let mut verbs = Vec::new();
        for word in text.split([' ', '\t', ';']).filter(|word| !word.is_empty()) {
            if !word.starts_with('/') {
                for verb in word.split(',').filter(|verb| !verb.is_empty()) {
                    verbs.push(parse_verb(verb)?);
                }
                continue;
            }
            if verbs.is_empty() {
                return Err(bad(&format!("no verb stands before {word:?}")));
            }
            let pattern: Pattern = word.parse()?;
            grants.extend(verbs.drain(..).map(|verb| Self { verb, pattern: pattern.clone() }));
        }
        match verbs.last() {
            None => Ok(grants),
            Some(verb) => Err(bad(&format!("no path follows the verb {verb}"))),
        }
    }
}

impl FromStr for Grant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let grants: [Self; 1] = Self::parse_list(text)?
            .try_into()
            .map_err(|_| bad("there is not exactly one verb and one path"))?;
        let [grant] = grants;
        Ok(grant)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.pattern)
    }
}

fn parse_verb(word: &str) -> Result<Verb> {
    Verb::ALL
        .into_iter()
        .find(|verb| verb.word() == word)
        .ok_or_else(|| bad(&format!("{word:?} is no verb")))
}

fn bad(why: &str) -> Error {
    Error::new(Code::BAD_CONFIG, format!("a grant is malformed: {why}")).with_hint(
        "a grant is read, write, append, truncate, call or watch and a path, as in \
         `read /scans/**`; write %20 for a blank in a name",
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::path::tests::any_path;
    use proptest::prelude::*;

    fn path(text: &str) -> RemotePath {
        RemotePath::new(text).expect(text)
    }

    #[test]
    fn patterns_match_what_they_say() {
        for (pattern, yes, no) in [
            ("/**", "/", ""),
            ("/**", "/a/b", ""),
            ("/", "/", "/a"),
            ("/x/**", "/x", "/xy"),
            ("/x/**", "/x/y/z", "/"),
            ("/x", "/x", "/x/y"),
            ("/*", "/x", "/x/y"),
            ("/*", "/x", "/"),
            ("/l/*.log", "/l/.log", "/l/a.log.gz"),
            ("/a*b*c", "/abc", "/ab"),
            ("/a*b*c", "/axbbxc", "/axc"),
            ("/*aa", "/aaa", "/aab"),
            ("/aa*aa", "/aaaa", "/aaa"),
            ("/%2A", "/*", "/x"),
            ("/a%20b/*/c", "/a b/x/c", "/a b/x"),
        ] {
            let glob: Pattern = pattern.parse().expect(pattern);
            assert!(glob.matches(&path(yes)), "{pattern} {yes}");
            assert!(no.is_empty() || !glob.matches(&path(no)), "{pattern} {no}");
        }
    }

    #[test]
    fn a_line_holds_several_grants() {
        let grants = Grant::parse_list("read, watch /a/**;call /b  write append /c").unwrap();
        let shown: Vec<String> = grants.iter().map(Grant::to_string).collect();
        assert_eq!(shown, ["read /a/**", "watch /a/**", "call /b", "write /c", "append /c"]);
        assert_eq!(Grant::parse_list("").unwrap(), []);
    }

    #[test]
    fn only_write_covers_other_verbs() {
        let parts = [Verb::Append, Verb::Truncate];
        for granted in Verb::ALL {
            for wanted in Verb::ALL {
                let part = granted == Verb::Write && parts.contains(&wanted);
                let covers = granted == wanted || part;
                assert_eq!(granted.covers(wanted), covers, "{granted} {wanted}");
            }
        }
    }

    #[test]
    fn errors_name_the_word() {
        for (text, part) in [
            ("reed /a", "\"reed\""),
            ("/a", "no verb"),
            ("read", "no path follows"),
            ("read a", "\"a\" is no verb"),
            ("read /a/**/b", "**"),
            ("read /a**", "**"),
            ("read //a", "empty"),
            ("read /a/../b", ". or .."),
            ("read /%2e%2e", ". or .."),
            ("read /a%", "hexadecimal"),
            ("read /a%2Fb", "%2F"),
            ("read /*%00", "NUL"),
        ] {
            let error = Grant::parse_list(text).expect_err(text);
            assert_eq!(error.code(), Code::BAD_CONFIG);
            assert!(error.message().contains(part), "{error}");
        }
    }

    proptest! {
        #[test]
        fn the_grant_of_a_path_survives_its_line(granted in any_path(), other in any_path()) {
            let grant = Grant { verb: Verb::Read, pattern: Pattern::beneath(&granted) };
            let line = grant.to_string();
            prop_assert!(!line.contains(['\n', '#', ';']));
            let read: Grant = line.parse().unwrap();
            prop_assert_eq!(&read, &grant);
            prop_assert_eq!(read.allows(Verb::Read, &other), other.is_within(&granted));
        }

        #[test]
        fn stars_match_whatever_fills_them(a in "[^/\0]{0,4}", b in "[^/\0]{0,4}", fill in "[^/\0]{0,4}") {
            let glob = Glob(vec![a.clone(), b.clone()]);
            let name = format!("{a}{fill}{b}");
            prop_assert!(glob.matches(&name));
        }

        #[test]
        fn nothing_panics(text in ".*") {
            let _ = Grant::parse_list(&text);
        }
    }
}
