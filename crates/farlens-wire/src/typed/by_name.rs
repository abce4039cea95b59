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
mod deserializer;
mod number;
mod skip;
mod variant;

use super::de::{Decoder, Result};
use crate::Entity;
use crate::reference::OnDesk;
use crate::schema::{SchemaDoc, Type, View};
use access::{Items, Names, Parts};
use serde::de::{Deserializer, Visitor};
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
        visitor.visit_enum(variant::Variant { value: self, copied })
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
        crate::schema::decode_next(self.schema, self.ty, input, table, budget)
    }

    fn entity<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        if matches!(self.view()?, View::Leaf(Type::Any)) {
            return self.decoder.entity(visitor);
        }
        visitor.visit_newtype_struct(OnDesk::new(self.untyped()?))
    }

    fn skipped(&mut self) -> Result<()> {
        skip::skip(self.decoder, self.schema, self.ty)
    }
}

#[cfg(test)]
mod tests;
