//! What was typed as what the parameters are: JSON has fewer kinds of values than schemas.
//!
//! Only what JSON cannot say is changed. Whether a value fits in the end is judged by the call.

use crate::json::parse_line;
use bytes::Bytes;
use farlens::{
    Entity,
    schema::{Field, Fields, SchemaDoc, Shape, Type, Variant},
};
use std::mem::take;

/// Types within each other that are looked through: more than JSON has levels, since one that has
/// no level of its own may contain itself.
const DEPTH: u32 = 256;

/// Text that was typed as it is. Bytes are its letters.
pub(super) fn text(doc: &SchemaDoc, ty: &Type, text: String) -> Entity {
    match is_bytes(doc, ty, DEPTH) {
        true => Entity::Bytes(Bytes::from(text)),
        false => Entity::Text(text),
    }
}

/// A value of JSON. Strings for bytes are base64, keys that are no text are in strings, and a
/// variant is `{"Name":content}` or `{"tag":"Name","value":content}`, as it is printed.
pub(super) fn json(doc: &SchemaDoc, ty: &Type, mut value: Entity) -> Entity {
    Fit { doc }.value(ty, &mut value, DEPTH);
    value
}

fn is_bytes(doc: &SchemaDoc, ty: &Type, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match ty {
        Type::Bytes => true,
        Type::List(inner) => **inner == Type::U8,
        Type::Option(inner) => is_bytes(doc, inner, depth),
        ty => newtype(doc, ty).is_some_and(|inner| is_bytes(doc, inner, depth)),
    }
}

/// What a structure of one unnamed field holds.
fn newtype<'d>(doc: &'d SchemaDoc, ty: &Type) -> Option<&'d Type> {
    match &doc.definition_of(ty)?.shape {
        Shape::Struct(Fields::Tuple(types)) if types.len() == 1 => types.first(),
        _ => None,
    }
}

struct Fit<'d> {
    doc: &'d SchemaDoc,
}

impl Fit<'_> {
    /// Recursive to a depth.
    fn value(&self, ty: &Type, value: &mut Entity, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else { return };
        match (ty, &mut *value) {
            (_, Entity::Text(text)) if is_bytes(self.doc, ty, depth) => {
                if let Some(bytes) = decode(text) {
                    *value = Entity::Bytes(bytes.into());
                }
            }
            (Type::Option(inner), value) => self.value(inner, value, depth),
            (Type::List(inner) | Type::Array(_, inner), Entity::List(items)) => {
                items.iter_mut().for_each(|item| self.value(inner, item, depth));
            }
            (Type::Tuple(types), value) => self.tuple(types.iter(), value, depth),
            (Type::Map(key, inner), Entity::Map(entries)) => {
                for (k, v) in entries {
                    self.key(key, k);
                    self.value(inner, v, depth);
                }
            }
            (Type::Map(key, inner), Entity::List(pairs)) => {
                pairs.iter_mut().for_each(|pair| self.tuple([&**key, inner], pair, depth));
            }
            (ty, value) => match self.doc.definition_of(ty).map(|definition| &definition.shape) {
                Some(Shape::Struct(fields)) => self.fields(fields, value, depth),
                Some(Shape::Enum(variants)) => self.variant(variants, value, depth),
                _ => {}
            },
        }
    }

    /// A key, which JSON has as a string only.
    fn key(&self, ty: &Type, key: &mut Entity) {
        let inner = newtype(self.doc, ty).unwrap_or(ty);
        let is_text = matches!(inner, Type::Text | Type::Char | Type::Any | Type::Named(_));
        let Entity::Text(text) = &*key else { return };
        if is_bytes(self.doc, inner, DEPTH) {
            self.value(inner, key, DEPTH);
        } else if !is_text && let Ok(value) = parse_line(text) {
            *key = value;
        }
    }

    /// What there is too much of stays as it is.
    fn tuple<'t>(&self, types: impl IntoIterator<Item = &'t Type>, value: &mut Entity, depth: u32) {
        if let Entity::List(items) = value {
            types.into_iter().zip(items).for_each(|(ty, item)| self.value(ty, item, depth));
        }
    }

    fn fields(&self, fields: &Fields, value: &mut Entity, depth: u32) {
        match fields {
            Fields::Unit => {}
            Fields::Tuple(types) => match types.as_slice() {
                [inner] => self.value(inner, value, depth),
                types => self.tuple(types, value, depth),
            },
            Fields::Named { fields, .. } => self.record(fields, value, depth),
        }
    }

    fn record(&self, fields: &[Field], value: &mut Entity, depth: u32) {
        let Entity::Map(entries) = value else { return };
        for (key, value) in entries {
            let is = |field: &&Field| matches!(&*key, Entity::Text(key) if *key == field.name);
            if let Some(field) = fields.iter().find(is) {
                self.value(&field.ty, value, depth);
            }
        }
    }

    fn variant(&self, variants: &[Variant], value: &mut Entity, depth: u32) {
        let Entity::Map(entries) = &mut *value else { return };
        let Some((tag, mut content)) = one_variant(entries) else { return };
        if let Some(variant) = variants.iter().find(|variant| variant.name == tag) {
            self.fields(&variant.fields, &mut content, depth);
        }
        *value = Entity::Tagged { tag, value: Box::new(content) };
    }
}

/// The variant and its content, in either form.
fn one_variant(entries: &mut [(Entity, Entity)]) -> Option<(String, Entity)> {
    match entries {
        [(Entity::Text(name), content)] => Some((take(name), take(content))),
        [(Entity::Text(a), Entity::Text(tag)), (Entity::Text(b), content)]
            if a == "tag" && b == "value" =>
        {
            Some((take(tag), take(content)))
        }
        _ => None,
    }
}

/// Bytes of base64 with its padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    let (body, padding) = match text.trim_end_matches('=') {
        body if body.len() + 2 >= text.len() => (body, text.len() - body.len()),
        _ => return None,
    };
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut held, mut bits) = (0u32, 0);
    for letter in body.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = (held << 6 | u32::from(value)) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    // What is left over are the bits that the padding stands for.
    (bits == padding * 2 && held & ((1 << bits) - 1) == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use farlens::schema::Definition;
    use farlens_wire::Base64;

    fn doc() -> SchemaDoc {
        let pose = Fields::named(vec![
            Field::new("raw", Type::Named(1)),
            Field::new("kind", Type::Option(Box::new(Type::Named(2)))),
        ]);
        let newtype = Fields::Tuple(vec![Type::Bytes]);
        let kinds = vec![
            Variant::new("Dot", Fields::Unit),
            Variant::new("Raw", Fields::Tuple(vec![Type::U8, Type::Bytes])),
        ];
        let endless = Shape::Struct(Fields::Tuple(vec![Type::Named(3)]));
        let definitions = vec![
            Definition { name: "Pose".into(), shape: Shape::Struct(pose) },
            Definition { name: "Raw".into(), shape: Shape::Struct(newtype) },
            Definition { name: "Kind".into(), shape: Shape::Enum(kinds) },
            Definition { name: "Endless".into(), shape: endless },
        ];
        SchemaDoc::from_parts(Type::Named(0), definitions).expect("it is valid")
    }

    fn fitted(ty: &Type, text: &str) -> Entity {
        json(&doc(), ty, parse_line(text).expect(text))
    }

    fn bytes(bytes: &'static [u8]) -> Entity {
        Entity::Bytes(Bytes::from_static(bytes))
    }

    #[test]
    fn strings_become_bytes_where_bytes_are_due() {
        let pose =
            fitted(&Type::Named(0), r#"{"raw":"aGk=","kind":{"Raw":[1,"AAE="]},"x":"aGk="}"#);
        let content = Entity::List(vec![Entity::Int(1), bytes(&[0, 1])]);
        let kind = Entity::Tagged { tag: "Raw".into(), value: Box::new(content) };
        let due = [("raw", bytes(b"hi")), ("kind", kind), ("x", "aGk=".into())];
        assert_eq!(pose, Entity::map(due));
        assert_eq!(text(&doc(), &Type::Named(1), "aGk=".into()), bytes(b"aGk="));
        assert_eq!(text(&doc(), &Type::Text, "aGk=".into()), "aGk=".into());
    }

    #[test]
    fn variants_are_taken_as_they_are_printed() {
        let printed = fitted(&Type::Named(2), r#"{"tag":"Raw","value":[1,"AAE="]}"#);
        assert_eq!(printed, fitted(&Type::Named(2), r#"{"Raw":[1,"AAE="]}"#));
        assert_eq!(fitted(&Type::Named(2), r#""Dot""#), "Dot".into());
        let odd = r#"{"a":1,"b":2}"#;
        assert_eq!(fitted(&Type::Named(2), odd), parse_line(odd).expect("JSON"));
    }

    #[test]
    fn keys_that_are_no_text_are_read() {
        let map = |key, value| Type::Map(Box::new(key), Box::new(value));
        let read = fitted(&map(Type::U8, Type::Bytes), r#"{"7":"AAE="}"#);
        assert_eq!(read, Entity::Map(vec![(Entity::Int(7), bytes(&[0, 1]))]));
        let text = fitted(&map(Type::Text, Type::U8), r#"{"7":1}"#);
        assert_eq!(text, Entity::Map(vec![("7".into(), Entity::Int(1))]));
        let pairs = fitted(&map(Type::Bytes, Type::U8), r#"[["AAE=",1]]"#);
        assert_eq!(pairs, Entity::List(vec![Entity::List(vec![bytes(&[0, 1]), Entity::Int(1)])]));
    }

    #[test]
    fn a_type_that_is_only_itself_ends() {
        assert_eq!(fitted(&Type::Named(3), "[1]"), Entity::List(vec![Entity::Int(1)]));
        assert_eq!(fitted(&Type::Named(3), r#""x""#), "x".into());
    }

    #[test]
    fn base64_comes_back_and_nothing_else_is_taken() {
        for length in 0..70usize {
            let all: Vec<u8> = (0..length).map(|at| (at * 37) as u8).collect();
            assert_eq!(decode(&Base64(&all).to_string()), Some(all));
        }
        for bad in ["a", "ab", "abc", "a===", "====", "ab=c", "abc=d", "ab\n=", "aGl=", "ä==="] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
