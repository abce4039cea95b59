//! [`Entity`] to a Rust type by name, through the `Deserialize` of that type.
//!
//! Fields and variants are matched by their names, so the reader's type may lack some, have more
//! with a default, order them otherwise, or hold wider numbers.

use super::{ENTITY_NAME, Entity, Handshake, Output, encode_nested};
use crate::DecodeError;
use crate::reference::{OnDesk, REFERENCE_NAME};
use crate::schema::{SOME, is_marked};
use crate::typed::ENCODE_DEPTH;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use std::mem;

type Result<T> = std::result::Result<T, DecodeError>;

impl Entity {
    /// Converts into `T` by the names of fields and variants.
    ///
    /// Records and maps become structures and maps, text and tagged values become variants, null
    /// an absent option. Time becomes its nanoseconds.
    ///
    /// # Errors
    /// [`DecodeError::Refused`] with serde's words where `T` does not fit, [`DecodeError::Depth`]
    /// beyond 64 levels.
    pub fn into_typed<T: DeserializeOwned>(self) -> Result<T> {
        T::deserialize(self.by_name(ENCODE_DEPTH))
    }

    /// Presents itself to a type that may go `depth` levels down.
    pub(crate) fn by_name<'de>(self, depth: u32) -> impl Deserializer<'de, Error = DecodeError> {
        Named { value: self, depth }
    }
}

/// A value and the levels that may follow below it.
struct Named {
    value: Entity,
    depth: u32,
}

/// Wraps values one level below one that has `depth` left. Options and newtypes count too, since a
/// type can nest them for ever around the same value.
fn below(depth: u32) -> Result<impl Fn(Entity) -> Named + Copy> {
    let depth = depth.checked_sub(1).ok_or(DecodeError::Depth)?;
    Ok(move |value| Named { value, depth })
}

impl Named {
    fn inside(self) -> Result<Self> {
        below(self.depth).map(|wrap| wrap(self.value))
    }
}

impl IntoDeserializer<'_, DecodeError> for Named {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn int<'de, V: Visitor<'de>>(value: i128, visitor: V) -> Result<V::Value> {
    if let Ok(value) = i64::try_from(value) {
        visitor.visit_i64(value)
    } else if let Ok(value) = u64::try_from(value) {
        visitor.visit_u64(value)
    } else {
        visitor.visit_i128(value)
    }
}

/// Key and value of a list of two.
fn pair(mut item: Entity) -> Result<(Entity, Entity)> {
    match &mut item {
        Entity::List(parts) if parts.len() == 2 => {
            let value = parts.pop().unwrap_or_default();
            Ok((parts.pop().unwrap_or_default(), value))
        }
        _ => Err(DecodeError::custom("a list of pairs was expected")),
    }
}

impl<'de> Deserializer<'de> for Named {
    type Error = DecodeError;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match &mut self.value {
            Entity::Null => visitor.visit_unit(),
            Entity::Bool(value) => visitor.visit_bool(*value),
            Entity::Int(value) => int(*value, visitor),
            Entity::F32(value) => visitor.visit_f32(*value),
            Entity::F64(value) => visitor.visit_f64(*value),
            Entity::Text(text) => visitor.visit_string(mem::take(text)),
            Entity::Bytes(bytes) => visitor.visit_byte_buf(mem::take(bytes).into()),
            Entity::Time(ns) => visitor.visit_i64(*ns),
            Entity::List(items) => {
                let below = below(self.depth)?;
                visitor.visit_seq(SeqDeserializer::new(mem::take(items).into_iter().map(below)))
            }
            Entity::Map(entries) => {
                let below = below(self.depth)?;
                let entries = mem::take(entries).into_iter();
                let entries = entries.map(|(key, value)| (below(key), below(value)));
                visitor.visit_map(MapDeserializer::new(entries))
            }
            Entity::Record { fields, .. } => {
                let below = below(self.depth)?;
                let fields = mem::take(fields).into_iter();
                visitor.visit_map(MapDeserializer::new(
                    fields.map(|(name, value)| (name, below(value))),
                ))
            }
            Entity::Tagged { .. } => self.deserialize_enum("", &[], visitor),
            Entity::Reference(_) => Err(DecodeError::custom("a reference is no plain value")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match &mut self.value {
            Entity::Null => visitor.visit_none(),
            Entity::Tagged { tag, value } if tag == SOME && is_marked(value) => {
                visitor.visit_some(below(self.depth)?(mem::take(&mut **value)))
            }
            _ => visitor.visit_some(self.inside()?),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name == ENTITY_NAME {
            let (mut bytes, mut table) = (Vec::new(), Vec::new());
            let mut output = Output { bytes: &mut bytes, references: &mut table };
            encode_nested(&self.value, self.depth, &mut output).map_err(DecodeError::custom)?;
            if !table.is_empty() {
                return visitor.visit_newtype_struct(OnDesk::new(self.value.clone()));
            }
            return visitor.visit_newtype_struct(Encoded { bytes, sign: Handshake::default() });
        }
        if name == REFERENCE_NAME
            && let Entity::Reference(reference) = &self.value
        {
            return visitor.visit_newtype_struct(OnDesk::new(reference.clone()));
        }
        visitor.visit_newtype_struct(self.inside()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match &mut self.value {
            Entity::Bytes(bytes) => {
                visitor.visit_seq(SeqDeserializer::new(mem::take(bytes).into_iter()))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        match &mut self.value {
            Entity::List(items) => {
                let below = below(self.depth)?;
                let pairs = mem::take(items).into_iter().map(pair).collect::<Result<Vec<_>>>()?;
                let pairs = pairs.into_iter().map(|(key, value)| (below(key), below(value)));
                visitor.visit_map(MapDeserializer::new(pairs))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match &mut self.value {
            Entity::Text(tag) => {
                let value = Self { value: Entity::Null, depth: self.depth };
                visitor.visit_enum(Variant { tag: mem::take(tag), value })
            }
            Entity::Tagged { tag, value } => {
                let value = below(self.depth)?(mem::take(&mut **value));
                visitor.visit_enum(Variant { tag: mem::take(tag), value })
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple tuple_struct struct identifier
    }
}

/// A variant and its content.
struct Variant {
    tag: String,
    value: Named,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = DecodeError;
    type Variant = Named;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Named)> {
        let tag: serde::de::value::StringDeserializer<DecodeError> = self.tag.into_deserializer();
        Ok((seed.deserialize(tag)?, self.value))
    }
}

impl<'de> VariantAccess<'de> for Named {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<()> {
        match self.value {
            Entity::Null => Ok(()),
            _ => Err(DecodeError::custom("a variant has content that the reader lacks")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }
}

/// Hands an entity to a reader that wants one.
struct Encoded {
    bytes: Vec<u8>,
    sign: Handshake,
}

impl<'de> Deserializer<'de> for Encoded {
    type Error = DecodeError;

    fn is_human_readable(&self) -> bool {
        self.sign.answer()
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_bytes(&self.bytes)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reference;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Reader {
        wide: u64,
        #[serde(default)]
        added: Option<String>,
        kind: Kind,
        raw: Vec<u8>,
        any: Entity,
        pairs: std::collections::BTreeMap<(u8, u8), f64>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    enum Kind {
        Dot,
        Circle(f64),
        Rect { w: u32 },
    }

    fn written(kind: Entity) -> Entity {
        let key = Entity::list([1u8, 2]);
        Entity::record(
            "Writer",
            [
                ("removed", Entity::List(vec![Entity::Reference(Reference::new(1))])),
                ("pairs", Entity::List(vec![Entity::List(vec![key, 0.5f32.into()])])),
                ("any", Entity::Time(3)),
                ("raw", vec![1u8, 2].into()),
                ("kind", kind),
                ("wide", 7u8.into()),
            ],
        )
    }

    #[test]
    fn names_decide() {
        for (kind, wanted) in [
            (Entity::from("Dot"), Kind::Dot),
            (Entity::tagged("Circle", 2.0), Kind::Circle(2.0)),
            (
                Entity::tagged("Rect", Entity::record("Rect", [("w", 3u8.into())])),
                Kind::Rect { w: 3 },
            ),
        ] {
            let wanted = Reader {
                wide: 7,
                added: None,
                kind: wanted,
                raw: vec![1, 2],
                any: Entity::Time(3),
                pairs: [((1, 2), 0.5)].into(),
            };
            assert_eq!(written(kind).into_typed(), Ok(wanted));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_in_words() {
        let error = written("Square".into()).into_typed::<Reader>();
        let text = error.map_err(|error| error.to_string());
        assert!(text.is_err_and(|text| text.contains("unknown variant `Square`")));
        assert!(Entity::Int(256).into_typed::<u8>().is_err());
        assert!(Entity::Reference(Reference::new(0)).into_typed::<u32>().is_err());
        assert_eq!(Entity::Int(i128::MIN).into_typed(), Ok(i128::MIN));
    }

    #[test]
    fn references_stay_what_they_are() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Both {
            plain: Reference,
            any: Entity,
        }
        let reference = Reference::new(7);
        let any = Entity::List(vec![Entity::Reference(reference.clone())]);
        let written = Entity::record(
            "Both",
            [("any", any.clone()), ("plain", Entity::Reference(reference.clone()))],
        );
        assert_eq!(written.into_typed(), Ok(Both { plain: reference, any }));
    }

    #[test]
    fn endless_wrappers_end() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Endless(Option<Box<Endless>>);
        assert_eq!(Entity::Int(1).into_typed::<Endless>(), Err(DecodeError::Depth));
        assert_eq!(Entity::Null.into_typed(), Ok(Endless(None)));
    }

    #[test]
    fn the_deepest_level_may_hold_a_value() {
        let lists = |depth| (0..depth).fold(Entity::Int(1), |inner, _| Entity::List(vec![inner]));
        assert!(lists(64).into_typed::<serde_json::Value>().is_ok());
        assert_eq!(lists(65).into_typed::<serde_json::Value>(), Err(DecodeError::Depth));
    }
}
