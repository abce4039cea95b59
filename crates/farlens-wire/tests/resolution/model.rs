//! What a reader should read, said once more: from the value as its writer's schema shows it to the
//! value as the reader's schema would.

use crate::reader::{default, is_marked, some};
use farlens_wire::Entity;
use farlens_wire::schema::{Field, Fields, SchemaDoc, Shape, Type};

#[derive(Clone, Copy)]
pub(crate) struct Model<'d> {
    pub(crate) from: &'d SchemaDoc,
    pub(crate) to: &'d SchemaDoc,
}

/// How many values there are in one.
pub(crate) fn nodes(value: &Entity) -> usize {
    1 + match value {
        Entity::List(items) => items.iter().map(nodes).sum(),
        Entity::Map(entries) => entries.iter().map(|(k, v)| nodes(k) + nodes(v)).sum(),
        Entity::Record { fields, .. } => fields.iter().map(|(_, value)| nodes(value)).sum(),
        Entity::Tagged { value, .. } => nodes(value),
        _ => 0,
    }
}

/// Looks through newtypes.
fn bare<'d>(doc: &'d SchemaDoc, ty: &'d Type) -> (&'d Type, Option<(&'d str, &'d Shape)>) {
    let Type::Named(index) = ty else { return (ty, None) };
    let definition = &doc.definitions()[*index as usize];
    match &definition.shape {
        Shape::Struct(Fields::Tuple(types)) if types.len() == 1 => bare(doc, &types[0]),
        shape => (ty, Some((&definition.name, shape))),
    }
}

impl Model<'_> {
    /// Nothing where a variant is met that the reader does not know.
    pub(crate) fn value(self, from: &Type, to: &Type, value: &Entity) -> Option<Entity> {
        let (from, from_shape) = bare(self.from, from);
        let (to, to_shape) = bare(self.to, to);
        match (from, to) {
            (Type::Option(_), Type::Option(_)) if *value == Entity::Null => Some(Entity::Null),
            (Type::Option(from), Type::Option(to)) => {
                let held = match value {
                    Entity::Tagged { tag, value } if tag == "Some" && is_marked(value) => value,
                    value => value,
                };
                self.value(from, to, held).map(some)
            }
            (_, Type::Option(inner)) => self.value(from, inner, value).map(some),
            (_, Type::Any) => Some(value.clone()),
            (_, Type::F32) => Some(to_f32(value).into()),
            (_, Type::F64) => Some(to_f64(value).into()),
            (_, Type::Bytes) => Some(as_bytes(value)),
            (_, Type::List(ty)) if **ty == Type::U8 => Some(as_bytes(value)),
            (_, Type::List(to)) => self.list(self.parts(from, from_shape, value), |_| to),
            (_, Type::Array(_, to)) => self.list(self.parts(from, from_shape, value), |_| to),
            (_, Type::Tuple(types)) => {
                self.list(self.parts(from, from_shape, value), |at| &types[at])
            }
            (Type::Map(fk, fv), Type::Map(tk, tv)) => self.map((fk, fv), (tk, tv), value),
            (_, Type::Named(_)) => self.named(from, from_shape, to_shape?, value),
            _ => Some(value.clone()),
        }
    }

    /// The parts of a list or tuple with their types.
    fn parts<'v>(
        self,
        from: &'v Type,
        shape: Option<(&str, &'v Shape)>,
        value: &Entity,
    ) -> Vec<(&'v Type, Entity)> {
        let items = match value {
            Entity::List(items) => items.clone(),
            Entity::Bytes(bytes) => bytes.iter().map(|byte| (*byte).into()).collect(),
            other => panic!("{other:?} is no list"),
        };
        let types: Vec<&Type> = match (from, shape) {
            (Type::List(ty) | Type::Array(_, ty), _) => vec![&**ty; items.len()],
            (Type::Tuple(types), _) | (_, Some((_, Shape::Struct(Fields::Tuple(types))))) => {
                types.iter().collect()
            }
            _ => vec![&Type::U8; items.len()],
        };
        types.into_iter().zip(items).collect()
    }

    fn list<'v>(
        self,
        parts: Vec<(&Type, Entity)>,
        to: impl Fn(usize) -> &'v Type,
    ) -> Option<Entity> {
        let parts = parts.into_iter().enumerate();
        parts
            .map(|(at, (from, item))| self.value(from, to(at), &item))
            .collect::<Option<Vec<_>>>()
            .map(Entity::List)
    }

    fn map(self, from: (&Type, &Type), to: (&Type, &Type), value: &Entity) -> Option<Entity> {
        let entry = |key: &Entity, value: &Entity| {
            Some((self.value(from.0, to.0, key)?, self.value(from.1, to.1, value)?))
        };
        match value {
            Entity::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| entry(key, value));
                entries.collect::<Option<_>>().map(Entity::Map)
            }
            Entity::List(pairs) => {
                let pairs = pairs.iter().map(|pair| match pair {
                    Entity::List(pair) => {
                        entry(&pair[0], &pair[1]).map(|(key, value)| Entity::List(vec![key, value]))
                    }
                    other => panic!("{other:?} is no pair"),
                });
                pairs.collect::<Option<_>>().map(Entity::List)
            }
            other => panic!("{other:?} is no map"),
        }
    }

    fn named(
        self,
        from: &Type,
        from_shape: Option<(&str, &Shape)>,
        (name, to): (&str, &Shape),
        value: &Entity,
    ) -> Option<Entity> {
        match (from_shape, to) {
            (_, Shape::Struct(Fields::Unit)) => Some(Entity::Null),
            (_, Shape::Struct(Fields::Tuple(types))) => {
                self.list(self.parts(from, from_shape, value), |at| &types[at])
            }
            (Some((_, Shape::Struct(from))), Shape::Struct(Fields::Named { fields, .. })) => {
                self.record(from, (name, fields), value)
            }
            (Some((_, Shape::Enum(variants))), Shape::Enum(to)) => {
                let (tag, held) = match value {
                    Entity::Text(tag) => (tag, &Entity::Null),
                    Entity::Tagged { tag, value } => (tag, &**value),
                    other => panic!("{other:?} is no variant"),
                };
                let from = variants.iter().find(|variant| variant.name == *tag)?;
                let to = to.iter().find(|to| to.name == *tag || to.aliases.contains(tag))?;
                let held = match (&from.fields, &to.fields) {
                    (_, Fields::Unit) => return Some(to.name.as_str().into()),
                    (from, Fields::Named { fields, .. }) => {
                        self.record(from, (&to.name, fields), held)?
                    }
                    (Fields::Tuple(from), Fields::Tuple(to)) if to.len() == 1 => {
                        self.value(&from[0], &to[0], held)?
                    }
                    (Fields::Tuple(from), Fields::Tuple(to)) => {
                        let Entity::List(items) = held else { panic!("{held:?} is no list") };
                        let parts = from.iter().zip(items.iter().cloned()).collect();
                        self.list(parts, |at| &to[at])?
                    }
                    _ => panic!("{from:?} is no {to:?}"),
                };
                Some(Entity::tagged(&to.name, held))
            }
            _ => panic!("{from:?} is no {name}"),
        }
    }

    fn record(self, from: &Fields, (name, to): (&str, &[Field]), value: &Entity) -> Option<Entity> {
        let old: &[Field] = match from {
            Fields::Named { fields, .. } => fields,
            _ => &[],
        };
        let mut read = Vec::new();
        for field in to {
            let known = |old: &&Field| old.name == field.name || field.aliases.contains(&old.name);
            let new = match old.iter().find(known) {
                Some(old) => self.value(&old.ty, &field.ty, value.get(&old.name)?)?,
                None => default(field)?,
            };
            read.push((field.name.clone(), new));
        }
        Some(Entity::record(name, read))
    }
}

fn to_f32(value: &Entity) -> f32 {
    match value {
        Entity::F32(value) => *value,
        Entity::Int(value) => *value as f32,
        other => panic!("{other:?} is no number"),
    }
}

fn to_f64(value: &Entity) -> f64 {
    match value {
        Entity::F64(value) => *value,
        Entity::F32(value) => f64::from(*value),
        Entity::Int(value) => *value as f64,
        other => panic!("{other:?} is no number"),
    }
}

fn as_bytes(value: &Entity) -> Entity {
    match value {
        Entity::Bytes(bytes) => Entity::Bytes(bytes.clone()),
        Entity::List(items) => {
            let bytes = items.iter().map(|item| u8::try_from(item.clone()).expect("a byte"));
            bytes.collect::<Vec<u8>>().into()
        }
        other => panic!("{other:?} is no bytes"),
    }
}
