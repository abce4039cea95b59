//! What a client is given to connect to: a URL, or a ticket with or without a path.

use crate::{
    Address, Code, Error, Invite, KeyId, RemotePath, Result, Ticket, Url,
    percent::{decode_path, encode_path},
    ticket::looks_like_ticket,
    url::strip_scheme,
};
use std::{fmt, str::FromStr};

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
            Self::Url(url) => std::slice::from_ref(url.address()),
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

/// A ticket, and what to open beneath the path that it carries: `flp1…/sub/file`.
///
/// `Display` writes the whole word and the rest, so it may hold a secret; `Debug` hides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketTarget {
    ticket: Ticket,
    rest: RemotePath,
    resolved: RemotePath,
}

impl TicketTarget {
    /// The ticket in front.
    #[must_use]
    pub fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// What follows the ticket; `/` if nothing does.
    #[must_use]
    pub fn rest(&self) -> &RemotePath {
        &self.rest
    }

    /// The path on the server: the rest beneath the ticket's own path.
    #[must_use]
    pub fn resolve(&self) -> &RemotePath {
        &self.resolved
    }
}

impl From<Ticket> for TicketTarget {
    fn from(ticket: Ticket) -> Self {
        Self { rest: RemotePath::root(), resolved: ticket.path().clone(), ticket }
    }
}

impl FromStr for TicketTarget {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (word, path) = text.split_at(text.find('/').unwrap_or(text.len()));
        let ticket: Ticket = word.parse()?;
        let rest = decode_path(path)?;
        let resolved = match rest.is_root() {
            true => ticket.path().clone(),
            false => ticket.path().join(&rest.as_str()[1..])?,
        };
        Ok(Self { ticket, rest, resolved })
    }
}

impl fmt::Display for TicketTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.ticket, f)?;
        match self.rest.is_root() {
            true => Ok(()),
            false => f.write_str(&encode_path(&self.rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{path::tests::any_path, ticket::tests::any_ticket};
    use proptest::prelude::*;

    fn ticket() -> Ticket {
        let path = RemotePath::new("/ct.raw").unwrap();
        Ticket::new(vec!["lab".parse().unwrap()], KeyId::from_bytes([7; 32]), path).unwrap()
    }

    #[test]
    fn the_rest_lies_beneath_the_path() {
        let text = format!("{}/a%20b/c", ticket());
        let target = Target::parse(&text).unwrap();
        assert_eq!(target.path().as_str(), "/ct.raw/a b/c");
        assert_eq!(target.to_string(), text);
        let target = Target::parse(&ticket().to_string()).unwrap();
        assert_eq!(target.path().as_str(), "/ct.raw");
        assert_eq!(target.key(), Some(ticket().key()));
    }

    #[test]
    fn errors_fit_the_form_that_was_meant() {
        let word = ticket().to_string();
        for (text, part) in [
            ("lab:/x".to_owned(), "neither"),
            ("http://lab/".to_owned(), "neither"),
            ("farlens://lab/a/".to_owned(), "empty"),
            ("flp9abc".to_owned(), "version"),
            (format!("{word}/a/%2e%2e/b"), ". or .."),
            (format!("{word}/a%2Fb"), "%2F"),
            (format!("{word}/a%"), "hexadecimal"),
        ] {
            let error = Target::parse(&text).expect_err(&text);
            assert_eq!(error.code(), Code::BAD_ADDRESS);
            assert!(error.message().contains(part), "{text}: {error}");
            assert!(error.hint().is_some());
        }
    }

    proptest! {
        #[test]
        fn a_displayed_ticket_parses_to_the_same(ticket in any_ticket(), path in any_path()) {
            let text = format!("{ticket}{}", encode_path(&path));
            let target: TicketTarget = text.parse().unwrap();
            prop_assert_eq!(target.rest(), &path);
            prop_assert!(target.resolve().is_within(ticket.path()));
            let target = Target::Ticket(target);
            prop_assert_eq!(Target::parse(&target.to_string()).unwrap(), target);
        }

        #[test]
        fn nothing_panics(text in "(farlens://|fl[ps]1)?.*") {
            let _ = Target::parse(&text);
        }
    }
}
