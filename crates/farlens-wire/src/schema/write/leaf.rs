//! Bools, numbers, text, bytes and untyped values.

use super::{Result, Sink};
use crate::Entity;
use crate::entity::{Output, encode_nested};
use crate::read::{put_bytes, put_i64, put_i128, put_u64, put_u128};
use crate::schema::Type;

impl Sink<'_, '_> {
    pub(super) fn leaf(&mut self, ty: &Type, value: &Entity) -> Result {
        match (ty, value) {
            (Type::Any, value) => self.any(value),
            (Type::Bool, Entity::Bool(value)) => self.put(|out| out.push(u8::from(*value))),
            (Type::Bool, value) => self.wrong("a bool", value),
            (Type::Text, Entity::Text(text)) => self.put(|out| put_bytes(out, text.as_bytes())),
            (Type::Text, value) => self.wrong("text", value),
            (Type::Char, Entity::Text(text)) if text.chars().count() == 1 => {
                self.put(|out| put_bytes(out, text.as_bytes()))
            }
            (Type::Char, Entity::Text(_)) => self.fail("text of one character is due"),
            (Type::Char, value) => self.wrong("a character", value),
            (Type::Bytes, value) => self.bytes(value),
            (Type::F32 | Type::F64, value) => self.float(ty, value),
            (ty, Entity::Int(value)) => self.int(ty, *value),
            (_, value) => self.wrong("an int", value),
        }
    }

    fn put(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> Result {
        put(self.out);
        Ok(())
    }

    fn any(&mut self, value: &Entity) -> Result {
        let mut bytes = Vec::new();
        let mut output = Output { bytes: &mut bytes, references: self.table };
        match encode_nested(value, self.depth, &mut output) {
            Ok(()) => self.put(|out| put_bytes(out, &bytes)),
            Err(error) => self.fail(error),
        }
    }

    fn bytes(&mut self, value: &Entity) -> Result {
        match value {
            Entity::Bytes(bytes) => self.put(|out| put_bytes(out, bytes)),
            Entity::List(_) => self.items(&Type::U8, value),
            value => self.wrong("bytes", value),
        }
    }

    fn int(&mut self, ty: &Type, value: i128) -> Result {
        macro_rules! narrow {
            ($type:ident, $put:expr) => {
                $type::try_from(value).map(|value| $put(&mut *self.out, value.into())).is_ok()
            };
        }
        let fits = match ty {
            Type::U8 => narrow!(u8, Vec::push),
            Type::U16 => narrow!(u16, put_u64),
            Type::U32 => narrow!(u32, put_u64),
            Type::U64 => narrow!(u64, put_u64),
            Type::U128 => narrow!(u128, put_u128),
            Type::I8 => i8::try_from(value).map(|value| self.out.push(value as u8)).is_ok(),
            Type::I16 => narrow!(i16, put_i64),
            Type::I32 => narrow!(i32, put_i64),
            Type::I64 => narrow!(i64, put_i64),
            _ => narrow!(i128, put_i128),
        };
        if fits {
            return Ok(());
        }
        self.fail(format_args!("{value} does not fit {}", self.schema.described(ty)))
    }

    fn float(&mut self, ty: &Type, value: &Entity) -> Result {
        match (ty, value) {
            (Type::F32, Entity::F32(value)) => self.put_f32(*value),
            (Type::F64, Entity::F64(value)) => self.put_f64(*value),
            (Type::F64, Entity::F32(value)) => self.put_f64(f64::from(*value)),
            (Type::F32, Entity::F64(value)) => {
                let rounded = *value as f32;
                if rounded.is_infinite() && value.is_finite() {
                    return self.fail(format_args!("{value} does not fit f32"));
                }
                self.put_f32(rounded)
            }
            (Type::F32, Entity::Int(value)) if is_same(f64::from(*value as f32), *value) => {
                self.put_f32(*value as f32)
            }
            (Type::F64, Entity::Int(value)) if is_same(*value as f64, *value) => {
                self.put_f64(*value as f64)
            }
            (ty, Entity::Int(value)) => {
                self.fail(format_args!("{value} does not fit {}", self.schema.described(ty)))
            }
            (_, value) => self.wrong("a float", value),
        }
    }

    fn put_f32(&mut self, value: f32) -> Result {
        self.put(|out| out.extend_from_slice(&value.to_bits().to_le_bytes()))
    }

    fn put_f64(&mut self, value: f64) -> Result {
        self.put(|out| out.extend_from_slice(&value.to_bits().to_le_bytes()))
    }
}

/// Whether the float is the integer. The largest is none, but what the conversion ends at.
fn is_same(float: f64, int: i128) -> bool {
    float as i128 == int && int != i128::MAX
}
