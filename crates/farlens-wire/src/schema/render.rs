//! Schemas for people: `Pose { tool: text, t_ns: u64, m: [f32; 12] }`.
//!
//! The first line is the root, or its definition; a line for each further definition follows.
//! Names come from peers and are escaped.

use super::{Definition, Fields, SchemaDoc, Shape, Type};
use std::fmt::{self, Display, Formatter};

impl Display for SchemaDoc {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let first = match self.root {
            Type::Named(index) => Some(index as usize),
            _ => None,
        };
        match first.and_then(|index| self.definitions.get(index)) {
            Some(definition) => self.definition_line(f, definition)?,
            None => self.typed(f, &self.root)?,
        }
        for (index, definition) in self.definitions.iter().enumerate() {
            if Some(index) != first {
                f.write_str("\n")?;
                self.definition_line(f, definition)?;
            }
        }
        Ok(())
    }
}

impl SchemaDoc {
    fn definition_line(&self, f: &mut Formatter<'_>, definition: &Definition) -> fmt::Result {
        let name = definition.name.escape_debug();
        match &definition.shape {
            Shape::Struct(fields) => {
                write!(f, "{name}")?;
                self.fields(f, fields)
            }
            Shape::Enum(variants) => {
                write!(f, "enum {name} {{ ")?;
                separated(f, variants, |f, (variant, fields)| {
                    write!(f, "{}", variant.escape_debug())?;
                    self.fields(f, fields)
                })?;
                f.write_str(" }")
            }
        }
    }

    fn fields(&self, f: &mut Formatter<'_>, fields: &Fields) -> fmt::Result {
        match fields {
            Fields::Unit => Ok(()),
            Fields::Tuple(types) => self.tuple(f, types),
            Fields::Named(fields) => {
                f.write_str(" { ")?;
                separated(f, fields, |f, (name, ty)| {
                    write!(f, "{}: ", name.escape_debug())?;
                    self.typed(f, ty)
                })?;
                f.write_str(" }")
            }
        }
    }

    fn tuple(&self, f: &mut Formatter<'_>, types: &[Type]) -> fmt::Result {
        f.write_str("(")?;
        separated(f, types, |f, ty| self.typed(f, ty))?;
        f.write_str(")")
    }

    /// Recursive to the depth of the type itself, which decoding and compiling bound.
    fn typed(&self, f: &mut Formatter<'_>, ty: &Type) -> fmt::Result {
        match ty {
            Type::Option(inner) => {
                self.typed(f, inner)?;
                f.write_str("?")
            }
            Type::List(inner) => {
                f.write_str("[")?;
                self.typed(f, inner)?;
                f.write_str("]")
            }
            Type::Array(len, inner) => {
                f.write_str("[")?;
                self.typed(f, inner)?;
                write!(f, "; {len}]")
            }
            Type::Map(key, value) => {
                f.write_str("{")?;
                self.typed(f, key)?;
                f.write_str(": ")?;
                self.typed(f, value)?;
                f.write_str("}")
            }
            Type::Tuple(types) => self.tuple(f, types),
            Type::Named(index) => match self.definition(*index) {
                Some(definition) => write!(f, "{}", definition.name.escape_debug()),
                None => write!(f, "#{index}"),
            },
            leaf => f.write_str(word(leaf)),
        }
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
        _ => "any",
    }
}
