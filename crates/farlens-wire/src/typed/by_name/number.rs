//! Numbers of the writer's width, in the width that the reader asks for.

use super::ByName;
use crate::DecodeError;
use crate::schema::{Type, View};
use crate::typed::de::{Decoder, Result};
use serde::de::{Error as _, Visitor};

/// A number as it was written.
#[derive(Clone, Copy)]
pub(super) enum Number {
    Unsigned(u64),
    Signed(i64),
    LongUnsigned(u128),
    LongSigned(i128),
    F32(f32),
    F64(f64),
}

#[cold]
fn misfit() -> DecodeError {
    DecodeError::custom("a number does not fit the reader's type")
}

impl Number {
    /// The same as an integer of the reader.
    #[inline]
    pub(super) fn fit<T>(self) -> Result<T>
    where
        T: TryFrom<u64> + TryFrom<i64> + TryFrom<u128> + TryFrom<i128>,
    {
        match self {
            Self::Unsigned(value) => T::try_from(value).ok(),
            Self::Signed(value) => T::try_from(value).ok(),
            Self::LongUnsigned(value) => T::try_from(value).ok(),
            Self::LongSigned(value) => T::try_from(value).ok(),
            Self::F32(_) | Self::F64(_) => None,
        }
        .ok_or_else(misfit)
    }

    /// The same as a float of 32 bits, which holds any integer of 16.
    #[inline]
    pub(super) fn fit_f32(self) -> Result<f32> {
        match self {
            Self::F32(value) => Some(value),
            Self::Unsigned(value) => u16::try_from(value).ok().map(f32::from),
            Self::Signed(value) => i16::try_from(value).ok().map(f32::from),
            _ => None,
        }
        .ok_or_else(misfit)
    }

    /// The same as a float of 64 bits, which holds any integer of 32.
    #[inline]
    pub(super) fn fit_f64(self) -> Result<f64> {
        match self {
            Self::F64(value) => Some(value),
            Self::F32(value) => Some(f64::from(value)),
            Self::Unsigned(value) => u32::try_from(value).ok().map(f64::from),
            Self::Signed(value) => i32::try_from(value).ok().map(f64::from),
            _ => None,
        }
        .ok_or_else(misfit)
    }

    /// Shows it as it is to a reader that takes anything.
    pub(super) fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Self::Unsigned(value) => visitor.visit_u64(value),
            Self::Signed(value) => visitor.visit_i64(value),
            Self::LongUnsigned(value) => visitor.visit_u128(value),
            Self::LongSigned(value) => visitor.visit_i128(value),
            Self::F32(value) => visitor.visit_f32(value),
            Self::F64(value) => visitor.visit_f64(value),
        }
    }
}

impl Decoder<'_, '_> {
    /// The next number, whose type is `ty`.
    #[inline]
    pub(super) fn number(&mut self, ty: &Type) -> Result<Number> {
        Ok(match ty {
            Type::U8 => Number::Unsigned(u64::from(self.input.byte()?)),
            Type::U16 => Number::Unsigned(self.narrow::<u16>()?.into()),
            Type::U32 => Number::Unsigned(self.narrow::<u32>()?.into()),
            Type::U64 => Number::Unsigned(self.input.u64()?),
            Type::U128 => Number::LongUnsigned(self.input.u128()?),
            Type::I8 => Number::Signed(i64::from(self.input.byte()? as i8)),
            Type::I16 => Number::Signed(self.narrow_signed::<i16>()?.into()),
            Type::I32 => Number::Signed(self.narrow_signed::<i32>()?.into()),
            Type::I64 => Number::Signed(self.input.i64()?),
            Type::I128 => Number::LongSigned(self.input.i128()?),
            Type::F32 => Number::F32(f32::from_le_bytes(self.input.array()?)),
            Type::F64 => Number::F64(f64::from_le_bytes(self.input.array()?)),
            _ => return Err(misfit()),
        })
    }
}

impl ByName<'_, '_, '_, '_> {
    /// The next value, if it is a number.
    #[inline]
    pub(super) fn number(&mut self) -> Result<Option<Number>> {
        match self.view()? {
            View::Leaf(ty) if is_number(ty) => self.decoder.number(ty).map(Some),
            _ => Ok(None),
        }
    }
}

#[inline]
const fn is_number(ty: &Type) -> bool {
    !matches!(ty, Type::Bool | Type::Char | Type::Text | Type::Bytes | Type::Any)
}
