//! A value that carries its own types, for data whose type the reader does not have.
//!
//! Encoded it is a tag byte and then, by tag:
//!
//! | tag | kind | what follows |
//! |---|---|---|
//! | 00 | null | nothing |
//! | 01, 02 | false, true | nothing |
//! | 03 | int | the number, zigzag, as a varint of up to 128 bits |
//! | 04, 05 | f32, f64 | the bits, 4 or 8 bytes, least significant byte first |
//! | 06, 07 | text, bytes | length, then so many bytes; text is UTF-8 |
//! | 08 | list | count, then so many values |
//! | 09 | map | count, then so many keys, each followed by its value |
//! | 0a | record | length and name, count, then so many fields: length, name, value |
//! | 0b | tagged | length and tag, value |
//! | 0c | time | nanoseconds since 1970-01-01T00:00:00Z, zigzag, as a varint of up to 64 bits |
//! | 0d | reference | index into the table beside the value, a varint |
//!
//! Lengths and counts are varints of up to 64 bits. Every varint is as short as it can be, so a
//! value has one encoding. `docs/entity-format.md` says the same in sentences to cite, with
//! examples.
//!
//! A value may be built to any depth; dropping, cloning and comparing it use no stack for that,
//! and encoding one that is too deep fails.

mod convert;
mod decode;
mod encode;
mod into;
mod keys;
mod serde;
mod text;
mod walk;

pub(crate) use self::serde::{ENTITY_NAME, Handshake, charge};
pub use convert::WrongKind;
pub(crate) use decode::decode_one;
pub(crate) use encode::{Output, encode_nested};
pub(crate) use keys::{has_duplicate, has_duplicate_name, is_key, repeats};
pub use text::{Base64, Rfc3339};

use crate::{DecodeError, EncodeError, Limits, Reference};
use bytes::Bytes;

/// One value of any kind.
///
/// Floats are equal when their bits are, and values of different kinds never are: the int 1 is not
/// the float 1.0. Since it drops without recursion its parts cannot be moved out of a pattern: use
/// the conversions (`String::try_from(entity)`) or [`std::mem::take`].
///
/// ```
/// use farlens_wire::Entity;
/// let pose = Entity::record("Pose", [("tool", "probe".into()), ("t_ns", 7.into())]);
/// assert_eq!(pose.get("t_ns"), Some(&Entity::Int(7)));
/// assert_ne!(Entity::Int(1), Entity::F64(1.0));
/// ```
#[derive(Default)]
#[expect(clippy::exhaustive_enums, reason = "a new kind is a new version of the wire")]
pub enum Entity {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A number of 32 bits; NaNs keep their bits.
    F32(f32),
    /// A number of 64 bits; NaNs keep their bits.
    F64(f64),
    /// Unicode text.
    Text(String),
    /// Bytes without a meaning known here.
    Bytes(Bytes),
    /// Values in order.
    List(Vec<Entity>),
    /// Keys and values in the order of the writer. Keys differ from each other and are neither NaN
    /// nor a reference nor compound; encoding checks this.
    Map(Vec<(Entity, Entity)>),
    /// A structure of named fields, which differ from each other.
    Record {
        /// The name of the type.
        name: String,
        /// The fields in the order of the type.
        fields: Vec<(String, Entity)>,
    },
    /// A value of which a word says what it is, as a variant of an enum.
    Tagged {
        /// The word.
        tag: String,
        /// The value.
        value: Box<Entity>,
    },
    /// Nanoseconds since 1970-01-01T00:00:00Z, without leap seconds.
    Time(i64),
    /// Something that is passed by reference, such as an object or a streamer.
    Reference(Reference),
}

impl Entity {
    /// Appends the canonical encoding, for receivers with the default [`Limits::depth`].
    ///
    /// # Errors
    /// As [`Entity::encode_within`].
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.encode_within(crate::typed::ENCODE_DEPTH, out)
    }

    /// Appends the canonical encoding unless the value is nested more than `depth` levels.
    ///
    /// # Errors
    /// [`EncodeError::Depth`], [`EncodeError::DuplicateKey`], [`EncodeError::BadKey`] or
    /// [`EncodeError::ReferenceMisplaced`]; `out` is unchanged then.
    pub fn encode_within(&self, depth: u32, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let (start, mut table) = (out.len(), Vec::new());
        let mut output = Output { bytes: out, references: &mut table };
        let mut outcome = encode_nested(self, depth, &mut output);
        if outcome.is_ok() && !table.is_empty() {
            outcome = Err(EncodeError::ReferenceMisplaced);
        }
        outcome.inspect_err(|_| out.truncate(start))
    }

    /// Appends the canonical encoding, and what its references point at to `table`.
    ///
    /// # Errors
    /// As [`Entity::encode`], and [`EncodeError::References`] where the table gets too long; `out`
    /// is unchanged then.
    pub fn encode_with(
        &self,
        out: &mut Vec<u8>,
        table: &mut Vec<Reference>,
    ) -> Result<(), EncodeError> {
        let start = out.len();
        let mut output = Output { bytes: out, references: table };
        let outcome = encode_nested(self, crate::typed::ENCODE_DEPTH, &mut output);
        outcome.inspect_err(|_| out.truncate(start))
    }

    /// Decodes one value without references that takes up all of `bytes`.
    ///
    /// # Errors
    /// What [`DecodeError`] lists; trailing bytes are refused.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        Self::decode_with(bytes, &[], limits)
    }

    /// Decodes one value that takes up all of `bytes`; `table` is what its references point at.
    ///
    /// # Errors
    /// What [`DecodeError`] lists; trailing bytes are refused.
    pub fn decode_with(
        bytes: &[u8],
        table: &[Reference],
        limits: &Limits,
    ) -> Result<Self, DecodeError> {
        decode::decode_all(bytes, table, &mut crate::Budget::new(limits))
    }

    /// The name of the kind, as in "int".
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::F32(_) => "f32",
            Self::F64(_) => "f64",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Record { .. } => "record",
            Self::Tagged { .. } => "tagged",
            Self::Time(_) => "time",
            Self::Reference(_) => "reference",
        }
    }

    /// The value of a field of a record or of a text key of a map. Takes time linear in their
    /// number.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Record { fields, .. } => {
                fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
            }
            Self::Map(entries) => entries
                .iter()
                .find(|(key, _)| matches!(key, Self::Text(text) if text == name))
                .map(|(_, value)| value),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
