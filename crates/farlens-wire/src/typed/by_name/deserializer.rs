//! What serde's derived code asks for, and what it is shown.

use super::access::{Names, Parts};
use super::{ByName, Result};
use crate::DecodeError;
use crate::entity::ENTITY_NAME;
use crate::reference::REFERENCE_NAME;
use crate::schema::{Type, View};
use serde::de::{Deserializer, Error as _, Visitor};

/// Numbers of the same type are read as by position, which is the most frequent case.
macro_rules! numbers {
    ($($name:ident $visit:ident $same:ident $fit:ident;)*) => {$(
        #[inline]
        fn $name<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
            if matches!(self.ty, Type::$same) {
                return self.decoder.$name(visitor);
            }
            match self.number()? {
                Some(number) => visitor.$visit(number.$fit()?),
                None => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for ByName<'_, 'de, '_, '_> {
    type Error = DecodeError;

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    numbers! {
        deserialize_u8 visit_u8 U8 fit;
        deserialize_u16 visit_u16 U16 fit;
        deserialize_u32 visit_u32 U32 fit;
        deserialize_u64 visit_u64 U64 fit;
        deserialize_u128 visit_u128 U128 fit;
        deserialize_i8 visit_i8 I8 fit;
        deserialize_i16 visit_i16 I16 fit;
        deserialize_i32 visit_i32 I32 fit;
        deserialize_i64 visit_i64 I64 fit;
        deserialize_i128 visit_i128 I128 fit;
        deserialize_f32 visit_f32 F32 fit_f32;
        deserialize_f64 visit_f64 F64 fit_f64;
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.bytes(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.bytes(visitor)
    }

    /// A value that is no option is a present one.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.view()? {
            View::Option(inner) => self.option(inner, visitor),
            _ => {
                let ty = self.ty;
                self.some(ty, visitor)
            }
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    /// A structure without fields ignores those of the writer.
    fn deserialize_unit_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        match self.view()? {
            View::Record(..) => {
                self.skipped()?;
                visitor.visit_unit()
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name == ENTITY_NAME {
            return self.entity(visitor);
        }
        if name == REFERENCE_NAME {
            return match self.view()? {
                View::Reference(_) => self.decoder.reference(visitor),
                _ => Err(DecodeError::custom("a reference is due, there is a plain value")),
            };
        }
        let ty = self.ty;
        self.nested(|value| visitor.visit_newtype_struct(value.of(ty)))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.view()? {
            View::Leaf(Type::Bytes) => self.list(&Type::U8, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    /// A structure without fields is one of which the reader has all to fill in.
    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.view()? {
            View::Record(fields, _) => self.record(Names { fields, copied: false }, visitor),
            View::Unit | View::Empty => self.record(Names { fields: &[], copied: false }, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.view()? {
            View::Enum(_) => self.variant(false, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        self.skipped()?;
        visitor.visit_unit()
    }

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match self.view()? {
            View::Unit | View::Empty => visitor.visit_unit(),
            View::Option(inner) => self.option(inner, visitor),
            View::List(ty) => self.list(ty, visitor),
            View::Array(len, ty) => self.parts(Parts::Array(len, ty), visitor),
            View::Tuple(types) => self.parts(Parts::Tuple(types), visitor),
            View::Map(key, value) => self.map((key, value), visitor),
            View::Record(fields, _) => self.record(Names { fields, copied: true }, visitor),
            View::Enum(_) => self.variant(true, visitor),
            View::Reference(_) => Err(DecodeError::custom("a reference is no plain value")),
            View::Leaf(Type::Bool) => visitor.visit_bool(self.decoder.flag()?),
            View::Leaf(Type::Char) => visitor.visit_char(self.decoder.character()?.1),
            View::Leaf(Type::Text) => visitor.visit_borrowed_str(self.decoder.text()?),
            View::Leaf(Type::Bytes) => visitor.visit_borrowed_bytes(self.decoder.bytes()?),
            View::Leaf(Type::Any) => {
                let depth = self.decoder.budget.depth();
                self.untyped()?.by_name(depth).deserialize_any(visitor)
            }
            View::Leaf(number) => self.decoder.number(number)?.visit(visitor),
        }
    }
}
