//! A reader that is made from a schema at run time and asks serde for what derived code asks for.

use farlens_wire::schema::{Field, Fields, SchemaDoc, Shape, Type, Variant};
use farlens_wire::{Entity, Reference};
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

thread_local! {
    /// Which type `Dynamic` is at the moment, since serde has no place for it.
    static TYPE: Cell<Option<Arc<SchemaDoc>>> = const { Cell::new(None) };
}

/// A value of the type that [`Dynamic::read`] is given, as `decode_with` would show it.
pub(crate) struct Dynamic(pub(crate) Entity);

impl Dynamic {
    /// Runs `decode` while `Dynamic` is a type of this description.
    pub(crate) fn read<T>(doc: &SchemaDoc, decode: impl FnOnce() -> T) -> T {
        TYPE.set(Some(Arc::new(doc.clone())));
        let read = decode();
        TYPE.set(None);
        read
    }
}

impl<'de> Deserialize<'de> for Dynamic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let doc = TYPE.take().expect("a type is set");
        Reader { doc: &doc, ty: doc.root() }.deserialize(deserializer).map(Self)
    }
}

#[derive(Clone, Copy)]
struct Reader<'r> {
    doc: &'r SchemaDoc,
    ty: &'r Type,
}

impl<'r> Reader<'r> {
    const fn of(self, ty: &'r Type) -> Self {
        Self { ty, ..self }
    }
}

/// A present option, as `decode_with` shows it.
pub(crate) fn some(held: Entity) -> Entity {
    if is_marked(&held) { Entity::tagged("Some", held) } else { held }
}

pub(crate) fn is_marked(held: &Entity) -> bool {
    match held {
        Entity::Null => true,
        Entity::Tagged { tag, .. } => tag == "Some",
        _ => false,
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Entity;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Entity, D::Error> {
        let shape = Visit(self);
        match self.ty {
            Type::Option(_) => from.deserialize_option(shape),
            Type::List(ty) if **ty == Type::U8 => Vec::<u8>::deserialize(from).map(Entity::from),
            Type::List(_) => from.deserialize_seq(shape),
            Type::Array(len, _) => from.deserialize_tuple(*len as usize, shape),
            Type::Tuple(types) => from.deserialize_tuple(types.len(), shape),
            Type::Map(..) => from.deserialize_map(shape),
            Type::Named(index) => match &self.doc.definitions()[*index as usize].shape {
                Shape::Struct(Fields::Unit) => from.deserialize_unit_struct("S", shape),
                Shape::Struct(Fields::Named { .. }) => from.deserialize_struct("S", &[], shape),
                Shape::Struct(Fields::Tuple(types)) if types.len() == 1 => {
                    from.deserialize_newtype_struct("S", shape)
                }
                Shape::Struct(Fields::Tuple(types)) => {
                    from.deserialize_tuple_struct("S", types.len(), shape)
                }
                Shape::Enum(_) => from.deserialize_enum("E", &[], shape),
                Shape::Interface(_) => reference(from),
            },
            leaf => leaf_value(leaf, from),
        }
    }
}

fn reference<'de, D: Deserializer<'de>>(from: D) -> Result<Entity, D::Error> {
    Reference::deserialize(from).map(Entity::Reference)
}

fn leaf_value<'de, D: Deserializer<'de>>(leaf: &Type, from: D) -> Result<Entity, D::Error> {
    Ok(match leaf {
        Type::Unit => <()>::deserialize(from)?.into(),
        Type::Bool => bool::deserialize(from)?.into(),
        Type::U8 => u8::deserialize(from)?.into(),
        Type::U16 => u16::deserialize(from)?.into(),
        Type::U32 => u32::deserialize(from)?.into(),
        Type::U64 => u64::deserialize(from)?.into(),
        Type::U128 => u128::deserialize(from)?.try_into().map_err(D::Error::custom)?,
        Type::I8 => i8::deserialize(from)?.into(),
        Type::I16 => i16::deserialize(from)?.into(),
        Type::I32 => i32::deserialize(from)?.into(),
        Type::I64 => i64::deserialize(from)?.into(),
        Type::I128 => i128::deserialize(from)?.into(),
        Type::F32 => f32::deserialize(from)?.into(),
        Type::F64 => f64::deserialize(from)?.into(),
        Type::Char => char::deserialize(from)?.into(),
        Type::Text => String::deserialize(from)?.into(),
        Type::Bytes => bytes::Bytes::deserialize(from)?.into(),
        Type::Any => Entity::deserialize(from)?,
        _ => reference(from)?,
    })
}

/// What derived code does with what it is shown.
struct Visit<'r>(Reader<'r>);

impl<'r> Visit<'r> {
    fn definition(&self) -> (&'r str, &'r Shape) {
        let Type::Named(index) = self.0.ty else { return ("", &Shape::Struct(Fields::Unit)) };
        let definition = &self.0.doc.definitions()[*index as usize];
        (&definition.name, &definition.shape)
    }

    fn parts(&self) -> Vec<&'r Type> {
        match (self.0.ty, self.definition().1) {
            (Type::Array(len, ty), _) => vec![&**ty; *len as usize],
            (Type::Tuple(types), _) | (_, Shape::Struct(Fields::Tuple(types))) => {
                types.iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

impl<'de> Visitor<'de> for Visit<'_> {
    type Value = Entity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.ty)
    }

    fn visit_unit<E: Error>(self) -> Result<Entity, E> {
        Ok(Entity::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Entity, E> {
        Ok(Entity::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Entity, D::Error> {
        let Type::Option(ty) = self.0.ty else { return Err(D::Error::custom("no option")) };
        self.0.of(ty).deserialize(from).map(some)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Entity, D::Error> {
        let ty = self.parts().pop().expect("it is a newtype");
        self.0.of(ty).deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entity, A::Error> {
        let mut items = Vec::new();
        if let Type::List(ty) = self.0.ty {
            while let Some(item) = seq.next_element_seed(self.0.of(ty))? {
                items.push(item);
            }
            return Ok(Entity::List(items));
        }
        for ty in self.parts() {
            let item = seq.next_element_seed(self.0.of(ty))?;
            items.push(item.ok_or_else(|| A::Error::invalid_length(items.len(), &self))?);
        }
        Ok(Entity::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entity, A::Error> {
        if let (name, Shape::Struct(Fields::Named { fields, closed })) = self.definition() {
            return record(self.0, name, (fields, *closed), map);
        }
        let Type::Map(key, value) = self.0.ty else { return Err(A::Error::custom("no map")) };
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(self.0.of(key))? {
            entries.push((key, map.next_value_seed(self.0.of(value))?));
        }
        if matches!(**key, Type::Tuple(_)) {
            let pairs = entries.into_iter().map(|(key, value)| Entity::List(vec![key, value]));
            return Ok(Entity::List(pairs.collect()));
        }
        Ok(Entity::Map(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Entity, A::Error> {
        let Shape::Enum(variants) = self.definition().1 else {
            return Err(A::Error::custom("no enum"));
        };
        let (variant, content) = access.variant_seed(Name(variants))?;
        let variant = variant.ok_or_else(|| A::Error::unknown_variant("", &[]))?;
        let held = match &variant.fields {
            Fields::Unit => {
                content.unit_variant()?;
                return Ok(variant.name.as_str().into());
            }
            Fields::Tuple(types) if types.len() == 1 => {
                content.newtype_variant_seed(self.0.of(&types[0]))?
            }
            Fields::Tuple(types) => content.tuple_variant(types.len(), Content(self.0, variant))?,
            Fields::Named { .. } => content.struct_variant(&[], Content(self.0, variant))?,
        };
        Ok(Entity::tagged(&variant.name, held))
    }
}

fn record<'de, A: MapAccess<'de>>(
    reader: Reader<'_>,
    name: &str,
    (fields, closed): (&[Field], bool),
    mut map: A,
) -> Result<Entity, A::Error> {
    let mut values = vec![None; fields.len()];
    while let Some(place) = map.next_key_seed(Name(fields))? {
        match place {
            None if closed => return Err(A::Error::unknown_field("", &[])),
            None => drop(map.next_value::<IgnoredAny>()?),
            Some(field) => {
                let at = fields.iter().position(|other| std::ptr::eq(other, field));
                let place = &mut values[at.expect("it is one of them")];
                if place.is_some() {
                    return Err(A::Error::duplicate_field(""));
                }
                *place = Some(map.next_value_seed(reader.of(&field.ty))?);
            }
        }
    }
    let mut read = Vec::new();
    for (field, value) in fields.iter().zip(values) {
        let value = value.or_else(|| default(field));
        let value = value.ok_or_else(|| A::Error::missing_field(""))?;
        read.push((field.name.clone(), value));
    }
    Ok(Entity::record(name, read))
}

/// What a reader has for a field that is missing.
pub(crate) fn default(field: &Field) -> Option<Entity> {
    match field.ty {
        Type::Option(_) => Some(Entity::Null),
        _ => field.default.then_some(Entity::Int(0)),
    }
}

/// The fields of a variant.
struct Content<'r>(Reader<'r>, &'r Variant);

impl<'de> Visitor<'de> for Content<'_> {
    type Value = Entity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1.name)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entity, A::Error> {
        let Fields::Tuple(types) = &self.1.fields else { return Err(A::Error::custom("names")) };
        let mut items = Vec::new();
        for ty in types {
            let item = seq.next_element_seed(self.0.of(ty))?;
            items.push(item.ok_or_else(|| A::Error::custom("too few"))?);
        }
        Ok(Entity::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entity, A::Error> {
        let Fields::Named { fields, closed } = &self.1.fields else {
            return Err(A::Error::custom("no names"));
        };
        record(self.0, &self.1.name, (fields, *closed), map)
    }
}

/// Something that goes by several names.
trait Known {
    fn goes_by(&self, name: &str) -> bool;
}

impl Known for Field {
    fn goes_by(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }
}

impl Known for Variant {
    fn goes_by(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }
}

/// Finds what a name stands for.
struct Name<'r, T>(&'r [T]);

impl<'de, 'r, T: Known> DeserializeSeed<'de> for Name<'r, T> {
    type Value = Option<&'r T>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_identifier(self)
    }
}

impl<'r, T: Known> Visitor<'_> for Name<'r, T> {
    type Value = Option<&'r T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|known| known.goes_by(name)))
    }
}
