//! The canonical encoding of a schema.
//!
//! A document is the byte 01, the root type, and a count of definitions, each a name and a shape.
//! A type is a tag byte and its parameters; a shape is 00 and fields, 01 and a count of variants,
//! each a name and fields, or 02 and an interface. Fields are 00 for none, 01 and a count of types,
//! or 02 and a count of names with types. An interface is its documentation and a count of methods:
//! each its name, its documentation, 01 if it is one way and 00 if not, a count of names with types
//! and the type of the result. Numbers and names are as in the entity format.
//!
//! What is hashed is the same with every documentation left empty.

mod decode;
mod encode;

pub(super) use encode::Sink;

use super::Type;

/// The version of this encoding.
const VERSION: u8 = 1;

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
