//! [`Entity`] to typed bytes by the schema alone: the way back from reading.
//!
//! What [`decode_with`](super::decode_with) makes of a value is encoded to the same bytes. People
//! and JSON may write more freely: a map with text keys stands for a structure, one with a single
//! entry for a variant with content, an int for a float that is equal, and a float is rounded to 32
//! bits. A field that is an option may be left out.

mod compound;
mod leaf;

use super::difference::Step;
use super::read::{SOME, is_marked};
use super::view::View;
use super::{Difference, Method, SchemaDoc, Type};
use crate::read::put_u64;
use crate::reference::index_in;
use crate::typed::ENCODE_DEPTH;
use crate::{Entity, Reference};
use std::fmt::Display;

type Result = std::result::Result<(), Difference>;

/// Appends `value` as a value of the type `ty` of `schema`, and what its references point at to
/// `table`.
///
/// # Errors
/// The first [`Difference`] between the value and the type, as in `Pose.m: a list of 12 is due,
/// there is one of 3`; `out` is unchanged then.
pub fn encode_with(
    schema: &SchemaDoc,
    ty: &Type,
    value: &Entity,
    out: &mut Vec<u8>,
    table: &mut Vec<Reference>,
) -> Result {
    let root = match ty {
        Type::Named(index) => schema.definition(*index).map(|definition| &*definition.name),
        _ => None,
    };
    let start = out.len();
    let mut sink = Sink::new(schema, root.unwrap_or("value"), out, table);
    let outcome = sink.value(ty, value);
    if outcome.is_err() {
        out.truncate(start);
    }
    outcome
}

/// Appends the arguments of a call of `method`, a method of `schema`, one after the other as the
/// fields of a structure are. They come as a record or a map by name, or as a list in order.
///
/// # Errors
/// As [`encode_with`], as in `args.n: an int is due, there is text`.
pub fn encode_args(
    schema: &SchemaDoc,
    method: &Method,
    args: &Entity,
    out: &mut Vec<u8>,
    table: &mut Vec<Reference>,
) -> Result {
    let start = out.len();
    let mut sink = Sink::new(schema, "args", out, table);
    let outcome = match args {
        Entity::List(args) => sink.tuple(method.params.iter().map(|(_, ty)| ty), args),
        args => sink.record(method.params.iter().map(|(name, ty)| (&**name, ty)), args),
    };
    if outcome.is_err() {
        out.truncate(start);
    }
    outcome
}

/// Where the encoding goes, how many levels may still be entered, and where in the value it is.
struct Sink<'s, 'o> {
    schema: &'s SchemaDoc,
    out: &'o mut Vec<u8>,
    table: &'o mut Vec<Reference>,
    depth: u32,
    root: &'s str,
    steps: Vec<Step<'s>>,
}

impl<'s, 'o> Sink<'s, 'o> {
    fn new(
        schema: &'s SchemaDoc,
        root: &'s str,
        out: &'o mut Vec<u8>,
        table: &'o mut Vec<Reference>,
    ) -> Self {
        Self { schema, out, table, depth: ENCODE_DEPTH, root, steps: Vec::new() }
    }

    /// Recursive, since the depth is bounded before each step down.
    fn value(&mut self, ty: &'s Type, value: &Entity) -> Result {
        if let Some(inner) = self.schema.newtype(ty) {
            return self.below(|sink| sink.value(inner, value));
        }
        match self.schema.view(ty) {
            Ok(View::Option(inner)) => self.option(inner, value),
            Ok(View::Leaf(leaf)) => self.leaf(leaf, value),
            Ok(View::Unit | View::Empty) => self.unit(value),
            Ok(View::List(inner)) => self.list(inner, value),
            Ok(View::Array(len, inner)) => self.array(len, inner, value),
            Ok(View::Tuple(types)) => self.parts(types, value),
            Ok(View::Map(key, inner)) => self.map(key, inner, value),
            Ok(View::Record(fields, _)) => self.fields(fields, value),
            Ok(View::Enum(variants)) => self.variant(variants, value),
            Ok(View::Reference(_)) => self.reference(value),
            Err(error) => self.fail(error),
        }
    }

    fn option(&mut self, inner: &'s Type, value: &Entity) -> Result {
        if *value == Entity::Null {
            self.out.push(0);
            return Ok(());
        }
        let held = match value {
            Entity::Tagged { tag, value: held } if tag == SOME && is_marked(held) => held,
            _ => value,
        };
        self.out.push(1);
        self.below(|sink| sink.value(inner, held))
    }

    fn unit(&mut self, value: &Entity) -> Result {
        if *value == Entity::Null { Ok(()) } else { self.wrong("null", value) }
    }

    fn reference(&mut self, value: &Entity) -> Result {
        let Entity::Reference(reference) = value else {
            return self.wrong("a reference", value);
        };
        match index_in(self.table, reference) {
            Ok(index) => {
                put_u64(self.out, index);
                Ok(())
            }
            Err(error) => self.fail(error),
        }
    }

    fn below(&mut self, write: impl FnOnce(&mut Self) -> Result) -> Result {
        let Some(depth) = self.depth.checked_sub(1) else {
            return self.fail(crate::EncodeError::Depth);
        };
        self.depth = depth;
        write(self)?;
        self.depth += 1;
        Ok(())
    }

    /// A part that is one step away.
    fn part(&mut self, step: Step<'s>, ty: &'s Type, value: &Entity) -> Result {
        self.steps.push(step);
        self.value(ty, value)?;
        self.steps.pop();
        Ok(())
    }

    #[cold]
    fn fail(&self, what: impl Display) -> Result {
        Err(Difference::new(self.root, &self.steps, what))
    }

    /// A value of another kind than `due`.
    #[cold]
    fn wrong(&self, due: &str, value: &Entity) -> Result {
        self.fail(format_args!("{due} is due, there is {}", named(value)))
    }
}

/// The kind of a value with its article.
fn named(value: &Entity) -> &'static str {
    match value {
        Entity::Null => "null",
        Entity::Bool(_) => "a bool",
        Entity::Int(_) => "an int",
        Entity::F32(_) | Entity::F64(_) => "a float",
        Entity::Text(_) => "text",
        Entity::Bytes(_) => "bytes",
        Entity::List(_) => "a list",
        Entity::Map(_) => "a map",
        Entity::Record { .. } => "a record",
        Entity::Tagged { .. } => "a tagged value",
        Entity::Time(_) => "a time",
        Entity::Reference(_) => "a reference",
    }
}

#[cfg(test)]
mod tests;
