//! What a sequence of values is made of.

use crate::schema::{Resolution, Schema, SchemaDoc};
use crate::{DecodeError, EncodeError, Entity, Limits, Reference, typed};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A value that can be an element of a typed sequence, or an [`Entity`] in an untyped one.
///
/// Implemented for everything that is [`Schema`], `Serialize` and `DeserializeOwned`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an element of a sequence",
    note = "derive `farlens::Schema`, `serde::Serialize` and `serde::Deserialize` for it"
)]
pub trait Element: Sized + Send {
    /// The type that both ends must agree on, or nothing for [`Entity`]. Costs a look-up after the
    /// first time.
    fn schema() -> Option<Arc<SchemaDoc>>;

    /// Appends the encoding, and what its references point at to `table`.
    ///
    /// # Errors
    /// What [`EncodeError`] lists; `out` is unchanged then.
    fn encode_with(&self, out: &mut Vec<u8>, table: &mut Vec<Reference>)
    -> Result<(), EncodeError>;

    /// Decodes one element that takes up all of `bytes`; `table` is what its references point at.
    ///
    /// # Errors
    /// What [`DecodeError`] lists.
    fn decode_with(bytes: &[u8], table: &[Reference], limits: &Limits)
    -> Result<Self, DecodeError>;

    /// Decodes one element of a type that is another one, as `resolution` says.
    ///
    /// # Errors
    /// What [`DecodeError`] lists.
    fn decode_resolved(
        resolution: &Resolution,
        bytes: &[u8],
        table: &[Reference],
        limits: &Limits,
    ) -> Result<Self, DecodeError>;

    /// Appends the encoding of an element without references.
    ///
    /// # Errors
    /// What [`EncodeError`] lists; `out` is unchanged then.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let (start, mut table) = (out.len(), Vec::new());
        self.encode_with(out, &mut table)?;
        if table.is_empty() {
            return Ok(());
        }
        out.truncate(start);
        Err(EncodeError::ReferenceMisplaced)
    }

    /// Decodes one element without references that takes up all of `bytes`.
    ///
    /// # Errors
    /// What [`DecodeError`] lists.
    fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        Self::decode_with(bytes, &[], limits)
    }

    /// The element made from a value of another type, which only an [`Entity`] can be.
    fn from_untyped(entity: Entity) -> Option<Self>;
}

impl<T: Schema + Serialize + DeserializeOwned + Send> Element for T {
    fn schema() -> Option<Arc<SchemaDoc>> {
        if T::UNTYPED { None } else { Some(SchemaDoc::of::<T>()) }
    }

    #[inline]
    fn encode_with(
        &self,
        out: &mut Vec<u8>,
        table: &mut Vec<Reference>,
    ) -> Result<(), EncodeError> {
        match self.as_untyped() {
            Some(entity) => entity.encode_with(out, table),
            None => typed::encode_with(self, out, table),
        }
    }

    #[inline]
    fn decode_with(
        bytes: &[u8],
        table: &[Reference],
        limits: &Limits,
    ) -> Result<Self, DecodeError> {
        T::decode_untyped(bytes, table, limits)
            .unwrap_or_else(|| typed::decode_with(bytes, table, limits))
    }

    #[inline]
    fn decode_resolved(
        resolution: &Resolution,
        bytes: &[u8],
        table: &[Reference],
        limits: &Limits,
    ) -> Result<Self, DecodeError> {
        resolution.decode(bytes, table, limits)
    }

    fn from_untyped(entity: Entity) -> Option<Self> {
        <T as Schema>::from_untyped(entity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_untyped_and_stand_alone() {
        let value = Entity::Int(1);
        let mut out = Vec::new();
        assert!(<Entity as Element>::schema().is_none());
        assert_eq!(Element::encode(&value, &mut out), Ok(()));
        assert_eq!(out, [0x03, 0x02]);
        assert_eq!(<Entity as Element>::decode(&out, &Limits::default()), Ok(value));
    }

    #[test]
    fn other_values_have_a_schema_that_is_built_once() {
        let schema = <Vec<Entity> as Element>::schema().expect("it is typed");
        assert!(Arc::ptr_eq(&schema, &SchemaDoc::of::<Vec<Entity>>()));
        let mut out = Vec::new();
        assert_eq!(Element::encode(&vec![Entity::Null], &mut out), Ok(()));
        assert_eq!(out, [1, 1, 0]);
        let back = <Vec<Entity> as Element>::decode(&out, &Limits::default());
        assert_eq!(back, Ok(vec![Entity::Null]));
    }
}
