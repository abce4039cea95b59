//! What must work at any depth without recursion: dropping, cloning and comparing.
//!
//! Each keeps its own stack of values still to visit. Values without children never get onto it,
//! so flat values cost no allocation.

use super::Entity;
use std::fmt;
use std::mem;

/// Levels that [`fmt::Debug`] shows before it writes `…`.
const SHOWN_DEPTH: u32 = 64;

impl Entity {
    /// Whether there are values inside.
    const fn has_children(&self) -> bool {
        match self {
            Self::List(items) => !items.is_empty(),
            Self::Map(entries) => !entries.is_empty(),
            Self::Record { fields, .. } => !fields.is_empty(),
            Self::Tagged { .. } => true,
            _ => false,
        }
    }

    /// Whether a reference lies anywhere inside.
    pub(crate) fn has_references(&self) -> bool {
        let mut stack = vec![self];
        while let Some(value) = stack.pop() {
            if matches!(value, Self::Reference(_)) {
                return true;
            }
            value.each_child(|child| {
                if child.has_children() || matches!(child, Self::Reference(_)) {
                    stack.push(child);
                }
            });
        }
        false
    }

    fn each_child_mut<'a>(&'a mut self, mut visit: impl FnMut(&'a mut Entity)) {
        match self {
            Self::List(items) => items.iter_mut().for_each(visit),
            Self::Map(entries) => {
                for (key, value) in entries {
                    visit(key);
                    visit(value);
                }
            }
            Self::Record { fields, .. } => fields.iter_mut().for_each(|(_, value)| visit(value)),
            Self::Tagged { value, .. } => visit(value),
            _ => {}
        }
    }

    /// Moves the children that have children of their own onto `stack`.
    fn unhang(&mut self, stack: &mut Vec<Entity>) {
        self.each_child_mut(|child| {
            if child.has_children() {
                stack.push(mem::take(child));
            }
        });
    }

    /// A copy in which each child that has children is null.
    fn copy_shallow(&self) -> Self {
        match self {
            Self::Null => Self::Null,
            Self::Bool(value) => Self::Bool(*value),
            Self::Int(value) => Self::Int(*value),
            Self::F32(value) => Self::F32(*value),
            Self::F64(value) => Self::F64(*value),
            Self::Text(text) => Self::Text(text.clone()),
            Self::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Self::List(items) => Self::List(items.iter().map(Self::copy_leaf).collect()),
            Self::Map(entries) => Self::Map(
                entries.iter().map(|(key, value)| (key.copy_leaf(), value.copy_leaf())).collect(),
            ),
            Self::Record { name, fields } => Self::Record {
                name: name.clone(),
                fields: fields
                    .iter()
                    .map(|(name, value)| (name.clone(), value.copy_leaf()))
                    .collect(),
            },
            Self::Tagged { tag, value } => {
                Self::Tagged { tag: tag.clone(), value: Box::new(value.copy_leaf()) }
            }
            Self::Time(time) => Self::Time(*time),
            Self::Reference(reference) => Self::Reference(reference.clone()),
        }
    }

    fn copy_leaf(&self) -> Self {
        if self.has_children() { Self::Null } else { self.copy_shallow() }
    }

    fn each_child<'a>(&'a self, mut visit: impl FnMut(&'a Entity)) {
        match self {
            Self::List(items) => items.iter().for_each(visit),
            Self::Map(entries) => {
                for (key, value) in entries {
                    visit(key);
                    visit(value);
                }
            }
            Self::Record { fields, .. } => fields.iter().for_each(|(_, value)| visit(value)),
            Self::Tagged { value, .. } => visit(value),
            _ => {}
        }
    }

    /// Whether both are the same apart from what lies inside them.
    fn same_outside(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::F32(a), Self::F32(b)) => a.to_bits() == b.to_bits(),
            (Self::F64(a), Self::F64(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::List(a), Self::List(b)) => a.len() == b.len(),
            (Self::Map(a), Self::Map(b)) => a.len() == b.len(),
            (Self::Record { name: a, fields: x }, Self::Record { name: b, fields: y }) => {
                a == b && x.len() == y.len() && x.iter().zip(y).all(|((m, _), (n, _))| m == n)
            }
            (Self::Tagged { tag: a, .. }, Self::Tagged { tag: b, .. }) => a == b,
            (Self::Time(a), Self::Time(b)) => a == b,
            (Self::Reference(a), Self::Reference(b)) => a == b,
            _ => false,
        }
    }
}

impl Drop for Entity {
    fn drop(&mut self) {
        if self.has_children() {
            let mut stack = Vec::new();
            self.unhang(&mut stack);
            while let Some(mut inner) = stack.pop() {
                inner.unhang(&mut stack);
            }
        }
    }
}

impl Clone for Entity {
    fn clone(&self) -> Self {
        let mut copy = self.copy_shallow();
        let mut stack = vec![(&mut copy, self)];
        while let Some((target, source)) = stack.pop() {
            let mut children = Vec::new();
            source.each_child(|child| children.push(child));
            let mut children = children.into_iter();
            target.each_child_mut(|place| {
                if let Some(child) = children.next().filter(|child| child.has_children()) {
                    *place = child.copy_shallow();
                    stack.push((place, child));
                }
            });
        }
        copy
    }
}

impl PartialEq for Entity {
    fn eq(&self, other: &Self) -> bool {
        if !self.has_children() {
            return self.same_outside(other);
        }
        let mut stack = vec![(self, other)];
        while let Some((a, b)) = stack.pop() {
            if !a.same_outside(b) {
                return false;
            }
            let start = stack.len();
            a.each_child(|child| stack.push((child, child)));
            let mut places = stack.iter_mut().skip(start);
            b.each_child(|child| {
                if let Some(place) = places.next() {
                    place.1 = child;
                }
            });
        }
        true
    }
}

impl Eq for Entity {}

impl fmt::Debug for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(self, SHOWN_DEPTH).fmt(f)
    }
}

/// An entity with the levels of it that are still to be shown.
struct Shown<'a>(&'a Entity, u32);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(depth) = self.1.checked_sub(1) else { return f.write_str("…") };
        let inside = |value| Shown(value, depth);
        match self.0 {
            Entity::Null => f.write_str("null"),
            Entity::Bool(value) => value.fmt(f),
            Entity::Int(value) => value.fmt(f),
            Entity::F32(value) => write!(f, "{value:?}f32"),
            Entity::F64(value) => value.fmt(f),
            Entity::Text(text) => text.fmt(f),
            Entity::Bytes(bytes) => bytes.fmt(f),
            Entity::List(items) => f.debug_list().entries(items.iter().map(inside)).finish(),
            Entity::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| (inside(key), inside(value)));
                f.debug_map().entries(entries).finish()
            }
            Entity::Record { name, fields } => {
                let mut shown = f.debug_struct(name);
                for (name, value) in fields {
                    shown.field(name, &inside(value));
                }
                shown.finish()
            }
            Entity::Tagged { tag, value } => f.debug_tuple(tag).field(&inside(value)).finish(),
            Entity::Time(ns) => super::Rfc3339(*ns).fmt(f),
            Entity::Reference(reference) => reference.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `depth` levels of containers of every kind in turn.
    fn tower(depth: usize) -> Entity {
        (0..depth).fold(Entity::Int(7), |inner, level| match level % 4 {
            0 => Entity::List(vec![inner, Entity::Null]),
            1 => Entity::Map(vec![(Entity::Null, inner)]),
            2 => Entity::Record { name: String::new(), fields: vec![(String::new(), inner)] },
            _ => Entity::Tagged { tag: String::new(), value: Box::new(inner) },
        })
    }

    fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
        let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(test);
        thread.expect("a thread starts").join().expect("the test passes");
    }

    #[test]
    fn depth_uses_no_stack() {
        on_a_small_stack(|| {
            for depth in [65, 1_000, 10_000, 1_000_000] {
                let value = tower(depth);
                let copy = value.clone();
                assert_eq!(copy, value);
                assert_ne!(copy, tower(depth - 1));
                assert!(format!("{value:?}").contains('…'));
                let error = value.encode(&mut Vec::new());
                assert_eq!(error, Err(crate::EncodeError::Depth), "{depth}");
            }
        });
    }

    #[test]
    fn floats_are_equal_by_bits_and_kinds_never() {
        let nan = f64::from_bits(0x7ff8_0000_0000_0001);
        assert_eq!(Entity::F64(nan), Entity::F64(nan));
        assert_ne!(Entity::F64(nan), Entity::F64(f64::NAN));
        assert_ne!(Entity::F64(0.0), Entity::F64(-0.0));
        assert_ne!(Entity::F32(1.0), Entity::F64(1.0));
        assert_ne!(Entity::List(vec![]), Entity::Map(vec![]));
    }

    #[test]
    fn a_copy_is_complete() {
        let wide = Entity::Map(
            (0..100).map(|n| (Entity::Int(n), tower(usize::try_from(n).unwrap_or(0)))).collect(),
        );
        assert_eq!(wide.clone(), wide);
    }
}
