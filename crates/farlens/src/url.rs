//! Where to go, as people write it: `farlens://host[:port]/path[#KEYID]`, or a ticket.

use crate::{
    Address, Code, Error, KeyId, RemotePath, Result,
    ticket::{Invite, TicketTarget, decode_path, encode_path, looks_like_ticket},
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

fn strip_scheme(text: &str) -> Option<&str> {
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

/// Anything that names something on a server: a URL, or a ticket with or without a path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// `farlens://…`
    Url(Url),
    /// `flp1…` or `fls1…`, perhaps followed by a path.
    Ticket(TicketTarget),
}

impl Target {
    /// Reads either form. Aliases and local files are the command line's business.
    ///
    /// # Errors
    ///
    /// [`Code::BAD_ADDRESS`], saying what is wrong with the form that `text` seems to have. A
    /// ticket is never repeated in it.
    pub fn parse(text: &str) -> Result<Self> {
        if looks_like_ticket(text) {
            return text.parse().map(Self::Ticket);
        }
        if strip_scheme(text).is_some() {
            return text.parse().map(Self::Url);
        }
        Err(Error::new(Code::BAD_ADDRESS, "this is neither a URL nor a ticket").with_hint(
            "use farlens://host[:port]/path[#KEYID], or the flp1… or fls1… word that \
             `farlens serve` prints",
        ))
    }

    /// Where the server may be reached, in order of preference; never empty.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        match self {
            Self::Url(url) => std::slice::from_ref(&url.address),
            Self::Ticket(target) => target.ticket().addresses(),
        }
    }

    /// What to open there.
    #[must_use]
    pub fn path(&self) -> &RemotePath {
        match self {
            Self::Url(url) => url.path(),
            Self::Ticket(target) => target.resolve(),
        }
    }

    /// The key that the server must show, if the target names one.
    #[must_use]
    pub fn key(&self) -> Option<KeyId> {
        match self {
            Self::Url(url) => url.key(),
            Self::Ticket(target) => Some(target.ticket().key()),
        }
    }

    /// The invite to show, if it is a secret ticket.
    #[must_use]
    pub fn invite(&self) -> Option<&Invite> {
        match self {
            Self::Url(_) => None,
            Self::Ticket(target) => target.ticket().invite(),
        }
    }
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl From<Url> for Target {
    fn from(url: Url) -> Self {
        Self::Url(url)
    }
}

impl From<TicketTarget> for Target {
    fn from(target: TicketTarget) -> Self {
        Self::Ticket(target)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => fmt::Display::fmt(url, f),
            Self::Ticket(target) => fmt::Display::fmt(target, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        address::tests::any_address, path::tests::any_path, ticket::tests::any_ticket,
        tls::tests::any_key_id,
    };
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
            ("lab:/x".to_owned(), "neither"),
            ("http://lab/".to_owned(), "neither"),
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
            ("flp9abc".to_owned(), "version"),
        ] {
            let error = Target::parse(&text).expect_err(&text);
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
            let target = Target::Url(Url::new(address, path, key));
            prop_assert_eq!(Target::parse(&target.to_string()).unwrap(), target);
        }

        #[test]
        fn a_displayed_ticket_parses_to_the_same(ticket in any_ticket()) {
            let target = Target::Ticket(ticket.into());
            prop_assert_eq!(Target::parse(&target.to_string()).unwrap(), target);
        }

        #[test]
        fn nothing_panics(text in "(farlens://)?.*") {
            let _ = Target::parse(&text);
        }
    }
}
