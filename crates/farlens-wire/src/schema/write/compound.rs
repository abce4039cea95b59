//! Lists, maps, structures and enums.

use super::{Result, Sink, Step, named};
use crate::Entity;
use crate::entity::has_duplicate;
use crate::read::{put_bytes, put_u64};
use crate::schema::{Field, Fields, Type, Variant};

impl<'s> Sink<'s, '_> {
    pub(super) fn list(&mut self, ty: &'s Type, value: &Entity) -> Result {
        match value {
            Entity::Bytes(bytes) if self.schema.is_byte(ty) => {
                put_bytes(self.out, bytes);
                Ok(())
            }
            value => self.items(ty, value),
        }
    }

    /// A count and so many values.
    pub(super) fn items(&mut self, ty: &'s Type, value: &Entity) -> Result {
        let Entity::List(items) = value else { return self.wrong("a list", value) };
        put_u64(self.out, items.len() as u64);
        let mut parts = items.iter().enumerate();
        self.below(|sink| parts.try_for_each(|(at, item)| sink.part(Step::Part(at), ty, item)))
    }

    pub(super) fn array(&mut self, len: u32, ty: &'s Type, value: &Entity) -> Result {
        let Entity::List(items) = value else { return self.wrong("a list", value) };
        if items.len() != len as usize {
            return self.wrong_length(len as usize, items.len());
        }
        let mut parts = items.iter().enumerate();
        self.below(|sink| parts.try_for_each(|(at, item)| sink.part(Step::Part(at), ty, item)))
    }

    pub(super) fn parts(&mut self, types: &'s [Type], value: &Entity) -> Result {
        let Entity::List(items) = value else { return self.wrong("a list", value) };
        self.tuple(types.iter(), items)
    }

    /// One value of each type.
    pub(super) fn tuple(
        &mut self,
        types: impl ExactSizeIterator<Item = &'s Type>,
        items: &[Entity],
    ) -> Result {
        if items.len() != types.len() {
            return self.wrong_length(types.len(), items.len());
        }
        let mut parts = types.zip(items).enumerate();
        self.below(|sink| {
            parts.try_for_each(|(at, (ty, item))| sink.part(Step::Part(at), ty, item))
        })
    }

    fn wrong_length(&self, due: usize, found: usize) -> Result {
        self.fail(format_args!("a list of {due} is due, there is one of {found}"))
    }

    /// As a map, or as a list of pairs.
    pub(super) fn map(&mut self, key: &'s Type, inner: &'s Type, value: &Entity) -> Result {
        match value {
            Entity::Map(entries) => self.entries(key, inner, entries),
            Entity::List(items) => self.pairs(key, inner, items),
            value => self.wrong("a map", value),
        }
    }

    fn entries(&mut self, key: &'s Type, inner: &'s Type, all: &[(Entity, Entity)]) -> Result {
        if has_duplicate(all) {
            return self.fail("a key occurs twice");
        }
        put_u64(self.out, all.len() as u64);
        self.below(|sink| all.iter().try_for_each(|(k, v)| sink.entry((key, k), (inner, v))))
    }

    fn pairs(&mut self, key: &'s Type, inner: &'s Type, items: &[Entity]) -> Result {
        put_u64(self.out, items.len() as u64);
        self.below(|sink| {
            items.iter().try_for_each(|item| match item {
                Entity::List(pair) if pair.len() == 2 => {
                    sink.entry((key, &pair[0]), (inner, &pair[1]))
                }
                other => sink.wrong("a list of pairs", other),
            })
        })
    }

    fn entry(&mut self, key: (&'s Type, &Entity), value: (&'s Type, &Entity)) -> Result {
        self.part(Step::Keys, key.0, key.1)?;
        self.part(Step::Values, value.0, value.1)
    }

    pub(super) fn fields(&mut self, fields: &'s [Field], value: &Entity) -> Result {
        self.record(fields.iter().map(|field| (&*field.name, &field.ty)), value)
    }

    /// A value for each name, from a record or a map in any order.
    pub(super) fn record(
        &mut self,
        mut due: impl Iterator<Item = (&'s str, &'s Type)> + Clone,
        value: &Entity,
    ) -> Result {
        self.check_names(&due.clone().map(|(name, _)| name), value)?;
        self.below(|sink| {
            due.try_for_each(|(name, ty)| match value.get(name) {
                Some(found) => sink.part(Step::Name(name), ty, found),
                None if matches!(ty, Type::Option(_)) => {
                    sink.out.push(0);
                    Ok(())
                }
                None => {
                    sink.steps.push(Step::Name(name));
                    sink.fail("it is missing")
                }
            })
        })
    }

    /// Refuses what is no record, and one with unknown names or with one that occurs twice.
    fn check_names(&self, due: &(impl Iterator<Item = &'s str> + Clone), value: &Entity) -> Result {
        let names: Vec<&str> = match value {
            Entity::Record { fields, .. } => fields.iter().map(|(name, _)| &**name).collect(),
            Entity::Map(entries) => {
                let mut names = Vec::with_capacity(entries.len());
                for (key, _) in entries {
                    let Entity::Text(name) = key else {
                        return self.fail(format_args!("a name is due, there is {}", named(key)));
                    };
                    names.push(&**name);
                }
                names
            }
            other => return self.wrong("a record", other),
        };
        let known = |name: &str| due.clone().any(|other| other == name);
        if let Some(name) = names.iter().find(|name| !known(name)) {
            return self.fail(format_args!("there is no field \"{}\"", name.escape_debug()));
        }
        match names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            Some((_, name)) => self.fail(format_args!("\"{name}\" occurs twice")),
            None => Ok(()),
        }
    }

    pub(super) fn variant(&mut self, variants: &'s [Variant], value: &Entity) -> Result {
        let (name, content) = match value {
            Entity::Text(name) => (name, &Entity::Null),
            Entity::Tagged { tag, value } => (tag, &**value),
            Entity::Map(entries) => match entries.as_slice() {
                [(Entity::Text(name), content)] => (name, content),
                _ => return self.wrong("one variant", value),
            },
            other => return self.wrong("a variant", other),
        };
        let found = variants.iter().enumerate().find(|(_, variant)| variant.name == *name);
        let Some((index, variant)) = found else {
            return self.fail(format_args!("there is no variant \"{}\"", name.escape_debug()));
        };
        put_u64(self.out, index as u64);
        self.steps.push(Step::Name(&variant.name));
        self.content(&variant.fields, content)?;
        self.steps.pop();
        Ok(())
    }

    fn content(&mut self, fields: &'s Fields, value: &Entity) -> Result {
        match fields {
            Fields::Unit => self.unit(value),
            Fields::Tuple(types) if types.len() == 1 => {
                self.below(|sink| sink.value(&types[0], value))
            }
            Fields::Tuple(types) => self.parts(types, value),
            Fields::Named { fields, .. } => self.fields(fields, value),
        }
    }
}
