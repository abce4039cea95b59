//! Which types can be read as untyped values.

use super::Side;
use crate::schema::view::View;
use crate::schema::{Definition, Fields, SchemaDoc, Shape, Type};

/// Whether every value of the type can be an untyped one.
pub(super) fn fits_untyped(side: Side<'_>) -> bool {
    let mut types = vec![side.ty];
    let mut seen = vec![false; side.doc.definitions().len()];
    while let Some(ty) = types.pop() {
        match ty {
            Type::U128 => return false,
            Type::Option(inner) | Type::List(inner) | Type::Array(_, inner) => types.push(inner),
            Type::Tuple(parts) => types.extend(parts),
            Type::Map(key, _) if !has_plain_keys(side.doc, key) => return false,
            Type::Map(key, value) => types.extend([&**key, &**value]),
            Type::Named(index) => {
                let seen = seen.get_mut(*index as usize);
                if seen.is_some_and(|seen| !std::mem::replace(seen, true)) {
                    types.extend(side.doc.definition(*index).into_iter().flat_map(parts_of));
                }
            }
            _ => {}
        }
    }
    true
}

/// The types of which a value of the definition consists.
fn parts_of(definition: &Definition) -> Vec<&Type> {
    match &definition.shape {
        Shape::Struct(fields) => types_of(fields),
        Shape::Enum(variants) => variants.iter().flat_map(|v| types_of(&v.fields)).collect(),
        Shape::Interface(_) => Vec::new(),
    }
}

fn types_of(fields: &Fields) -> Vec<&Type> {
    match fields {
        Fields::Unit => Vec::new(),
        Fields::Tuple(types) => types.iter().collect(),
        Fields::Named { fields, .. } => fields.iter().map(|field| &field.ty).collect(),
    }
}

/// Whether different keys are different untyped ones, which NaN is not.
fn has_plain_keys(doc: &SchemaDoc, key: &Type) -> bool {
    let view = match doc.view(key) {
        Ok(View::Option(inner)) => doc.view(inner),
        view => view,
    };
    !matches!(view, Ok(View::Leaf(Type::F32 | Type::F64)))
}
