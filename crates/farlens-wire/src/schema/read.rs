//! Typed bytes to [`Entity`] by the schema alone.
//!
//! A structure becomes a record, one with a single unnamed field that field, other tuples lists. A
//! unit variant becomes text, any other a tagged value of its fields. A present option is what it
//! holds, unless that is null or tagged `Some`: it is then tagged `Some` itself, so that it differs
//! from an absent one. A list of `u8` is bytes. Objects and streams become references. A map whose
//! keys cannot be keys of an entity becomes a list of pairs.
//!
//! Recursive, since levels are counted as the typed decoder counts them; a pair of a map and the
//! content of a tagged value are levels of their own. Schema and bytes may both be a peer's: even
//! what takes no bytes is charged.

mod leaf;

use super::{Field, Fields, Method, SchemaDoc, Shape, Type, Variant, View};
use crate::entity::{has_duplicate, is_key};
use crate::read::Reader;
use crate::{Budget, DecodeError, Entity, Reference};
use std::mem::size_of;

/// The tag of a present option that would look like an absent one.
pub(crate) const SOME: &str = "Some";

/// Whether a present option of this value is tagged.
pub(crate) fn is_marked(value: &Entity) -> bool {
    match value {
        Entity::Null => true,
        Entity::Tagged { tag, .. } => tag == SOME,
        _ => false,
    }
}

type Result<T> = std::result::Result<T, DecodeError>;

/// Decodes one value of the type `schema` that takes up all of `bytes`; `table` is what its
/// references point at.
///
/// # Errors
/// What [`DecodeError`] lists; [`DecodeError::IntTooLarge`] for a `u128` beyond 2^127-1.
pub fn decode_with(
    schema: &SchemaDoc,
    bytes: &[u8],
    table: &[Reference],
    budget: &mut Budget,
) -> Result<Entity> {
    decode_type(schema, &schema.root, bytes, table, budget)
}

/// As [`decode_with`], for another type of `schema` than its root, such as the result of a method.
///
/// # Errors
/// As [`decode_with`].
pub fn decode_type(
    schema: &SchemaDoc,
    ty: &Type,
    bytes: &[u8],
    table: &[Reference],
    budget: &mut Budget,
) -> Result<Entity> {
    let mut input = Reader::new(bytes);
    let value = decode_next(schema, ty, &mut input, table, budget)?;
    input.finish()?;
    Ok(value)
}

/// Decodes the arguments of a call of `method`, a method of `schema`, that take up all of `bytes`:
/// a record with the name of the method.
///
/// # Errors
/// As [`decode_with`].
pub fn decode_args(
    schema: &SchemaDoc,
    method: &Method,
    bytes: &[u8],
    table: &[Reference],
    budget: &mut Budget,
) -> Result<Entity> {
    let mut input = Reader::new(bytes);
    budget.enter()?;
    let mut fields = Vec::new();
    for (name, ty) in &method.params {
        let value = decode_next(schema, ty, &mut input, table, budget)?;
        budget.spend_cost(size_of::<String>() + name.len())?;
        fields.push((name.clone(), value));
    }
    budget.leave();
    input.finish()?;
    Ok(Entity::Record { name: method.name.clone(), fields })
}

/// Decodes one value of a type of `schema` off the front of `input`.
pub(crate) fn decode_next(
    schema: &SchemaDoc,
    ty: &Type,
    input: &mut Reader<'_>,
    table: &[Reference],
    budget: &mut Budget,
) -> Result<Entity> {
    let mut source = Source { schema, input, table, budget, done: Vec::new() };
    source.value(ty)?;
    Ok(source.done.pop().unwrap_or_default())
}

/// The rest of the input, and the values that are read but not yet part of another one.
///
/// Keeping those here rather than in local variables keeps the stack of each level small.
struct Source<'s, 'i, 'a, 'b> {
    schema: &'s SchemaDoc,
    input: &'i mut Reader<'a>,
    table: &'b [Reference],
    budget: &'b mut Budget,
    done: Vec<Entity>,
}

impl<'s> Source<'s, '_, '_, '_> {
    /// Reads one value onto `done`.
    fn value(&mut self, ty: &'s Type) -> Result<()> {
        self.budget.spend_cost(size_of::<Entity>())?;
        match ty {
            Type::Option(inner) => self.option(inner),
            Type::List(inner) if **inner == Type::U8 => self.leaf(&Type::Bytes),
            Type::List(inner) => {
                let count = self.count()?;
                self.list(count, inner)
            }
            Type::Array(len, inner) => self.list(*len as usize, inner),
            Type::Map(key, value) if self.is_key(key) => self.map(key, value),
            Type::Map(key, value) => self.pairs(key, value),
            Type::Tuple(types) => {
                self.budget.enter()?;
                self.tuple(types)?;
                self.budget.leave();
                Ok(())
            }
            Type::Named(index) => {
                let definition = self.schema.definition(*index).ok_or(DecodeError::BadTag)?;
                match &definition.shape {
                    Shape::Struct(fields) => self.structure(&definition.name, fields),
                    Shape::Enum(variants) => self.variant(variants),
                    Shape::Interface(_) => self.leaf(&Type::Reference),
                }
            }
            leaf => self.leaf(leaf),
        }
    }

    fn leaf(&mut self, leaf: &Type) -> Result<()> {
        let value = self.leaf_value(leaf)?;
        self.done.push(value);
        Ok(())
    }

    fn option(&mut self, inner: &'s Type) -> Result<()> {
        if !self.flag()? {
            self.done.push(Entity::Null);
            return Ok(());
        }
        self.budget.enter()?;
        self.value(inner)?;
        if self.done.last().is_some_and(is_marked) {
            self.budget.spend_cost(size_of::<Entity>())?;
            self.close_tagged(SOME)?;
        }
        self.budget.leave();
        Ok(())
    }

    fn list(&mut self, count: usize, ty: &'s Type) -> Result<()> {
        self.budget.enter()?;
        let start = self.done.len();
        for _ in 0..count {
            self.value(ty)?;
        }
        self.close_list(start);
        self.budget.leave();
        Ok(())
    }

    fn tuple(&mut self, types: &'s [Type]) -> Result<()> {
        let start = self.done.len();
        for ty in types {
            self.value(ty)?;
        }
        self.close_list(start);
        Ok(())
    }

    /// Makes a list of the values from `start` on.
    fn close_list(&mut self, start: usize) {
        let items = self.done.split_off(start);
        self.done.push(Entity::List(items));
    }

    fn map(&mut self, key: &'s Type, value: &'s Type) -> Result<()> {
        let count = self.count()?;
        self.budget.enter()?;
        let start = self.done.len();
        for _ in 0..count {
            self.value(key)?;
            if !self.done.last().is_some_and(is_key) {
                return Err(DecodeError::BadKey);
            }
            self.value(value)?;
        }
        self.budget.leave();
        self.close_map(start)
    }

    /// Makes a map of the values from `start` on, keys and values in turn.
    fn close_map(&mut self, start: usize) -> Result<()> {
        let mut parts = self.done.drain(start..);
        let mut entries = Vec::with_capacity(parts.len() / 2);
        while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
            entries.push((key, value));
        }
        drop(parts);
        if has_duplicate(&entries) {
            return Err(DecodeError::DuplicateKey);
        }
        self.done.push(Entity::Map(entries));
        Ok(())
    }

    /// A map as a list of pairs.
    fn pairs(&mut self, key: &'s Type, value: &'s Type) -> Result<()> {
        let count = self.count()?;
        self.budget.enter()?;
        self.budget.enter()?;
        let start = self.done.len();
        for _ in 0..count {
            self.budget.spend_cost(size_of::<Entity>())?;
            let pair = self.done.len();
            self.value(key)?;
            self.value(value)?;
            self.close_list(pair);
        }
        self.close_list(start);
        self.budget.leave();
        self.budget.leave();
        Ok(())
    }

    fn structure(&mut self, name: &str, fields: &'s Fields) -> Result<()> {
        if *fields == Fields::Unit {
            self.done.push(Entity::Null);
            return Ok(());
        }
        self.budget.enter()?;
        self.fields(name, fields)?;
        self.budget.leave();
        Ok(())
    }

    fn variant(&mut self, variants: &'s [Variant]) -> Result<()> {
        let index = usize::try_from(self.input.u64()?).map_err(|_| DecodeError::BadTag)?;
        let Variant { name, fields, .. } = variants.get(index).ok_or(DecodeError::BadTag)?;
        if *fields == Fields::Unit {
            let word = self.name(name)?;
            self.done.push(Entity::Text(word));
            return Ok(());
        }
        self.budget.spend_cost(size_of::<Entity>())?;
        self.budget.enter()?;
        match fields {
            Fields::Tuple(types) if types.len() == 1 => self.value(&types[0])?,
            fields => self.structure(name, fields)?,
        }
        self.budget.leave();
        self.close_tagged(name)
    }

    fn close_tagged(&mut self, name: &str) -> Result<()> {
        let tag = self.name(name)?;
        let value = Box::new(self.done.pop().unwrap_or_default());
        self.done.push(Entity::Tagged { tag, value });
        Ok(())
    }

    fn fields(&mut self, name: &str, fields: &'s Fields) -> Result<()> {
        match fields {
            Fields::Unit => Ok(()),
            Fields::Tuple(types) if types.len() == 1 => self.value(&types[0]),
            Fields::Tuple(types) => self.tuple(types),
            Fields::Named { fields, .. } => {
                let start = self.done.len();
                for field in fields {
                    self.value(&field.ty)?;
                }
                self.close_record(name, fields, start)
            }
        }
    }

    /// Makes a record of the values from `start` on.
    fn close_record(&mut self, name: &str, fields: &[Field], start: usize) -> Result<()> {
        let name = self.name(name)?;
        self.budget.spend_costs(fields.len(), size_of::<String>())?;
        let mut read = Vec::with_capacity(fields.len());
        for (field, value) in fields.iter().zip(self.done.split_off(start)) {
            read.push((self.name(&field.name)?, value));
        }
        self.done.push(Entity::Record { name, fields: read });
        Ok(())
    }

    /// Whether every value of this type but NaN may be the key of a map.
    fn is_key(&self, ty: &'s Type) -> bool {
        match self.schema.view(ty) {
            Ok(View::Option(inner)) => {
                let view = self.schema.view(inner);
                let nullable = matches!(view, Ok(View::Option(_) | View::Unit | View::Empty));
                !nullable && self.is_key(inner)
            }
            Ok(View::List(inner)) => *inner == Type::U8,
            Ok(View::Enum(variants)) => {
                variants.iter().all(|variant| variant.fields == Fields::Unit)
            }
            Ok(View::Leaf(leaf)) => *leaf != Type::Any,
            Ok(View::Unit | View::Empty) => true,
            _ => false,
        }
    }
}
