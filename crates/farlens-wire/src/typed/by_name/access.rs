//! The parts of compound values, as serde asks for them.
//!
//! A reader that stops before the last part would leave the rest of the input out of step, so that
//! is an error.

use super::ByName;
use crate::DecodeError;
use crate::schema::{Field, Type};
use crate::typed::de::{HINT_MAX, Result};
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess};
use std::mem::size_of;

fn all_taken(left: usize) -> Result<()> {
    if left == 0 { Ok(()) } else { Err(DecodeError::custom("the reader takes fewer parts")) }
}

impl<'de, 's> ByName<'_, 'de, '_, 's> {
    /// One of so many elements that input or schema claim. It may have no size, but takes time.
    #[inline]
    fn item<T: DeserializeSeed<'de>>(&mut self, ty: &'s Type, seed: T) -> Result<T::Value> {
        self.decoder.budget.spend_cost(size_of::<T::Value>().max(1))?;
        seed.deserialize(self.of(ty))
    }

    /// What may be allocated before an element is seen: no more than the input could hold.
    #[inline]
    fn hint(&self, left: usize) -> usize {
        left.min(self.decoder.input.left()).min(HINT_MAX)
    }
}

/// The elements of a list.
pub(super) struct Items<'a, 'de, 'b, 's> {
    /// The next element, if there is one.
    pub(super) value: ByName<'a, 'de, 'b, 's>,
    pub(super) left: usize,
}

impl Items<'_, '_, '_, '_> {
    pub(super) fn finish(&self) -> Result<()> {
        all_taken(self.left)
    }
}

impl<'de> SeqAccess<'de> for &mut Items<'_, 'de, '_, '_> {
    type Error = DecodeError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let ty = self.value.ty;
        self.value.item(ty, seed).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.value.hint(self.left))
    }
}

/// The entries of a map.
pub(super) struct Entries<'a, 'de, 'b, 's> {
    pub(super) value: ByName<'a, 'de, 'b, 's>,
    /// Of keys and of values.
    pub(super) types: (&'s Type, &'s Type),
    pub(super) left: usize,
}

impl Entries<'_, '_, '_, '_> {
    pub(super) fn finish(&self) -> Result<()> {
        all_taken(self.left)
    }
}

impl<'de> MapAccess<'de> for &mut Entries<'_, 'de, '_, '_> {
    type Error = DecodeError;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.value.item(self.types.0, seed).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        self.value.item(self.types.1, seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.value.hint(self.left))
    }
}

/// The types of parts without names that are still to come.
pub(super) enum Parts<'s> {
    Array(u32, &'s Type),
    Tuple(&'s [Type]),
}

impl<'s> Parts<'s> {
    #[inline]
    fn next(&mut self) -> Option<&'s Type> {
        match self {
            Self::Array(left, ty) => {
                *left = left.checked_sub(1)?;
                Some(ty)
            }
            Self::Tuple(types) => {
                let (first, rest) = types.split_first()?;
                *types = rest;
                Some(first)
            }
        }
    }

    #[inline]
    fn left(&self) -> usize {
        match self {
            Self::Array(left, _) => *left as usize,
            Self::Tuple(types) => types.len(),
        }
    }
}

/// The parts of an array or a tuple, whose number the schema says.
pub(super) struct Fixed<'a, 'de, 'b, 's> {
    pub(super) value: ByName<'a, 'de, 'b, 's>,
    pub(super) parts: Parts<'s>,
}

impl Fixed<'_, '_, '_, '_> {
    pub(super) fn finish(&self) -> Result<()> {
        all_taken(self.parts.left())
    }
}

impl<'de> SeqAccess<'de> for &mut Fixed<'_, 'de, '_, '_> {
    type Error = DecodeError;

    /// Charged for each, since the schema is the peer's and its reader may collect them in a list.
    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        match self.parts.next() {
            Some(ty) => self.value.item(ty, seed).map(Some),
            None => Ok(None),
        }
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.value.hint(self.parts.left()))
    }
}

/// The fields of a structure that are still to come.
#[derive(Clone, Copy)]
pub(super) struct Names<'s> {
    pub(super) fields: &'s [Field],
    /// Whether the reader may keep the names, which then cost memory.
    pub(super) copied: bool,
}

/// The fields of a structure as a map.
pub(super) struct Record<'a, 'de, 'b, 's> {
    pub(super) value: ByName<'a, 'de, 'b, 's>,
    pub(super) names: Names<'s>,
}

impl Record<'_, '_, '_, '_> {
    pub(super) fn finish(&self) -> Result<()> {
        all_taken(self.names.fields.len())
    }
}

impl<'de> MapAccess<'de> for &mut Record<'_, 'de, '_, '_> {
    type Error = DecodeError;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some((field, rest)) = self.names.fields.split_first() else { return Ok(None) };
        self.names.fields = rest;
        self.value.ty = &field.ty;
        if self.names.copied {
            self.value.decoder.budget.spend_cost(size_of::<K::Value>())?;
            self.value.decoder.budget.spend_cost(size_of::<Field>() + field.name.len())?;
        }
        seed.deserialize(StrDeserializer::new(&field.name)).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let ty = self.value.ty;
        if self.names.copied {
            return self.value.item(ty, seed);
        }
        seed.deserialize(self.value.of(ty))
    }
}
