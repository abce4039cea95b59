//! How elements are read and written where both ends do not have the very same type.

use crate::{Error, Result};
use farlens_proto::StreamInfo;
use farlens_wire::{
    Budget, Code, DecodeError, Element, Limits, Reference,
    schema::{Resolution, SchemaDoc, decode_with, encode_with},
};
use std::sync::Arc;

/// What lies between the type that is published and the one that is used here. Cheap to clone.
#[derive(Clone)]
pub(super) enum Conversion {
    /// Nothing: they are the same.
    Straight,
    /// Names: fields and variants are found by theirs.
    ByName(Arc<(Arc<SchemaDoc>, Resolution)>),
    /// Here it is an [`crate::Entity`], made by the schema alone.
    BySchema(Arc<SchemaDoc>),
}

impl Conversion {
    /// # Errors
    /// `SCHEMA_MISMATCH`, which says where the types differ.
    pub(super) fn of<T: Element>(info: &StreamInfo, limits: &Limits) -> Result<Self> {
        match (T::schema(), info.fingerprint) {
            (None, None) => Ok(Self::Straight),
            (Some(own), Some(there)) if own.fingerprint().0 == there => Ok(Self::Straight),
            (None, Some(_)) => Ok(Self::BySchema(published(info, limits)?)),
            (Some(own), None) => {
                let text =
                    format!("what is published has no type of its own, and {own} is expected here");
                Err(Error::new(Code::SCHEMA_MISMATCH, text).with_hint("read it as `Entity`"))
            }
            (Some(own), Some(_)) => {
                let published = published(info, limits)?;
                let resolution = Resolution::between(&published, &own).map_err(|difference| {
                    let text = format!("what is published cannot be read as {own}: {difference}");
                    Error::new(Code::SCHEMA_MISMATCH, text)
                        .with_hint("read it as `Entity`, or with the type that was published")
                })?;
                Ok(Self::ByName(Arc::new((published, resolution))))
            }
        }
    }

    /// The type that is published, where it is another one.
    pub(super) fn published(&self) -> Option<&Arc<SchemaDoc>> {
        match self {
            Self::Straight => None,
            Self::ByName(named) => Some(&named.0),
            Self::BySchema(published) => Some(published),
        }
    }

    #[inline]
    pub(super) fn decode<T: Element>(
        &self,
        body: &[u8],
        table: &[Reference],
        limits: &Limits,
    ) -> Result<T> {
        let decoded = match self {
            Self::Straight => T::decode_with(body, table, limits),
            Self::ByName(named) => T::decode_resolved(&named.1, body, table, limits),
            Self::BySchema(schema) => decode_with(schema, body, table, &mut Budget::new(limits))
                .and_then(|entity| T::from_untyped(entity).ok_or(DecodeError::BadTag)),
        };
        decoded.map_err(|error| malformed(&error))
    }

    /// Encodes an element as the type that is published.
    pub(super) fn encode<T: Element>(
        &self,
        value: &T,
        body: &mut Vec<u8>,
        table: &mut Vec<Reference>,
    ) -> Result<()> {
        let unfit = |reason: String| {
            Error::new(Code::USAGE, format!("this value cannot be written here: {reason}"))
        };
        let Some(published) = self.published() else {
            return value.encode_with(body, table).map_err(|error| unfit(error.to_string()));
        };
        let (mut own, mut references) = (Vec::new(), Vec::new());
        value.encode_with(&mut own, &mut references).map_err(|error| unfit(error.to_string()))?;
        let limits = Limits::default();
        let entity = match T::schema() {
            Some(schema) => decode_with(&schema, &own, &references, &mut Budget::new(&limits)),
            None => crate::Entity::decode_with(&own, &references, &limits),
        };
        let entity = entity.map_err(|error| unfit(error.to_string()))?;
        encode_with(published, published.root(), &entity, body, table).map_err(|difference| {
            let text = format!("this value is not of the type that is published: {difference}");
            Error::new(Code::SCHEMA_MISMATCH, text)
        })
    }
}

fn published(info: &StreamInfo, limits: &Limits) -> Result<Arc<SchemaDoc>> {
    let bytes = info.schema.as_deref().unwrap_or_default();
    let schema = SchemaDoc::decode(bytes, &mut Budget::new(limits));
    schema.map(Arc::new).map_err(|error| malformed(&error))
}

fn malformed(error: &DecodeError) -> Error {
    Error::new(error.code(), format!("an element is malformed: {error}"))
}
