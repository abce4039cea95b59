//! The canonical encoding of a schema, and its hash.
//!
//! A document is the byte 01, the root type, and a count of definitions, each a name and a shape.
//! A type is a tag byte and its parameters; a shape is 00 and fields, or 01 and a count of
//! variants, each a name and fields; fields are 00 for none, 01 and a count of types, or 02 and a
//! count of names with types. Numbers and names are as in the entity format.

use super::{Definition, Fields, SchemaDoc, Shape, Type};
use crate::entity::repeats;
use crate::read::{Reader, put_bytes, put_u64};
use crate::{Budget, DecodeError};
use sha2::{Digest, Sha256};
use std::fmt;
use std::mem::size_of;

/// The version of this encoding.
const VERSION: u8 = 1;

/// The first 16 bytes of the SHA-256 of a schema's encoding. Equal ones mean equal types.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "a fingerprint is 16 bytes and stays that")]
pub struct Fingerprint(pub [u8; 16]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SchemaDoc {
    pub(super) fn new(root: Type, definitions: Vec<Definition>) -> Self {
        let mut doc = Self { root, definitions, fingerprint: Fingerprint([0; 16]) };
        let mut bytes = Vec::new();
        doc.encode(&mut bytes);
        let hash = Sha256::digest(&bytes);
        doc.fingerprint.0.iter_mut().zip(hash).for_each(|(place, byte)| *place = byte);
        doc
    }

    /// Appends the canonical encoding.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        put_type(out, &self.root);
        put_u64(out, self.definitions.len() as u64);
        for definition in &self.definitions {
            put_bytes(out, definition.name.as_bytes());
            put_shape(out, &definition.shape);
        }
    }

    /// Decodes a document that takes up all of `bytes`.
    ///
    /// # Errors
    /// What [`DecodeError`] lists: also for names that occur twice, and
    /// [`DecodeError::BadTag`] for a reference to a definition that does not exist.
    pub fn decode(bytes: &[u8], budget: &mut Budget) -> Result<Self, DecodeError> {
        let mut source = Source { input: Reader::new(bytes), budget, named: 0 };
        if source.input.byte()? != VERSION {
            return Err(DecodeError::BadTag);
        }
        let root = source.take_type()?;
        let definitions = source.many(Source::definition)?;
        source.input.finish()?;
        if source.named as usize > definitions.len() {
            return Err(DecodeError::BadTag);
        }
        distinct(definitions.iter().map(|definition| definition.name.as_str()))?;
        Ok(Self::new(root, definitions))
    }
}

/// The types without parameters; their place is their tag.
const LEAVES: [Type; 18] = [
    Type::Unit,
    Type::Bool,
    Type::U8,
    Type::U16,
    Type::U32,
    Type::U64,
    Type::U128,
    Type::I8,
    Type::I16,
    Type::I32,
    Type::I64,
    Type::I128,
    Type::F32,
    Type::F64,
    Type::Char,
    Type::Text,
    Type::Bytes,
    Type::Any,
];
const OPTION: u8 = 0x20;
const LIST: u8 = 0x21;
const ARRAY: u8 = 0x22;
const MAP: u8 = 0x23;
const TUPLE: u8 = 0x24;
const NAMED: u8 = 0x25;

fn put_type(out: &mut Vec<u8>, ty: &Type) {
    match ty {
        Type::Option(inner) => {
            out.push(OPTION);
            put_type(out, inner);
        }
        Type::List(inner) => {
            out.push(LIST);
            put_type(out, inner);
        }
        Type::Array(len, inner) => {
            out.push(ARRAY);
            put_u64(out, u64::from(*len));
            put_type(out, inner);
        }
        Type::Map(key, value) => {
            out.push(MAP);
            put_type(out, key);
            put_type(out, value);
        }
        Type::Tuple(types) => {
            out.push(TUPLE);
            put_types(out, types);
        }
        Type::Named(index) => {
            out.push(NAMED);
            put_u64(out, u64::from(*index));
        }
        leaf => {
            let tag = LEAVES.iter().position(|other| other == leaf);
            out.push(tag.expect("every other type is a leaf") as u8);
        }
    }
}

fn put_types(out: &mut Vec<u8>, types: &[Type]) {
    put_u64(out, types.len() as u64);
    types.iter().for_each(|ty| put_type(out, ty));
}

fn put_shape(out: &mut Vec<u8>, shape: &Shape) {
    match shape {
        Shape::Struct(fields) => {
            out.push(0);
            put_fields(out, fields);
        }
        Shape::Enum(variants) => {
            out.push(1);
            put_u64(out, variants.len() as u64);
            for (name, fields) in variants {
                put_bytes(out, name.as_bytes());
                put_fields(out, fields);
            }
        }
    }
}

fn put_fields(out: &mut Vec<u8>, fields: &Fields) {
    match fields {
        Fields::Unit => out.push(0),
        Fields::Tuple(types) => {
            out.push(1);
            put_types(out, types);
        }
        Fields::Named(fields) => {
            out.push(2);
            put_u64(out, fields.len() as u64);
            for (name, ty) in fields {
                put_bytes(out, name.as_bytes());
                put_type(out, ty);
            }
        }
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Result<(), DecodeError> {
    if repeats(names) { Err(DecodeError::DuplicateKey) } else { Ok(()) }
}

/// The rest of a document.
struct Source<'a, 'b> {
    input: Reader<'a>,
    budget: &'b mut Budget,
    /// One more than the largest definition referred to.
    named: u32,
}

impl Source<'_, '_> {
    fn name(&mut self) -> Result<String, DecodeError> {
        let text = self.input.text()?;
        self.budget.spend_cost(text.len())?;
        Ok(text.to_owned())
    }

    /// A count of things, of which each takes at least one byte.
    fn many<T>(
        &mut self,
        take: fn(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.input.length()?;
        self.budget.spend_elements(count as u64)?;
        if count > self.input.left() {
            return Err(DecodeError::LengthBeyondInput);
        }
        self.budget.spend_costs(count, size_of::<T>())?;
        let mut things = Vec::with_capacity(count);
        for _ in 0..count {
            things.push(take(self)?);
        }
        Ok(things)
    }

    /// Recursive, since the depth is bounded before each step down.
    fn take_type(&mut self) -> Result<Type, DecodeError> {
        let tag = self.input.byte()?;
        if let Some(leaf) = LEAVES.get(usize::from(tag)) {
            return Ok(leaf.clone());
        }
        if tag == NAMED {
            return self.reference();
        }
        self.budget.enter()?;
        let ty = match tag {
            OPTION => Type::Option(self.boxed()?),
            LIST => Type::List(self.boxed()?),
            ARRAY => Type::Array(self.u32()?, self.boxed()?),
            MAP => Type::Map(self.boxed()?, self.boxed()?),
            TUPLE => Type::Tuple(self.many(Self::take_type)?),
            _ => return Err(DecodeError::BadTag),
        };
        self.budget.leave();
        Ok(ty)
    }

    fn boxed(&mut self) -> Result<Box<Type>, DecodeError> {
        self.budget.spend_cost(size_of::<Type>())?;
        self.take_type().map(Box::new)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.input.u64()?).map_err(|_| DecodeError::NotCanonical)
    }

    fn reference(&mut self) -> Result<Type, DecodeError> {
        let index = self.u32()?;
        self.named = self.named.max(index.checked_add(1).ok_or(DecodeError::BadTag)?);
        Ok(Type::Named(index))
    }

    fn definition(&mut self) -> Result<Definition, DecodeError> {
        Ok(Definition { name: self.name()?, shape: self.shape()? })
    }

    fn shape(&mut self) -> Result<Shape, DecodeError> {
        match self.input.byte()? {
            0 => self.fields().map(Shape::Struct),
            1 => {
                let variants = self.many(|source| Ok((source.name()?, source.fields()?)))?;
                distinct(variants.iter().map(|(name, _)| name.as_str()))?;
                Ok(Shape::Enum(variants))
            }
            _ => Err(DecodeError::BadTag),
        }
    }

    fn fields(&mut self) -> Result<Fields, DecodeError> {
        match self.input.byte()? {
            0 => Ok(Fields::Unit),
            1 => self.many(Self::take_type).map(Fields::Tuple),
            2 => {
                let fields = self.many(|source| Ok((source.name()?, source.take_type()?)))?;
                distinct(fields.iter().map(|(name, _)| name.as_str()))?;
                Ok(Fields::Named(fields))
            }
            _ => Err(DecodeError::BadTag),
        }
    }
}
