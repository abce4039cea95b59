//! Between [`Entity`] and Rust's own types.
//!
//! Into an entity everything that fits goes; out of it only the same kind, except that ints narrow
//! and floats widen where the value stays the same.

use super::{Entity, Rfc3339};
use bytes::Bytes;
use std::fmt;

/// An [`Entity`] of another kind, or an int of another size, than was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrongKind {
    /// What was asked for.
    pub wanted: &'static str,
    /// What there was.
    pub found: &'static str,
}

impl fmt::Display for WrongKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wanted {}, found {} that does not fit", self.wanted, self.found)
    }
}

impl std::error::Error for WrongKind {}

impl fmt::Debug for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Entity {
    /// A list of what converts into entities.
    #[must_use]
    pub fn list<T: Into<Self>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }

    /// A map of what converts into entities, in the given order.
    #[must_use]
    pub fn map<K: Into<Self>, V: Into<Self>>(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// A record with fields in the given order.
    #[must_use]
    pub fn record<N: Into<String>>(
        name: impl Into<String>,
        fields: impl IntoIterator<Item = (N, Self)>,
    ) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Self::Record { name: name.into(), fields }
    }

    /// A value with a word that says what it is.
    #[must_use]
    pub fn tagged(tag: impl Into<String>, value: impl Into<Self>) -> Self {
        Self::Tagged { tag: tag.into(), value: Box::new(value.into()) }
    }

    const fn wrong(&self, wanted: &'static str) -> WrongKind {
        WrongKind { wanted, found: self.kind() }
    }
}

macro_rules! simple {
    ($($type:ty => |$value:ident| $entity:expr;)*) => {$(
        impl From<$type> for Entity {
            fn from($value: $type) -> Self {
                $entity
            }
        }
    )*};
}

simple! {
    () => |_unit| Self::Null;
    bool => |value| Self::Bool(value);
    f32 => |value| Self::F32(value);
    f64 => |value| Self::F64(value);
    i128 => |value| Self::Int(value);
    char => |value| Self::Text(value.to_string());
    &str => |text| Self::Text(text.to_owned());
    String => |text| Self::Text(text);
    Bytes => |bytes| Self::Bytes(bytes);
    Vec<u8> => |bytes| Self::Bytes(bytes.into());
    Vec<Entity> => |items| Self::List(items);
    Vec<(Entity, Entity)> => |entries| Self::Map(entries);
}

impl<T: Into<Entity>> From<Option<T>> for Entity {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

macro_rules! ints {
    ($($type:ident)*) => {$(
        impl From<$type> for Entity {
            fn from(value: $type) -> Self {
                Self::Int(i128::from(value))
            }
        }
    )*};
}

ints!(i8 i16 i32 i64 u8 u16 u32 u64);

impl From<usize> for Entity {
    fn from(value: usize) -> Self {
        Self::Int(value as i128)
    }
}

impl TryFrom<u128> for Entity {
    type Error = std::num::TryFromIntError;

    fn try_from(value: u128) -> Result<Self, Self::Error> {
        i128::try_from(value).map(Self::Int)
    }
}

macro_rules! narrowed {
    ($($type:ident)*) => {$(
        impl TryFrom<Entity> for $type {
            type Error = WrongKind;

            fn try_from(entity: Entity) -> Result<Self, WrongKind> {
                let wrong = entity.wrong(stringify!($type));
                match entity {
                    Entity::Int(value) => value.try_into().map_err(|_| wrong),
                    _ => Err(wrong),
                }
            }
        }
    )*};
}

narrowed!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

macro_rules! taken {
    ($($type:ty, $wanted:literal, $($pattern:pat => $value:expr),+;)*) => {$(
        impl TryFrom<Entity> for $type {
            type Error = WrongKind;

            // Parts cannot be moved out of an entity, so they are swapped for empty ones.
            fn try_from(mut entity: Entity) -> Result<Self, WrongKind> {
                match &mut entity {
                    $($pattern => Ok($value),)+
                    other => Err(other.wrong($wanted)),
                }
            }
        }
    )*};
}

taken! {
    (), "null", Entity::Null => ();
    bool, "bool", Entity::Bool(value) => *value;
    f32, "f32", Entity::F32(value) => *value;
    f64, "f64", Entity::F64(value) => *value, Entity::F32(value) => f64::from(*value);
    String, "text", Entity::Text(text) => std::mem::take(text);
    Bytes, "bytes", Entity::Bytes(bytes) => std::mem::take(bytes);
    Vec<Entity>, "list", Entity::List(items) => std::mem::take(items);
    Vec<(Entity, Entity)>, "map", Entity::Map(entries) => std::mem::take(entries);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_the_same_converts_back() {
        assert_eq!(u8::try_from(Entity::Int(255)), Ok(255));
        assert!(u8::try_from(Entity::Int(256)).is_err());
        assert_eq!(u128::try_from(Entity::Int(i128::MAX)), Ok(i128::MAX as u128));
        assert!(Entity::try_from(u128::MAX).is_err());
        assert_eq!(f64::try_from(Entity::F32(0.5)), Ok(0.5));
        assert!(f32::try_from(Entity::F64(0.5)).is_err());
        assert!(f64::try_from(Entity::Int(1)).is_err());
        assert_eq!(String::try_from(Entity::from("a")), Ok("a".to_owned()));
        let error = String::try_from(Entity::Null).map_err(|error| error.to_string());
        assert_eq!(error, Err("wanted text, found null that does not fit".to_owned()));
        assert_eq!(Entity::from(None::<u8>), Entity::Null);
        assert_eq!(Entity::list([1u8, 2]), Entity::List(vec![1u8.into(), 2u8.into()]));
    }
}
