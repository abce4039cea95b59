//! The hash of a schema, by which types are compared.

use super::format::Sink;
use super::{Definition, SchemaDoc, Type};
use crate::{Budget, DecodeError, Limits};
use sha2::{Digest, Sha256};
use std::fmt;

/// The first 16 bytes of the SHA-256 of a schema's encoding. Equal ones mean equal types.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "a fingerprint is 16 bytes and stays that")]
pub struct Fingerprint(pub [u8; 16]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SchemaDoc {
    pub(super) fn new(root: Type, definitions: Vec<Definition>) -> Self {
        let mut doc = Self { root, definitions, fingerprint: Fingerprint([0; 16]) };
        let mut bytes = Vec::new();
        doc.put(&mut Sink { out: &mut bytes, documented: false });
        let hash = Sha256::digest(&bytes);
        doc.fingerprint.0.iter_mut().zip(hash).for_each(|(place, byte)| *place = byte);
        doc
    }

    /// The document of a type that is described by hand, with what only readers know.
    ///
    /// # Errors
    /// What [`SchemaDoc::decode`] refuses, within the default limits.
    pub fn from_parts(root: Type, definitions: Vec<Definition>) -> Result<Self, DecodeError> {
        let doc = Self::new(root, definitions);
        let mut bytes = Vec::new();
        doc.encode(&mut bytes);
        Self::decode(&bytes, &mut Budget::new(&Limits::default()))?;
        Ok(doc)
    }
}
