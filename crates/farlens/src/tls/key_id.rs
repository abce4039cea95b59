//! The name of a key: who the other end is, in 53 letters.

use crate::{Code, Error, Result, base32};
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

/// The identity of a server or client: SHA-256 of its public key's SubjectPublicKeyInfo in DER.
///
/// `Display` writes `k` and 52 letters of base32, as URLs and JSON carry it; [`KeyId::grouped`] is
/// for people. Reading ignores hyphens and case. It is public and may be shown anywhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; 32]);

impl KeyId {
    /// Letters after the `k`.
    const LETTERS: usize = 52;

    /// The id with these 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The id of a public key, given as its SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn of_public_key(spki_der: &[u8]) -> Self {
        Self(Sha256::digest(spki_der).into())
    }

    /// Writes the id in groups of four letters with hyphens, for people to compare.
    #[must_use]
    pub fn grouped(&self) -> impl fmt::Display {
        let whole = self.to_string();
        let groups: Vec<&str> = (0..whole.len())
            .step_by(4)
            .map(|start| &whole[start..whole.len().min(start + 4)])
            .collect();
        groups.join("-")
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "k{}", base32::encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let word = text.replace('-', "");
        let letters =
            word.strip_prefix(['k', 'K']).ok_or_else(|| bad("it does not start with k"))?;
        if let Some(odd) = letters.chars().find(|c| !matches!(c, 'a'..='z' | 'A'..='Z' | '2'..='7'))
        {
            return Err(bad(&format!("{odd:?} is not one of its letters")));
        }
        if letters.len() != Self::LETTERS {
            return Err(bad(&format!(
                "{} letters follow the k, not {}",
                letters.len(),
                Self::LETTERS
            )));
        }
        let bytes = base32::decode(letters).map_err(|_| bad("its last letter is wrong"))?;
        Ok(Self(bytes.try_into().map_err(|_| bad("it has the wrong length"))?))
    }
}

fn bad(why: &str) -> Error {
    Error::new(Code::BAD_ADDRESS, format!("this is no key ID: {why}")).with_hint(
        "a key ID is k and 52 letters of a-z and 2-7; on its own machine `farlens id` prints it",
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any id.
    pub(crate) fn any_key_id() -> impl Strategy<Value = KeyId> {
        any::<[u8; 32]>().prop_map(KeyId)
    }

    #[test]
    fn the_id_of_a_known_key() {
        // SHA-256 of nothing, e3b0c442…b855.
        let id = KeyId::of_public_key(b"");
        assert_eq!(id.to_string(), "k4oymiquy7qobjgx36tejs35zeqt24qpemsnzgtfeswmrw6csxbkq");
        assert_eq!(
            id.grouped().to_string(),
            "k4oy-miqu-y7qo-bjgx-36te-js35-zeqt-24qp-emsn-zgtf-eswm-rw6c-sxbk-q"
        );
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let good = KeyId::from_bytes([0; 32]).to_string();
        for (text, part) in [
            (String::new(), "start with k"),
            (good[1..].to_owned(), "start with k"),
            (good[..20].to_owned(), "19 letters"),
            (format!("{good}a"), "53 letters"),
            (good.replacen('a', "0", 1), "'0'"),
            (format!("{}b", &good[..52]), "last letter"),
        ] {
            let error = text.parse::<KeyId>().expect_err(&text);
            assert!(error.message().contains(part), "{error}");
        }
    }

    proptest! {
        #[test]
        fn both_forms_parse_to_the_same(id in any_key_id()) {
            prop_assert_eq!(id.to_string().parse::<KeyId>().unwrap(), id);
            prop_assert_eq!(id.grouped().to_string().parse::<KeyId>().unwrap(), id);
            prop_assert_eq!(id.to_string().to_uppercase().parse::<KeyId>().unwrap(), id);
        }

        #[test]
        fn nothing_panics(text in "k?.*") {
            let _ = text.parse::<KeyId>();
        }
    }
}
