//! The serde `Deserializer` that reads what was written with another schema than the reader's.
//!
//! It walks along the writer's schema and presents structures as maps from names to values and
//! variants by their names, as a format would that carries them; the names stand in the schema and
//! are not copied. Numbers come in the width that the reader asks for, where they fit. What the
//! reader ignores is skipped, and checked as if it were read. The budget is charged as in the
//! decoder that goes by position.
//!
//! Which types fit is decided before, by [`Resolution`](crate::schema::Resolution). A pair that
//! does not fit is an error here, too, but perhaps only for some values.

mod access;
mod number;
mod skip;

use super::de::{Decoder, Result};
use crate::entity::ENTITY_NAME;
use crate::reference::{OnDesk, REFERENCE_NAME};
use crate::schema::{SchemaDoc, Type, View};
use crate::{DecodeError, Entity};
use access::{Items, Names, Parts};
use serde::de::{Deserializer, Error as _, Visitor};
use std::mem::size_of;

/// A value of type `ty` that comes next in the input.
pub(super) struct ByName<'a, 'de, 'b, 's> {
    pub(super) decoder: &'a mut Decoder<'de, 'b>,
    pub(super) schema: &'s SchemaDoc,
    pub(super) ty: &'s Type,
}

impl<'de, 'b, 's> ByName<'_, 'de, 'b, 's> {
    #[inline]
    fn view(&self) -> Result<View<'s>> {
        self.schema.view(self.ty)
    }

    /// A value of another type that comes next.
    #[inline]
    fn of<'c>(&'c mut self, ty: &'s Type) -> ByName<'c, 'de, 'b, 's> {
        ByName { decoder: &mut *self.decoder, schema: self.schema, ty }
    }

    /// One level down; see [`Decoder::nested`].
    #[inline]
    fn nested<T>(mut self, build: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.decoder.budget.enter()?;
        self.decoder.budget.spend_cost(size_of::<T>())?;
        let value = build(&mut self)?;
        self.decoder.budget.leave();
        Ok(value)
    }

    fn some<V: Visitor<'de>>(self, ty: &'s Type, visitor: V) -> Result<V::Value> {
        self.nested(|value| visitor.visit_some(value.of(ty)))
    }

    fn option<V: Visitor<'de>>(self, inner: &'s Type, visitor: V) -> Result<V::Value> {
        if self.decoder.flag()? {
            return self.some(inner, visitor);
        }
        self.decoder.budget.spend_cost(size_of::<V::Value>())?;
        visitor.visit_none()
    }

    /// A list whose count comes next.
    fn list<V: Visitor<'de>>(self, ty: &'s Type, visitor: V) -> Result<V::Value> {
        let left = self.decoder.count()?;
        self.nested(|value| {
            let mut items = Items { value: value.of(ty), left };
            let list = visitor.visit_seq(&mut items)?;
            items.finish()?;
            Ok(list)
        })
    }

    fn map<V: Visitor<'de>>(self, types: (&'s Type, &'s Type), visitor: V) -> Result<V::Value> {
        let left = self.decoder.count()?;
        self.nested(|value| {
            let mut entries = access::Entries { value: value.of(types.0), types, left };
            let map = visitor.visit_map(&mut entries)?;
            entries.finish()?;
            Ok(map)
        })
    }

    fn parts<V: Visitor<'de>>(self, parts: Parts<'s>, visitor: V) -> Result<V::Value> {
        self.nested(|value| {
            let ty = value.ty;
            let mut fixed = access::Fixed { value: value.of(ty), parts };
            let built = visitor.visit_seq(&mut fixed)?;
            fixed.finish()?;
            Ok(built)
        })
    }

    fn record<V: Visitor<'de>>(self, names: Names<'s>, visitor: V) -> Result<V::Value> {
        self.nested(|value| {
            let ty = value.ty;
            let mut record = access::Record { value: value.of(ty), names };
            let built = visitor.visit_map(&mut record)?;
            record.finish()?;
            Ok(built)
        })
    }

    fn variant<V: Visitor<'de>>(self, copied: bool, visitor: V) -> Result<V::Value> {
        self.decoder.budget.spend_cost(size_of::<V::Value>())?;
        visitor.visit_enum(access::Variant { value: self, copied })
    }

    /// Text, or a character as text.
    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.view()? {
            View::Leaf(Type::Text) => visitor.visit_borrowed_str(self.decoder.text()?),
            View::Leaf(Type::Char) => {
                let (text, _) = self.decoder.character()?;
                visitor.visit_borrowed_str(text)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    /// Bytes, or numbers of one byte each.
    fn bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.view()? {
            View::Leaf(Type::Bytes) => visitor.visit_borrowed_bytes(self.decoder.bytes()?),
            View::List(ty) if self.schema.is_byte(ty) => {
                visitor.visit_borrowed_bytes(self.decoder.bytes()?)
            }
            View::Array(len, ty) if self.schema.is_byte(ty) => {
                let bytes = self.decoder.input.slice(len as usize)?;
                self.decoder.budget.spend_cost(bytes.len())?;
                visitor.visit_borrowed_bytes(bytes)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    /// The value as an untyped one.
    fn untyped(&mut self) -> Result<Entity> {
        let Decoder { input, table, budget } = &mut *self.decoder;
        crate::schema::decode_type(self.schema, self.ty, input, table, budget)
    }

    fn entity<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        if self.view()? == View::Leaf(&Type::Any) {
            return self.decoder.entity(visitor);
        }
        visitor.visit_newtype_struct(OnDesk::new(self.untyped()?))
    }

    fn skipped(&mut self) -> Result<()> {
        skip::skip(self.decoder, self.schema, self.ty)
    }
}

macro_rules! numbers {
    ($($name:ident $visit:ident;)*) => {$(
        #[inline]
        fn $name<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
            match self.number()? {
                Some(number) => visitor.$visit(number.fit()?),
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
        deserialize_u8 visit_u8;
        deserialize_u16 visit_u16;
        deserialize_u32 visit_u32;
        deserialize_u64 visit_u64;
        deserialize_u128 visit_u128;
        deserialize_i8 visit_i8;
        deserialize_i16 visit_i16;
        deserialize_i32 visit_i32;
        deserialize_i64 visit_i64;
        deserialize_i128 visit_i128;
    }

    fn deserialize_f32<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match self.number()? {
            Some(number) => visitor.visit_f32(number.fit_f32()?),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match self.number()? {
            Some(number) => visitor.visit_f64(number.fit_f64()?),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

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
