//! Random types and random values of them.

use crate::tape::Tape;
use farlens_wire::schema::{Definition, Field, Fields, SchemaDoc, Shape, Type, Variant};
use farlens_wire::{Entity, typed};
use serde::Serialize;

pub(crate) const NUMBERS: [Type; 12] = [
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
];

const OTHERS: [Type; 9] = [
    Type::Bool,
    Type::Char,
    Type::Text,
    Type::Bytes,
    Type::Any,
    Type::Unit,
    Type::Reference,
    Type::ByteStream,
    Type::EntityStream(None),
];

pub(crate) fn leaf(tape: &mut Tape<'_>) -> Type {
    let at = tape.below(NUMBERS.len() + OTHERS.len());
    NUMBERS.iter().chain(&OTHERS).nth(at).cloned().unwrap_or(Type::Unit)
}

/// A document of up to five definitions, which may contain each other and themselves where a value
/// can end.
pub(crate) fn schema(tape: &mut Tape<'_>) -> SchemaDoc {
    let mut maker = Maker { count: 1 + tape.below(5) as u32 };
    let root = maker.ty(0, 3, tape);
    let definitions = (0..maker.count).map(|index| maker.definition(index, tape)).collect();
    SchemaDoc::from_parts(root, definitions).expect("it is valid")
}

struct Maker {
    count: u32,
}

impl Maker {
    fn definition(&mut self, index: u32, tape: &mut Tape<'_>) -> Definition {
        let shape = match tape.below(4) {
            0..=2 => Shape::Struct(self.fields(index + 1, tape)),
            _ => {
                let variants = 1 + tape.below(4);
                let variant = |at| Variant::new(format!("V{at}"), self.fields(index + 1, tape));
                Shape::Enum((0..variants).map(variant).collect())
            }
        };
        Definition { name: format!("D{index}"), shape }
    }

    fn fields(&mut self, from: u32, tape: &mut Tape<'_>) -> Fields {
        match tape.below(6) {
            0 => Fields::Unit,
            1 => Fields::Tuple(vec![self.ty(from, 2, tape)]),
            2 => Fields::Tuple((0..tape.below(4)).map(|_| self.ty(from, 2, tape)).collect()),
            _ => {
                let count = tape.below(4);
                let field = |at| Field::new(format!("f{at}"), self.ty(from, 2, tape));
                Fields::named((0..count).map(field).collect())
            }
        }
    }

    /// A type that contains definitions before `from` only where a value can do without them.
    fn ty(&mut self, from: u32, depth: u32, tape: &mut Tape<'_>) -> Type {
        if depth == 0 {
            return leaf(tape);
        }
        let depth = depth - 1;
        match tape.below(12) {
            0 => Type::Option(Box::new(self.ty(0, depth, tape))),
            1 | 2 => Type::List(Box::new(self.ty(0, depth, tape))),
            3 => Type::Array(tape.below(4) as u32, Box::new(self.ty(from, depth, tape))),
            4 => Type::Tuple((0..tape.below(4)).map(|_| self.ty(from, depth, tape)).collect()),
            5 => {
                let keys = [Type::U16, Type::I32, Type::Text, Type::Char, pair()];
                let key = keys[tape.below(keys.len())].clone();
                Type::Map(Box::new(key), Box::new(self.ty(0, depth, tape)))
            }
            6..=8 if from < self.count => {
                Type::Named(from + tape.below((self.count - from) as usize) as u32)
            }
            _ => leaf(tape),
        }
    }
}

fn pair() -> Type {
    Type::Tuple(vec![Type::U8, Type::U8])
}

/// The encoding of a value of the root type.
pub(crate) fn value(doc: &SchemaDoc, tape: &mut Tape<'_>) -> Vec<u8> {
    let mut writer = Writer { doc, out: Vec::new(), tape };
    writer.value(doc.root(), 12);
    writer.out
}

struct Writer<'d, 't, 'a> {
    doc: &'d SchemaDoc,
    out: Vec<u8>,
    tape: &'t mut Tape<'a>,
}

impl<'d> Writer<'d, '_, '_> {
    fn put<T: Serialize>(&mut self, value: T) {
        typed::encode(&value, &mut self.out).expect("it can be encoded");
    }

    /// How many elements come, none once it is deep.
    fn count(&mut self, depth: u32) -> usize {
        if depth == 0 || self.tape.is_over() { 0 } else { self.tape.below(4) }
    }

    fn value(&mut self, ty: &'d Type, depth: u32) {
        let inner = depth.saturating_sub(1);
        match ty {
            Type::Option(ty) => {
                let present = self.count(depth) > 1;
                self.put(present);
                if present {
                    self.value(ty, inner);
                }
            }
            Type::List(ty) => {
                let count = self.count(depth);
                self.put(count as u64);
                (0..count).for_each(|_| self.value(ty, inner));
            }
            Type::Array(len, ty) => (0..*len).for_each(|_| self.value(ty, inner)),
            Type::Tuple(types) => types.iter().for_each(|ty| self.value(ty, inner)),
            Type::Map(key, value) => self.map(key, value, depth),
            Type::Named(index) => match &self.doc.definitions()[*index as usize].shape {
                Shape::Struct(fields) => self.fields(fields, inner),
                Shape::Enum(variants) => {
                    let index = self.tape.below(variants.len());
                    self.put(index as u32);
                    self.fields(&variants[index].fields, inner);
                }
                Shape::Interface(_) => self.reference(),
            },
            leaf => self.leaf(leaf),
        }
    }

    /// Up to two entries with different keys.
    fn map(&mut self, key: &'d Type, value: &'d Type, depth: u32) {
        let count = self.count(depth).min(2);
        self.put(count as u64);
        for at in 0..count as u8 {
            match key {
                Type::U16 => self.put(u16::from(at) * 300),
                Type::I32 => self.put(i32::from(at) - 1),
                Type::Text => self.put(format!("key {at}")),
                Type::Char => self.put(char::from(b'a' + at)),
                _ => self.put((at, 7u8)),
            }
            self.value(value, depth.saturating_sub(1));
        }
    }

    fn fields(&mut self, fields: &'d Fields, depth: u32) {
        match fields {
            Fields::Unit => {}
            Fields::Tuple(types) => types.iter().for_each(|ty| self.value(ty, depth)),
            Fields::Named { fields, .. } => {
                fields.iter().for_each(|field| self.value(&field.ty, depth));
            }
        }
    }

    fn reference(&mut self) {
        let index = self.tape.below(3) as u32;
        self.put(index);
    }

    fn leaf(&mut self, leaf: &Type) {
        let number = self.tape.number();
        match leaf {
            Type::Bool => self.put(number % 2 == 1),
            Type::U8 => self.put(number as u8),
            Type::U16 => self.put(number as u16),
            Type::U32 => self.put(number as u32),
            Type::U64 => self.put(number as u64),
            // No untyped value holds more.
            Type::U128 => self.put(number >> 1),
            Type::I8 => self.put(number as i8),
            Type::I16 => self.put(number as i16),
            Type::I32 => self.put(number as i32),
            Type::I64 => self.put(number as i64),
            Type::I128 => self.put(number as i128),
            Type::F32 => self.put(f32::from_bits(number as u32)),
            Type::F64 => self.put(f64::from_bits(number as u64)),
            Type::Char => self.put(char::from(number as u8)),
            Type::Text => {
                let word = self.tape.word();
                self.put(word);
            }
            Type::Bytes => self.put(bytes::Bytes::copy_from_slice(&number.to_le_bytes()[..2])),
            Type::Any => {
                let any = self.any();
                self.put(any);
            }
            Type::Reference | Type::ByteStream | Type::EntityStream(_) => self.reference(),
            _ => {}
        }
    }

    fn any(&mut self) -> Entity {
        match self.tape.below(6) {
            0 => Entity::Null,
            1 => Entity::Int(self.tape.number() as i128),
            2 => self.tape.word().into(),
            3 => Entity::tagged("Some", Entity::Null),
            4 => Entity::tagged("Some", 5u8),
            _ => Entity::record("R", [("a", Entity::list([1u8, 2])), ("b", Entity::Time(1))]),
        }
    }
}
