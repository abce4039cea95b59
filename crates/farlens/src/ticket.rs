//! One word that leads somewhere: addresses, the server's key, a path and perhaps an invite.
//!
//! ```text
//! flp1 base32( postcard{addresses, key, path, invite?} ++ first 4 bytes of its SHA-256 )
//! ```
//!
//! `flp1` is public. `fls1` holds an invite and is a secret: no error and no `Debug` repeats it. The
//! digit is the version. The checksum tells a typing error from a word that was cut off.

use crate::{Address, Code, Error, KeyId, RemotePath, Result, base32, base32::Base32Error};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

const PUBLIC: &str = "flp1";
const SECRET: &str = "fls1";
const CHECKSUM_BYTES: usize = 4;
/// More than a ticket at every bound needs.
const MAX_LETTERS: usize = 10_240;

/// Leads a client to a server: where it listens, which key it shows, what to open there.
///
/// `Display` writes the whole word, invite included; `Debug` hides the secret. About 110 letters
/// with one address, 155 with an invite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    addresses: Vec<Address>,
    key: KeyId,
    path: RemotePath,
    invite: Option<Invite>,
}

/// The right to enrol a key at a server, for whoever holds it. `Debug` hides the secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    pub(crate) id: [u8; 8],
    pub(crate) secret: [u8; 16],
    pub(crate) expires: u64,
}

impl Invite {
    /// The last second in which it holds, counted since 1970.
    #[must_use]
    pub fn expires_unix_s(&self) -> u64 {
        self.expires
    }
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invite").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// What the word encodes, field by field.
#[derive(Serialize, Deserialize)]
struct Body {
    addresses: Vec<String>,
    key: [u8; 32],
    path: String,
    invite: Option<Invite>,
}

impl Ticket {
    /// Addresses at most.
    pub const MAX_ADDRESSES: usize = 8;

    /// A public ticket.
    ///
    /// # Errors
    ///
    /// [`Code::BAD_ADDRESS`] unless there are one to eight addresses.
    pub fn new(addresses: Vec<Address>, key: KeyId, path: RemotePath) -> Result<Self> {
        match addresses.len() {
            1..=Self::MAX_ADDRESSES => Ok(Self { addresses, key, path, invite: None }),
            0 => Err(bad("it has no address")),
            _ => Err(bad("it has more than 8 addresses")),
        }
    }

    /// The same as a secret ticket that enrols whoever holds it.
    #[must_use]
    pub fn with_invite(mut self, invite: Invite) -> Self {
        self.invite = Some(invite);
        self
    }

    /// Where the server listens, in order of preference; one to eight.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The key that the server must show.
    #[must_use]
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// What the ticket is for; `/` when the server has several publications.
    #[must_use]
    pub fn path(&self) -> &RemotePath {
        &self.path
    }

    /// The invite of a secret ticket.
    #[must_use]
    pub fn invite(&self) -> Option<&Invite> {
        self.invite.as_ref()
    }

    /// Whether the word must be kept from others.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.invite.is_some()
    }

    fn encode(&self) -> Vec<u8> {
        let body = Body {
            addresses: self.addresses.iter().map(Address::to_string).collect(),
            key: *self.key.as_bytes(),
            path: self.path.as_str().to_owned(),
            invite: self.invite.clone(),
        };
        postcard::to_stdvec(&body).expect("plain data of known length always encodes")
    }

    fn from_body(body: Body) -> Result<Self> {
        let addresses = body.addresses.iter().map(|text| text.parse()).collect::<Result<_>>()?;
        let ticket = Self::new(addresses, KeyId::from_bytes(body.key), body.path.parse()?)?;
        Ok(Self { invite: body.invite, ..ticket })
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.encode();
        bytes.extend(checksum(&bytes));
        let prefix = if self.is_secret() { SECRET } else { PUBLIC };
        write!(f, "{prefix}{}", base32::encode(&bytes))
    }
}

impl FromStr for Ticket {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (secret, letters) = split_prefix(text)?;
        if letters.len() > MAX_LETTERS {
            return Err(bad("it is longer than any ticket"));
        }
        let bytes = base32::decode(letters).map_err(|error| match error {
            Base32Error::Letter(at) => mistyped(&format!("letter {} is wrong", at + 5)),
            Base32Error::End => cut_off(),
        })?;
        let (data, check) = bytes.split_at(bytes.len().saturating_sub(CHECKSUM_BYTES));
        if check != checksum(data) {
            return Err(blame(&bytes));
        }
        let body = postcard::from_bytes(data).map_err(|_| bad("its content is malformed"))?;
        let ticket = Self::from_body(body)?;
        if ticket.encode() != data {
            return Err(bad("its content is malformed"));
        }
        match ticket.is_secret() == secret {
            true => Ok(ticket),
            false => Err(mistyped("its first letters and its content disagree")),
        }
    }
}

/// Whether `text` is meant as a ticket of some version.
pub(crate) fn looks_like_ticket(text: &str) -> bool {
    let start = text.get(..4).unwrap_or_default().to_ascii_lowercase();
    start.starts_with("flp") && start.as_bytes()[3].is_ascii_digit()
        || start.starts_with("fls") && start.as_bytes()[3].is_ascii_digit()
}

/// Whether the word is secret, and its letters after the prefix.
fn split_prefix(text: &str) -> Result<(bool, &str)> {
    if !looks_like_ticket(text) {
        return Err(bad("it does not start with flp1 or fls1"));
    }
    let (prefix, letters) = text.split_at(4);
    match prefix.to_ascii_lowercase().as_str() {
        PUBLIC => Ok((false, letters)),
        SECRET => Ok((true, letters)),
        _ => Err(bad("its version is not 1").with_hint("a newer farlens made it: update this one")),
    }
}

/// What is likely wrong with bytes whose checksum does not fit.
fn blame(bytes: &[u8]) -> Error {
    match postcard::take_from_bytes::<Body>(bytes) {
        Ok((_, rest)) if rest.len() > CHECKSUM_BYTES => bad("letters follow its end"),
        Ok((_, rest)) if rest.len() == CHECKSUM_BYTES => mistyped("a letter is wrong"),
        Ok(_) | Err(postcard::Error::DeserializeUnexpectedEnd) => cut_off(),
        Err(_) => mistyped("a letter is wrong"),
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = Sha256::digest(bytes);
    std::array::from_fn(|index| hash[index])
}

fn bad(why: &str) -> Error {
    Error::new(Code::BAD_ADDRESS, format!("this is no usable ticket: {why}"))
        .with_hint("copy the whole word, from flp1 or fls1 to its last letter")
}

fn mistyped(why: &str) -> Error {
    bad(&format!("there is a typing error in it, {why}"))
}

fn cut_off() -> Error {
    bad("it is cut off, or its last letters are wrong")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{address::tests::any_address, path::tests::any_path, tls::tests::any_key_id};
    use proptest::prelude::*;

    /// Any ticket, public or secret.
    pub(crate) fn any_ticket() -> impl Strategy<Value = Ticket> {
        let addresses = proptest::collection::vec(any_address(), 1..=8);
        let invite = any::<Option<([u8; 8], [u8; 16], u64)>>();
        (addresses, any_key_id(), any_path(), invite).prop_map(|(addresses, key, path, invite)| {
            let invite = invite.map(|(id, secret, expires)| Invite { id, secret, expires });
            Ticket { invite, ..Ticket::new(addresses, key, path).expect("1 to 8 addresses") }
        })
    }

    fn example() -> Ticket {
        let addresses =
            vec!["192.168.0.12:5367".parse().unwrap(), "[2001:db8::12]".parse().unwrap()];
        let path = RemotePath::new("/ct.raw").unwrap();
        Ticket::new(addresses, KeyId::from_bytes([7; 32]), path).unwrap()
    }

    fn secret_example() -> Ticket {
        example().with_invite(Invite { id: [1; 8], secret: [0xAB; 16], expires: 1_800_000_000 })
    }

    fn refusal(text: &str) -> String {
        let error = text.parse::<Ticket>().expect_err(text);
        assert_eq!(error.code(), Code::BAD_ADDRESS);
        error.to_string()
    }

    const GOLDEN_PUBLIC: &str = "flp1aiitcojsfyytmobogaxdcmr2guztmnytlmzdambrhjsgeob2hiytexj2guztmnyha4\
        dqobyha4dqobyha4dqobyha4dqobyha4dqobyha4dqobyha4ds6y3ufzzgc5yamnjm66a";
    const GOLDEN_SECRET: &str = "fls1aiitcojsfyytmobogaxdcmr2guztmnytlmzdambrhjsgeob2hiytexj2guztmnyha4\
        dqobyha4dqobyha4dqobyha4dqobyha4dqobyha4dqobyha4ds6y3ufzzgc5ybaeaqcaib\
        aeaqdk5lvov2xk5lvov2xk5lvov2xk4aust5ubwcvxtqq";

    #[test]
    fn the_golden_words_hold() {
        assert_eq!(example().to_string(), GOLDEN_PUBLIC);
        assert_eq!(secret_example().to_string(), GOLDEN_SECRET);
        assert_eq!(GOLDEN_PUBLIC.parse::<Ticket>().unwrap(), example());
        assert_eq!(GOLDEN_SECRET.parse::<Ticket>().unwrap(), secret_example());
    }

    #[test]
    fn every_shortened_word_is_cut_off() {
        for word in [GOLDEN_PUBLIC, GOLDEN_SECRET] {
            for end in 5..word.len() {
                let message = refusal(&word[..end]);
                assert!(message.contains("cut off") || end + 7 > word.len(), "{end}: {message}");
            }
        }
    }

    #[test]
    fn every_wrong_letter_is_refused() {
        for at in 0..GOLDEN_SECRET.len() {
            let mut word = GOLDEN_SECRET.to_owned().into_bytes();
            word[at] = if word[at] == b'a' { b'b' } else { b'a' };
            refusal(std::str::from_utf8(&word).unwrap());
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let odd_letter = GOLDEN_PUBLIC.replacen("flp1", "flp10", 1);
        let typo = format!("{}a{}", &GOLDEN_PUBLIC[..60], &GOLDEN_PUBLIC[61..]);
        for (word, part) in [
            ("abc".to_owned(), "start with flp1"),
            (GOLDEN_PUBLIC.replacen("flp1", "flp2", 1), "version"),
            (GOLDEN_PUBLIC.replacen("flp1", "fls1", 1), "disagree"),
            (GOLDEN_SECRET.replacen("fls1", "flp1", 1), "disagree"),
            (odd_letter, "letter 5"),
            (typo, "typing error"),
            (format!("{GOLDEN_PUBLIC}aaaaaaaa"), "follow its end"),
            (format!("flp1{}", "a".repeat(MAX_LETTERS + 1)), "longer"),
        ] {
            let message = refusal(&word);
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn neither_debug_nor_errors_show_the_secret() {
        let shown = format!("{:?}", secret_example());
        assert!(!shown.contains("171") && !shown.to_lowercase().contains("ab, ab"), "{shown}");
        let message = refusal(&GOLDEN_SECRET.replace('v', "w"));
        assert!(!message.contains(&GOLDEN_SECRET[40..48]), "{message}");
    }

    #[test]
    fn the_largest_ticket_fits() {
        let host = format!("{}:65535", "h".repeat(253));
        let path = format!("{}/{}", format!("/{}", "x".repeat(254)).repeat(16), "y".repeat(15));
        let ticket = Ticket::new(
            vec![host.parse().unwrap(); 8],
            KeyId::from_bytes([255; 32]),
            RemotePath::new(&path).unwrap(),
        )
        .unwrap()
        .with_invite(Invite { id: [255; 8], secret: [255; 16], expires: u64::MAX });
        assert_eq!(ticket.to_string().parse::<Ticket>().unwrap(), ticket);
    }

    proptest! {
        #[test]
        fn what_is_displayed_parses_to_the_same(ticket in any_ticket()) {
            prop_assert_eq!(ticket.to_string().parse::<Ticket>().unwrap(), ticket);
        }

        #[test]
        fn nothing_panics(text in "(fl[ps]1)?[a-z2-7]{0,80}.*") {
            let _ = text.parse::<Ticket>();
        }

        #[test]
        fn no_content_panics(content in any::<Vec<u8>>()) {
            let mut bytes = content;
            bytes.extend(checksum(&bytes));
            let _ = format!("flp1{}", base32::encode(&bytes)).parse::<Ticket>();
        }
    }
}
