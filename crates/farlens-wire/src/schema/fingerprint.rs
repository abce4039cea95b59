//! The canonical encoding of a schema, and its hash.
//!
//! A document is the byte 01, the root type, and a count of definitions, each a name and a shape.
//! A type is a tag byte and its parameters; a shape is 00 and fields, 01 and a count of variants,
//! each a name and fields, or 02 and an interface. Fields are 00 for none, 01 and a count of types,
//! or 02 and a count of names with types. An interface is its documentation and a count of methods:
//! each its name, its documentation, 01 if it is one way and 00 if not, a count of names with types
//! and the type of the result. Numbers and names are as in the entity format.
//!
//! What is hashed is the same with every documentation left empty.

use super::{Definition, Field, Fields, Interface, Method, SchemaDoc, Shape, Type, Variant};
use crate::entity::repeats;
use crate::read::{Reader, put_bytes, put_u64};
use crate::{Budget, DecodeError, Limits};
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
        doc.put(&mut Sink { out: &mut bytes, documented: false });
        let hash = Sha256::digest(&bytes);
        doc.fingerprint.0.iter_mut().zip(hash).for_each(|(place, byte)| *place = byte);
        doc
    }

    /// The document of a type that is described by hand, with what only readers know.
    ///
    /// # Errors
    /// What [`SchemaDoc::decode`] refuses, within the default limits.
    pub fn from_parts(root: Type, definitions: Vec<Definition>) -> Result<Self, DecodeError> {
        let doc = Self::new(root, definitions);
        let mut bytes = Vec::new();
        doc.encode(&mut bytes);
        Self::decode(&bytes, &mut Budget::new(&Limits::default()))?;
        Ok(doc)
    }

    /// Appends the canonical encoding.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.put(&mut Sink { out, documented: true });
    }

    fn put(&self, sink: &mut Sink<'_>) {
        sink.out.push(VERSION);
        sink.ty(&self.root);
        sink.count(self.definitions.len());
        for definition in &self.definitions {
            sink.text(&definition.name);
            sink.shape(&definition.shape);
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
const LEAVES: [Type; 21] = [
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
    Type::Reference,
    Type::ByteStream,
    Type::EntityStream(None),
];
const OPTION: u8 = 0x20;
const LIST: u8 = 0x21;
const ARRAY: u8 = 0x22;
const MAP: u8 = 0x23;
const TUPLE: u8 = 0x24;
const NAMED: u8 = 0x25;
const ENTITY_STREAM: u8 = 0x26;

/// Where the encoding goes.
struct Sink<'o> {
    out: &'o mut Vec<u8>,
    /// Whether documentation is written, or left empty.
    documented: bool,
}

impl Sink<'_> {
    fn ty(&mut self, ty: &Type) {
        match ty {
            Type::Option(inner) => self.around(OPTION, inner),
            Type::List(inner) => self.around(LIST, inner),
            Type::EntityStream(Some(inner)) => self.around(ENTITY_STREAM, inner),
            Type::Array(len, inner) => {
                self.out.push(ARRAY);
                put_u64(self.out, u64::from(*len));
                self.ty(inner);
            }
            Type::Map(key, value) => {
                self.around(MAP, key);
                self.ty(value);
            }
            Type::Tuple(types) => {
                self.out.push(TUPLE);
                self.types(types);
            }
            Type::Named(index) => {
                self.out.push(NAMED);
                put_u64(self.out, u64::from(*index));
            }
            leaf => {
                let tag = LEAVES.iter().position(|other| other == leaf);
                self.out.push(tag.expect("every other type is a leaf") as u8);
            }
        }
    }

    fn around(&mut self, tag: u8, inner: &Type) {
        self.out.push(tag);
        self.ty(inner);
    }

    fn types(&mut self, types: &[Type]) {
        self.count(types.len());
        types.iter().for_each(|ty| self.ty(ty));
    }

    fn shape(&mut self, shape: &Shape) {
        match shape {
            Shape::Struct(fields) => {
                self.out.push(0);
                self.fields(fields);
            }
            Shape::Enum(variants) => {
                self.out.push(1);
                self.count(variants.len());
                for variant in variants {
                    self.text(&variant.name);
                    self.fields(&variant.fields);
                }
            }
            Shape::Interface(interface) => {
                self.out.push(2);
                self.documentation(&interface.doc);
                self.count(interface.methods.len());
                interface.methods.iter().for_each(|method| self.method(method));
            }
        }
    }

    fn fields(&mut self, fields: &Fields) {
        match fields {
            Fields::Unit => self.out.push(0),
            Fields::Tuple(types) => {
                self.out.push(1);
                self.types(types);
            }
            Fields::Named { fields, .. } => {
                self.out.push(2);
                self.count(fields.len());
                fields.iter().for_each(|field| self.named(&field.name, &field.ty));
            }
        }
    }

    fn method(&mut self, method: &Method) {
        self.text(&method.name);
        self.documentation(&method.doc);
        self.out.push(u8::from(method.one_way));
        self.count(method.params.len());
        method.params.iter().for_each(|(name, ty)| self.named(name, ty));
        self.ty(&method.result);
    }

    fn named(&mut self, name: &str, ty: &Type) {
        self.text(name);
        self.ty(ty);
    }

    fn count(&mut self, count: usize) {
        put_u64(self.out, count as u64);
    }

    fn text(&mut self, text: &str) {
        put_bytes(self.out, text.as_bytes());
    }

    fn documentation(&mut self, text: &str) {
        self.text(if self.documented { text } else { "" });
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
            ENTITY_STREAM => Type::EntityStream(Some(self.boxed()?)),
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
                let variants = self.many(Self::variant)?;
                distinct(variants.iter().map(|variant| variant.name.as_str()))?;
                Ok(Shape::Enum(variants))
            }
            2 => self.interface().map(Shape::Interface),
            _ => Err(DecodeError::BadTag),
        }
    }

    fn variant(&mut self) -> Result<Variant, DecodeError> {
        Ok(Variant::new(self.name()?, self.fields()?))
    }

    fn fields(&mut self) -> Result<Fields, DecodeError> {
        match self.input.byte()? {
            0 => Ok(Fields::Unit),
            1 => self.many(Self::take_type).map(Fields::Tuple),
            2 => {
                let fields = self.many(Self::field)?;
                distinct(fields.iter().map(|field| field.name.as_str()))?;
                Ok(Fields::named(fields))
            }
            _ => Err(DecodeError::BadTag),
        }
    }

    fn field(&mut self) -> Result<Field, DecodeError> {
        Ok(Field::new(self.name()?, self.take_type()?))
    }

    fn interface(&mut self) -> Result<Interface, DecodeError> {
        let doc = self.name()?;
        let methods = self.many(Self::method)?;
        distinct(methods.iter().map(|method| method.name.as_str()))?;
        Ok(Interface { doc, methods })
    }

    fn method(&mut self) -> Result<Method, DecodeError> {
        let (name, doc) = (self.name()?, self.name()?);
        let one_way = match self.input.byte()? {
            0 => false,
            1 => true,
            _ => return Err(DecodeError::BadBool),
        };
        let params = self.many(|source| Ok((source.name()?, source.take_type()?)))?;
        distinct(params.iter().map(|(name, _)| name.as_str()))?;
        Ok(Method { name, doc, params, result: self.take_type()?, one_way })
    }
}
