//! A type as whoever reads or writes a value of it sees it: through definitions and newtypes.

use super::{Definition, Field, Fields, Interface, SchemaDoc, Shape, Type, Variant};
use crate::DecodeError;

/// Newtypes within each other through which a type is looked up.
const NEWTYPES_MAX: usize = 64;

/// What a value of a type consists of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum View<'s> {
    /// A bool, a number, a character, text, bytes or an untyped value.
    Leaf(&'s Type),
    /// Nothing.
    Unit,
    /// A structure without fields.
    Empty,
    /// Perhaps one value.
    Option(&'s Type),
    /// Any number of values.
    List(&'s Type),
    /// So many values.
    Array(u32, &'s Type),
    /// One value of each type.
    Tuple(&'s [Type]),
    /// Pairs of keys and values.
    Map(&'s Type, &'s Type),
    /// Values with names, and whether a reader refuses others.
    Record(&'s [Field], bool),
    /// One of several forms.
    Enum(&'s [Variant]),
    /// An index into the table of references.
    Reference(Target<'s>),
}

/// What a reference points at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target<'s> {
    /// An object of any interface.
    Object,
    /// An object of this one.
    Interface(&'s Interface),
    /// A stream of bytes.
    Bytes,
    /// A stream of entities, of which the type may be known.
    Entities(Option<&'s Type>),
}

impl SchemaDoc {
    /// What a value of `ty` consists of. A structure of one unnamed field stands for that field.
    ///
    /// # Errors
    /// [`DecodeError::BadTag`] for a definition that does not exist, [`DecodeError::Depth`] for a
    /// newtype around itself.
    #[inline]
    pub(crate) fn view<'s>(&'s self, mut ty: &'s Type) -> Result<View<'s>, DecodeError> {
        for _ in 0..NEWTYPES_MAX {
            let Type::Named(index) = ty else { return Ok(plain(ty)) };
            let definition = self.definition(*index).ok_or(DecodeError::BadTag)?;
            match inside(definition) {
                Ok(newtype) => ty = newtype,
                Err(view) => return Ok(view),
            }
        }
        Err(DecodeError::Depth)
    }

    /// What a value of `ty` is, if that is a structure of one unnamed field.
    pub(crate) fn newtype(&self, ty: &Type) -> Option<&Type> {
        let Type::Named(index) = ty else { return None };
        inside(self.definition(*index)?).ok()
    }

    /// Whether `ty` is one byte that is a number, so that a run of values is as good as bytes.
    #[inline]
    pub(crate) fn is_byte(&self, ty: &Type) -> bool {
        matches!(self.view(ty), Ok(View::Leaf(Type::U8)))
    }
}

/// What the definition of a newtype holds, or else what a value of it consists of.
#[inline]
fn inside(definition: &Definition) -> Result<&Type, View<'_>> {
    Err(match &definition.shape {
        Shape::Struct(Fields::Tuple(types)) if types.len() == 1 => return Ok(&types[0]),
        Shape::Struct(Fields::Tuple(types)) => View::Tuple(types),
        Shape::Struct(Fields::Unit) => View::Empty,
        Shape::Struct(Fields::Named { fields, closed }) => View::Record(fields, *closed),
        Shape::Enum(variants) => View::Enum(variants),
        Shape::Interface(interface) => View::Reference(Target::Interface(interface)),
    })
}

#[inline]
fn plain(ty: &Type) -> View<'_> {
    match ty {
        Type::Unit => View::Unit,
        Type::Option(inner) => View::Option(inner),
        Type::List(inner) => View::List(inner),
        Type::Array(len, inner) => View::Array(*len, inner),
        Type::Tuple(types) => View::Tuple(types),
        Type::Map(key, value) => View::Map(key, value),
        Type::Reference => View::Reference(Target::Object),
        Type::ByteStream => View::Reference(Target::Bytes),
        Type::EntityStream(of) => View::Reference(Target::Entities(of.as_deref())),
        leaf => View::Leaf(leaf),
    }
}
