//! A place on a server, as people write it: `farlens://host[:port]/path[#KEYID]`.

use crate::{
    Address, Code, Error, KeyId, RemotePath, Result,
    percent::{decode_path, encode_path},
};
use std::{fmt, str::FromStr};

const SCHEME: &str = "farlens://";

/// `farlens://host[:port]/path[#KEYID]`; `farlens://KEYID@host` is the same as the fragment.
///
/// The port is 5367 unless given. `%XX` escapes in the path are decoded once. The key is never sent
/// and is no secret. `Display` writes the form with `#`, and the port only if it is another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    address: Address,
    path: RemotePath,
    key: Option<KeyId>,
}

impl Url {
    /// The URL of a path on a server whose key may be known.
    #[must_use]
    pub fn new(address: Address, path: RemotePath, key: Option<KeyId>) -> Self {
        Self { address, path, key }
    }

    /// Where the server listens.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What to open there.
    #[must_use]
    pub fn path(&self) -> &RemotePath {
        &self.path
    }

    /// The key that the server must show, if the URL names one.
    #[must_use]
    pub fn key(&self) -> Option<KeyId> {
        self.key
    }
}

impl FromStr for Url {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let rest = strip_scheme(text).ok_or_else(|| bad("it does not start with farlens://"))?;
        let (rest, fragment) = match rest.split_once('#') {
            Some((rest, key)) => (rest, Some(key.parse::<KeyId>()?)),
            None => (rest, None),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, address) = match authority.rsplit_once('@') {
            Some((key, address)) => (Some(key.parse::<KeyId>()?), address),
            None => (None, authority),
        };
        if rest.contains('?') {
            return Err(bad("it holds a ?")
                .with_hint("ranges and options are flags; write %3F for a ? in a name"));
        }
        if user.is_some() && fragment.is_some() && user != fragment {
            return Err(bad("it names two different keys"));
        }
        Ok(Self { address: address.parse()?, path: decode_path(path)?, key: fragment.or(user) })
    }
}

/// What follows `farlens://`, in whatever case that is written.
pub(crate) fn strip_scheme(text: &str) -> Option<&str> {
    let scheme = text.get(..SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| &text[SCHEME.len()..])
}

fn bad(why: &str) -> Error {
    Error::new(Code::BAD_ADDRESS, format!("this is no usable URL: {why}"))
        .with_hint("a URL is farlens://host[:port]/path[#KEYID]")
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address.port() {
            Address::DEFAULT_PORT => write!(f, "{SCHEME}{}", self.address.bracketed_host())?,
            _ => write!(f, "{SCHEME}{}", self.address)?,
        }
        f.write_str(&encode_path(&self.path))?;
        match self.key {
            Some(key) => write!(f, "#{key}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{address::tests::any_address, path::tests::any_path, tls::tests::any_key_id};
    use proptest::prelude::*;

    #[test]
    fn both_places_for_the_key_mean_the_same() {
        let key = KeyId::from_bytes([9; 32]);
        let plain: Url = format!("farlens://Lab/a%20b#{key}").parse().unwrap();
        assert_eq!(plain.address().to_string(), "lab:5367");
        assert_eq!(plain.path().as_str(), "/a b");
        assert_eq!(plain.key(), Some(key));
        for same in [
            format!("FARLENS://lab:5367/a b#{}", key.grouped()),
            format!("farlens://{key}@lab/a%20b"),
            format!("farlens://{key}@lab/a%20b#{key}"),
        ] {
            assert_eq!(same.parse::<Url>().unwrap(), plain);
        }
        assert_eq!(plain.to_string(), format!("farlens://lab/a%20b#{key}"));
    }

    #[test]
    fn short_forms_are_read() {
        for (text, shown) in [
            ("farlens://lab", "farlens://lab/"),
            ("farlens://[::1]", "farlens://[::1]/"),
            ("farlens://[::1]:80/x", "farlens://[::1]:80/x"),
        ] {
            assert_eq!(text.parse::<Url>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let (one, two) = (KeyId::from_bytes([1; 32]), KeyId::from_bytes([2; 32]));
        for (text, part) in [
            ("http://lab/".to_owned(), "start with"),
            ("farlens:///x".to_owned(), "host is missing"),
            ("farlens://lab:99999/".to_owned(), "65535"),
            ("farlens://lab/a?b=1".to_owned(), "?"),
            ("farlens://lab/#short".to_owned(), "key ID"),
            ("farlens://me:pw@lab/".to_owned(), "key ID"),
            (format!("farlens://{one}@lab/#{two}"), "two different keys"),
            ("farlens://lab/%2e%2e/etc".to_owned(), ". or .."),
            ("farlens://lab/a%2Fb".to_owned(), "%2F"),
            ("farlens://lab/a%00".to_owned(), "NUL"),
            ("farlens://lab/%ff".to_owned(), "UTF-8"),
            ("farlens://lab/a/".to_owned(), "empty"),
        ] {
            let error = text.parse::<Url>().expect_err(&text);
            assert_eq!(error.code(), Code::BAD_ADDRESS);
            assert!(error.message().contains(part), "{text}: {error}");
            assert!(error.hint().is_some());
        }
    }

    proptest! {
        #[test]
        fn a_displayed_url_parses_to_the_same(
            address in any_address(), path in any_path(), key in proptest::option::of(any_key_id()),
        ) {
            let url = Url::new(address, path, key);
            prop_assert_eq!(url.to_string().parse::<Url>().unwrap(), url);
        }

        #[test]
        fn nothing_panics(text in "(farlens://)?.*") {
            let _ = text.parse::<Url>();
        }
    }
}
