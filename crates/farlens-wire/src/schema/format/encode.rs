//! Writing documents.

use super::{ARRAY, ENTITY_STREAM, LEAVES, LIST, MAP, NAMED, OPTION, TUPLE, VERSION};
use crate::read::{put_bytes, put_u64};
use crate::schema::{Fields, Method, SchemaDoc, Shape, Type};

impl SchemaDoc {
    /// Appends the canonical encoding.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.put(&mut Sink { out, documented: true });
    }

    pub(in crate::schema) fn put(&self, sink: &mut Sink<'_>) {
        sink.out.push(VERSION);
        sink.ty(&self.root);
        sink.count(self.definitions.len());
        for definition in &self.definitions {
            sink.text(&definition.name);
            sink.shape(&definition.shape);
        }
    }
}

/// Where the encoding goes.
pub(in crate::schema) struct Sink<'o> {
    pub(in crate::schema) out: &'o mut Vec<u8>,
    /// Whether documentation is written, or left empty.
    pub(in crate::schema) documented: bool,
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
