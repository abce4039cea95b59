//! Schemas for people: `Pose { tool: text, t_ns: u64, m: [f32; 12] }`.
//!
//! The first line is the root, or its definition; a line for each further definition follows, and
//! one for each method of an interface. A method of which nobody awaits the answer has no arrow.
//! Names come from peers and are escaped.

use super::{Definition, Fields, Interface, Method, SchemaDoc, Shape, Type};
use std::fmt::{self, Display, Formatter};

impl Display for SchemaDoc {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let first = match self.root {
            Type::Named(index) => Some(index as usize),
            _ => None,
        };
        let writer = Writer { doc: self, inline: false };
        match first.and_then(|index| self.definitions.get(index)) {
            Some(definition) => writer.definition(f, definition)?,
            None => writer.ty(f, &self.root)?,
        }
        for (index, definition) in self.definitions.iter().enumerate() {
            if Some(index) != first {
                f.write_str("\n")?;
                writer.definition(f, definition)?;
            }
        }
        Ok(())
    }
}

impl SchemaDoc {
    /// A method in one line: `poses(hz: u16) -> stream Pose { tool: text, at: Time }`.
    ///
    /// The structures and enums that it mentions are written out, and what they consist of are
    /// names. So are interfaces.
    pub fn signature<'a>(&'a self, method: &'a Method) -> impl Display + 'a {
        Signature { doc: self, method }
    }
}

impl SchemaDoc {
    /// A type in one line, in which what is defined is a name: `[Pose]`.
    pub fn type_name<'a>(&'a self, ty: &'a Type) -> impl Display + 'a {
        Name { doc: self, ty, inline: false }
    }

    /// A type in one line, in which structures and enums are written out once:
    /// `[Pose { tool: text, at: Time }]`.
    pub fn type_text<'a>(&'a self, ty: &'a Type) -> impl Display + 'a {
        Name { doc: self, ty, inline: true }
    }

    /// A type by its name, with what it is where the name alone does not say that it is no
    /// structure.
    pub(super) fn described<'a>(&'a self, ty: &'a Type) -> impl Display + 'a {
        Described { doc: self, ty }
    }
}

struct Name<'a> {
    doc: &'a SchemaDoc,
    ty: &'a Type,
    inline: bool,
}

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Writer { doc: self.doc, inline: self.inline }.ty(f, self.ty)
    }
}

struct Described<'a> {
    doc: &'a SchemaDoc,
    ty: &'a Type,
}

impl Display for Described<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let writer = Writer { doc: self.doc, inline: false };
        let definition = match self.ty {
            Type::Named(index) => self.doc.definition(*index),
            _ => None,
        };
        match definition.map(|definition| &definition.shape) {
            Some(Shape::Struct(fields @ Fields::Tuple(_))) => {
                writer.ty(f, self.ty)?;
                return writer.fields(f, fields);
            }
            Some(Shape::Enum(_)) => f.write_str("enum ")?,
            Some(Shape::Interface(_)) => f.write_str("interface ")?,
            _ => {}
        }
        writer.ty(f, self.ty)
    }
}

struct Signature<'a> {
    doc: &'a SchemaDoc,
    method: &'a Method,
}

impl Display for Signature<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Writer { doc: self.doc, inline: true }.method(f, self.method)
    }
}

struct Writer<'a> {
    doc: &'a SchemaDoc,
    /// Whether a definition is written out where it is mentioned.
    inline: bool,
}

impl Writer<'_> {
    fn definition(&self, f: &mut Formatter<'_>, definition: &Definition) -> fmt::Result {
        let name = definition.name.escape_debug();
        match &definition.shape {
            Shape::Struct(fields) => {
                write!(f, "{name}")?;
                self.fields(f, fields)
            }
            Shape::Enum(variants) => {
                write!(f, "enum {name} {{ ")?;
                separated(f, variants, |f, variant| {
                    write!(f, "{}", variant.name.escape_debug())?;
                    self.fields(f, &variant.fields)
                })?;
                f.write_str(" }")
            }
            Shape::Interface(interface) => {
                write!(f, "interface {name} {{")?;
                self.methods(f, interface)
            }
        }
    }

    fn methods(&self, f: &mut Formatter<'_>, interface: &Interface) -> fmt::Result {
        for method in &interface.methods {
            f.write_str("\n  ")?;
            self.method(f, method)?;
        }
        f.write_str(if interface.methods.is_empty() { " }" } else { "\n}" })
    }

    fn method(&self, f: &mut Formatter<'_>, method: &Method) -> fmt::Result {
        write!(f, "{}(", method.name.escape_debug())?;
        separated(f, &method.params, |f, (name, ty)| self.named(f, name, ty))?;
        f.write_str(")")?;
        if method.one_way {
            return Ok(());
        }
        f.write_str(" -> ")?;
        self.ty(f, &method.result)
    }

    fn named(&self, f: &mut Formatter<'_>, name: &str, ty: &Type) -> fmt::Result {
        write!(f, "{}: ", name.escape_debug())?;
        self.ty(f, ty)
    }

    fn fields(&self, f: &mut Formatter<'_>, fields: &Fields) -> fmt::Result {
        match fields {
            Fields::Unit => Ok(()),
            Fields::Tuple(types) => self.tuple(f, types),
            Fields::Named { fields, .. } => {
                f.write_str(" { ")?;
                separated(f, fields, |f, field| self.named(f, &field.name, &field.ty))?;
                f.write_str(" }")
            }
        }
    }

    fn tuple(&self, f: &mut Formatter<'_>, types: &[Type]) -> fmt::Result {
        f.write_str("(")?;
        separated(f, types, |f, ty| self.ty(f, ty))?;
        f.write_str(")")
    }

    /// Recursive to the depth of the type itself, which decoding and compiling bound.
    fn ty(&self, f: &mut Formatter<'_>, ty: &Type) -> fmt::Result {
        match ty {
            Type::Option(inner) => {
                self.ty(f, inner)?;
                f.write_str("?")
            }
            Type::List(inner) => {
                f.write_str("[")?;
                self.ty(f, inner)?;
                f.write_str("]")
            }
            Type::Array(len, inner) => {
                f.write_str("[")?;
                self.ty(f, inner)?;
                write!(f, "; {len}]")
            }
            Type::Map(key, value) => {
                f.write_str("{")?;
                self.ty(f, key)?;
                f.write_str(": ")?;
                self.ty(f, value)?;
                f.write_str("}")
            }
            Type::Tuple(types) => self.tuple(f, types),
            Type::EntityStream(Some(inner)) => {
                f.write_str("stream ")?;
                self.ty(f, inner)
            }
            Type::Named(index) => self.reference(f, *index),
            leaf => f.write_str(word(leaf)),
        }
    }

    fn reference(&self, f: &mut Formatter<'_>, index: u32) -> fmt::Result {
        let Some(definition) = self.doc.definition(index) else { return write!(f, "#{index}") };
        if !self.inline || matches!(definition.shape, Shape::Interface(_)) {
            return write!(f, "{}", definition.name.escape_debug());
        }
        Writer { doc: self.doc, inline: false }.definition(f, definition)
    }
}

fn separated<T>(
    f: &mut Formatter<'_>,
    items: &[T],
    mut write: impl FnMut(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write(f, item)?;
    }
    Ok(())
}

const fn word(leaf: &Type) -> &'static str {
    match leaf {
        Type::Unit => "()",
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::U128 => "u128",
        Type::I8 => "i8",
        Type::I16 => "i16",
        Type::I32 => "i32",
        Type::I64 => "i64",
        Type::I128 => "i128",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::Text => "text",
        Type::Bytes => "bytes",
        Type::Reference => "object",
        Type::ByteStream => "byte stream",
        Type::EntityStream(None) => "stream any",
        _ => "any",
    }
}
