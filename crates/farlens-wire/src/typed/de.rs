//! The serde `Deserializer`: reads postcard's format under a budget.
//!
//! Memory is charged where a visitor is about to build something: each compound value and each
//! element of a sequence or map costs the size of its Rust type, text and bytes cost their length.
//! Nested values are thus charged more than once, which errs on the safe side.

use crate::entity::{ENTITY_NAME, Handshake, charge};
use crate::read::Reader;
use crate::reference::{OnDesk, REFERENCE_NAME, at_index};
use crate::{Budget, DecodeError, Reference};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use std::mem::size_of;

/// Elements that may be allocated for before one of them is seen.
pub(super) const HINT_MAX: usize = 4096;

pub(super) type Result<T> = std::result::Result<T, DecodeError>;

/// The rest of the input and of the budget.
pub(super) struct Decoder<'de, 'b> {
    pub(super) input: Reader<'de>,
    pub(super) table: &'b [Reference],
    pub(super) budget: &'b mut Budget,
}

impl<'de, 'b> Decoder<'de, 'b> {
    #[inline]
    pub(super) fn new(input: Reader<'de>, table: &'b [Reference], budget: &'b mut Budget) -> Self {
        Self { input, table, budget }
    }

    #[inline]
    pub(super) fn finish(&self) -> Result<()> {
        self.input.finish()
    }

    /// Builds a compound value with `build`, one level down.
    #[inline]
    fn nested<T>(&mut self, build: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.budget.enter()?;
        self.budget.spend_cost(size_of::<T>())?;
        let value = build(self)?;
        self.budget.leave();
        Ok(value)
    }

    #[inline]
    fn fields<V: Visitor<'de>>(&mut self, len: usize, visitor: V) -> Result<V::Value> {
        self.nested(|decoder| visitor.visit_seq(Fields { decoder, left: len }))
    }

    /// A length whose elements are charged.
    #[inline]
    pub(super) fn count(&mut self) -> Result<usize> {
        let count = self.input.u64()?;
        self.budget.spend_elements(count)?;
        usize::try_from(count).map_err(|_| DecodeError::LengthBeyondInput)
    }

    #[inline]
    pub(super) fn text(&mut self) -> Result<&'de str> {
        let text = self.input.text()?;
        self.budget.spend_cost(text.len())?;
        Ok(text)
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'de [u8]> {
        let bytes = self.input.bytes()?;
        self.budget.spend_cost(bytes.len())?;
        Ok(bytes)
    }

    #[inline]
    pub(super) fn flag(&mut self) -> Result<bool> {
        match self.input.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::BadBool),
        }
    }

    #[inline]
    pub(super) fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T> {
        T::try_from(self.input.u64()?).map_err(|_| DecodeError::NotCanonical)
    }

    #[inline]
    pub(super) fn narrow_signed<T: TryFrom<i64>>(&mut self) -> Result<T> {
        T::try_from(self.input.i64()?).map_err(|_| DecodeError::NotCanonical)
    }

    /// An untyped value: decoded here where its references matter, otherwise handed out as bytes.
    pub(super) fn entity<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let bytes = self.input.bytes()?;
        match charge(bytes, self.table, self.budget)? {
            Some(value) => visitor.visit_newtype_struct(OnDesk::new(value)),
            None => {
                let sign = Handshake::default();
                visitor.visit_newtype_struct(EntityDecoder { bytes, sign })
            }
        }
    }

    /// The reference whose index comes next.
    pub(super) fn reference<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let reference = at_index(self.table, self.input.u64()?)?;
        visitor.visit_newtype_struct(OnDesk::new(reference.clone()))
    }

    /// A character, also as the text that it is written as.
    pub(super) fn character(&mut self) -> Result<(&'de str, char)> {
        let text = self.input.text()?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(only), None) => Ok((text, only)),
            _ => Err(DecodeError::BadChar),
        }
    }
}

macro_rules! plain {
    ($($name:ident $visit:ident, $decoder:ident => $value:expr;)*) => {$(
        #[inline]
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            let $decoder = self;
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Decoder<'de, '_> {
    type Error = DecodeError;

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    plain! {
        deserialize_bool visit_bool, de => de.flag()?;
        deserialize_u8 visit_u8, de => de.input.byte()?;
        deserialize_i8 visit_i8, de => de.input.byte()? as i8;
        deserialize_u16 visit_u16, de => de.narrow()?;
        deserialize_u32 visit_u32, de => de.narrow()?;
        deserialize_u64 visit_u64, de => de.input.u64()?;
        deserialize_u128 visit_u128, de => de.input.u128()?;
        deserialize_i16 visit_i16, de => de.narrow_signed()?;
        deserialize_i32 visit_i32, de => de.narrow_signed()?;
        deserialize_i64 visit_i64, de => de.input.i64()?;
        deserialize_i128 visit_i128, de => de.input.i128()?;
        deserialize_f32 visit_f32, de => f32::from_le_bytes(de.input.array()?);
        deserialize_f64 visit_f64, de => f64::from_le_bytes(de.input.array()?);
        deserialize_char visit_char, de => de.character()?.1;
        deserialize_str visit_borrowed_str, de => de.text()?;
        deserialize_string visit_borrowed_str, de => de.text()?;
        deserialize_bytes visit_borrowed_bytes, de => de.bytes()?;
        deserialize_byte_buf visit_borrowed_bytes, de => de.bytes()?;
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.flag()? {
            self.nested(|decoder| visitor.visit_some(decoder))
        } else {
            self.budget.spend_cost(size_of::<V::Value>())?;
            visitor.visit_none()
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name == ENTITY_NAME {
            return self.entity(visitor);
        }
        if name == REFERENCE_NAME {
            return self.reference(visitor);
        }
        self.nested(|decoder| visitor.visit_newtype_struct(decoder))
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let left = self.count()?;
        self.nested(|decoder| visitor.visit_seq(Items { decoder, left }))
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let left = self.count()?;
        self.nested(|decoder| visitor.visit_map(Items { decoder, left }))
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        self.fields(len, visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.fields(len, visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.fields(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.budget.spend_cost(size_of::<V::Value>())?;
        visitor.visit_enum(Variant { decoder: self })
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(DecodeError::NotSelfDescribing)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(DecodeError::NotSelfDescribing)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(DecodeError::NotSelfDescribing)
    }
}

/// The fields of a tuple or structure, whose number the type fixes.
struct Fields<'a, 'de, 'b> {
    decoder: &'a mut Decoder<'de, 'b>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Fields<'_, 'de, '_> {
    type Error = DecodeError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The elements of a sequence or the entries of a map, whose number the input claims.
struct Items<'a, 'de, 'b> {
    decoder: &'a mut Decoder<'de, 'b>,
    left: usize,
}

impl<'de> Items<'_, 'de, '_> {
    #[inline]
    fn item<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        self.decoder.budget.spend_cost(size_of::<T::Value>())?;
        seed.deserialize(&mut *self.decoder)
    }

    /// Whether one more is due; takes it off the count.
    #[inline]
    fn due(&mut self) -> bool {
        let due = self.left > 0;
        self.left -= usize::from(due);
        due
    }

    /// What may be allocated before an element is seen: no more than the input could hold.
    #[inline]
    fn hint(&self) -> Option<usize> {
        Some(self.left.min(self.decoder.input.left()).min(HINT_MAX))
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de, '_> {
    type Error = DecodeError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.due() { self.item(seed).map(Some) } else { Ok(None) }
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de, '_> {
    type Error = DecodeError;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if self.due() { self.item(seed).map(Some) } else { Ok(None) }
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        self.item(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

/// The variant of an enum.
struct Variant<'a, 'de, 'b> {
    decoder: &'a mut Decoder<'de, 'b>,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de, '_> {
    type Error = DecodeError;
    type Variant = Self;

    #[inline]
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let index: u32 = self.decoder.narrow()?;
        Ok((seed.deserialize(IntoDeserializer::<DecodeError>::into_deserializer(index))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de, '_> {
    type Error = DecodeError;

    #[inline]
    fn unit_variant(self) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        self.decoder.nested(|decoder| seed.deserialize(decoder))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        self.decoder.fields(len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.decoder.fields(fields.len(), visitor)
    }
}

/// Hands out the canonical bytes of an entity after a handshake.
struct EntityDecoder<'de> {
    bytes: &'de [u8],
    sign: Handshake,
}

impl<'de> Deserializer<'de> for EntityDecoder<'de> {
    type Error = DecodeError;

    fn is_human_readable(&self) -> bool {
        self.sign.answer()
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_bytes(self.bytes)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}
