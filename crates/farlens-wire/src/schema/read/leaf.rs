//! Bools, numbers, text, bytes, untyped values and references.

use super::{Result, Source};
use crate::entity::decode_one;
use crate::read::Reader;
use crate::reference::at_index;
use crate::schema::Type;
use crate::{DecodeError, Entity};

impl Source<'_, '_, '_, '_> {
    pub(super) fn leaf_value(&mut self, leaf: &Type) -> Result<Entity> {
        Ok(match leaf {
            Type::Bool => Entity::Bool(self.flag()?),
            Type::U8 => Entity::Int(i128::from(self.input.byte()?)),
            Type::I8 => Entity::Int(i128::from(self.input.byte()? as i8)),
            Type::U16 => self.unsigned(u64::from(u16::MAX))?,
            Type::U32 => self.unsigned(u64::from(u32::MAX))?,
            Type::U64 => self.unsigned(u64::MAX)?,
            Type::I16 => self.signed(i64::from(i16::MAX))?,
            Type::I32 => self.signed(i64::from(i32::MAX))?,
            Type::I64 => self.signed(i64::MAX)?,
            Type::I128 => Entity::Int(self.input.i128()?),
            Type::U128 => {
                let value = self.input.u128()?;
                Entity::Int(i128::try_from(value).map_err(|_| DecodeError::IntTooLarge)?)
            }
            Type::F32 => Entity::F32(f32::from_le_bytes(self.input.array()?)),
            Type::F64 => Entity::F64(f64::from_le_bytes(self.input.array()?)),
            Type::Char => self.character()?,
            Type::Text => Entity::Text(self.text()?),
            Type::Bytes => self.bytes()?,
            Type::Any => self.any()?,
            Type::Reference | Type::ByteStream | Type::EntityStream(_) => self.reference()?,
            _ => Entity::Null,
        })
    }

    fn any(&mut self) -> Result<Entity> {
        let mut inner = Reader::new(self.input.bytes()?);
        let value = decode_one(&mut inner, self.table, self.budget)?;
        inner.finish()?;
        Ok(value)
    }

    fn reference(&mut self) -> Result<Entity> {
        at_index(self.table, self.input.u64()?).map(|found| Entity::Reference(found.clone()))
    }

    pub(super) fn flag(&mut self) -> Result<bool> {
        match self.input.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::BadBool),
        }
    }

    fn unsigned(&mut self, max: u64) -> Result<Entity> {
        let value = self.input.u64()?;
        if value > max { Err(DecodeError::NotCanonical) } else { Ok(value.into()) }
    }

    fn signed(&mut self, max: i64) -> Result<Entity> {
        let value = self.input.i64()?;
        if value > max || value < -max - 1 {
            return Err(DecodeError::NotCanonical);
        }
        Ok(value.into())
    }

    fn text(&mut self) -> Result<String> {
        let text = self.input.text()?;
        self.name(text)
    }

    /// A copy of text, charged, since a name in the schema may be long and occur often.
    pub(super) fn name(&mut self, text: &str) -> Result<String> {
        self.budget.spend_cost(text.len())?;
        Ok(text.to_owned())
    }

    fn character(&mut self) -> Result<Entity> {
        let text = self.text()?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(_), None) => Ok(Entity::Text(text)),
            _ => Err(DecodeError::BadChar),
        }
    }

    fn bytes(&mut self) -> Result<Entity> {
        let bytes = self.input.bytes()?;
        self.budget.spend_cost(bytes.len())?;
        // The input is borrowed, and a slice of it would keep the whole message in memory.
        Ok(Entity::Bytes(bytes::Bytes::copy_from_slice(bytes)))
    }

    pub(super) fn count(&mut self) -> Result<usize> {
        let count = self.input.u64()?;
        self.budget.spend_elements(count)?;
        usize::try_from(count).map_err(|_| DecodeError::LengthBeyondInput)
    }
}
