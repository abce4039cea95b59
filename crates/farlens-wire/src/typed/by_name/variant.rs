//! Enums, whose variants are found by name.

use super::access::{Names, Parts};
use super::{ByName, Result, skip};
use crate::DecodeError;
use crate::schema::{self, Field, Fields, View};
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, Error as _, Unexpected, VariantAccess, Visitor};

/// The form of an enum, which comes next.
pub(super) struct Variant<'a, 'de, 'b, 's> {
    pub(super) value: ByName<'a, 'de, 'b, 's>,
    /// Whether the reader may keep the name.
    pub(super) copied: bool,
}

impl<'a, 'de, 'b, 's> EnumAccess<'de> for Variant<'a, 'de, 'b, 's> {
    type Error = DecodeError;
    type Variant = Content<'a, 'de, 'b, 's>;

    #[inline]
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant)> {
        let Self { mut value, copied } = self;
        let variant = value.chosen()?;
        if copied {
            value.decoder.budget.spend_cost(variant.name.len())?;
        }
        let name = seed.deserialize(StrDeserializer::new(&variant.name))?;
        Ok((name, Content { value, fields: &variant.fields }))
    }
}

impl<'s> ByName<'_, '_, '_, 's> {
    /// Reads which variant of the enum it is.
    #[inline]
    fn chosen(&mut self) -> Result<&'s schema::Variant> {
        let View::Enum(variants) = self.view()? else { return Err(DecodeError::BadTag) };
        let index: u32 = self.decoder.narrow()?;
        variants.get(index as usize).ok_or(DecodeError::BadTag)
    }
}

/// What a variant holds.
pub(super) struct Content<'a, 'de, 'b, 's> {
    value: ByName<'a, 'de, 'b, 's>,
    fields: &'s Fields,
}

impl Content<'_, '_, '_, '_> {
    /// The reader takes another kind of variant.
    #[cold]
    fn misfit(&self, wanted: &str) -> DecodeError {
        let found = match self.fields {
            Fields::Unit => Unexpected::UnitVariant,
            Fields::Tuple(types) if types.len() == 1 => Unexpected::NewtypeVariant,
            Fields::Tuple(_) => Unexpected::TupleVariant,
            Fields::Named { .. } => Unexpected::StructVariant,
        };
        DecodeError::invalid_type(found, &wanted)
    }
}

impl<'de> VariantAccess<'de> for Content<'_, 'de, '_, '_> {
    type Error = DecodeError;

    /// One without fields ignores those of the writer.
    #[inline]
    fn unit_variant(self) -> Result<()> {
        match self.fields {
            Fields::Unit => Ok(()),
            Fields::Named { fields, .. } => {
                let ByName { decoder, schema, .. } = self.value;
                skip::record(decoder, schema, fields)
            }
            Fields::Tuple(_) => Err(self.misfit("a unit variant")),
        }
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        match self.fields {
            Fields::Tuple(types) if types.len() == 1 => {
                self.value.nested(|value| seed.deserialize(value.of(&types[0])))
            }
            _ => Err(self.misfit("a variant with one value")),
        }
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        match self.fields {
            Fields::Tuple(types) if types.len() != 1 => {
                self.value.parts(Parts::Tuple(types), visitor)
            }
            _ => Err(self.misfit("a tuple variant")),
        }
    }

    /// One without fields is one of which the reader has all to fill in.
    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let fields: &[Field] = match self.fields {
            Fields::Named { fields, .. } => fields,
            Fields::Unit => &[],
            Fields::Tuple(_) => return Err(self.misfit("a struct variant")),
        };
        self.value.record(Names { fields, copied: false }, visitor)
    }
}
