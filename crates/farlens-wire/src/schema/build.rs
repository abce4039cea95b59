//! How Rust types describe themselves.
//!
//! Descriptions follow what the serde implementations of the same types write, which is why arrays
//! and tuples are sequences without a count and a box is what it holds.

use super::{Definition, Field, Fields, SchemaDoc, Shape, Type, Variant};
use crate::{Bounds, DecodeError, Entity, Limits, Position, Reference};
use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

/// A type whose encoding can be described. Derive it beside `Serialize` and `Deserialize`.
///
/// An implementation by hand must describe exactly what `Serialize` writes; readers that have only
/// the description misread the bytes otherwise. `Deserialize` must take what derived code would, or
/// it refuses values of types that [`Resolution`](super::Resolution) takes to fit.
pub trait Schema: 'static {
    /// The description; named types go through [`SchemaBuilder::define`].
    fn build(builder: &mut SchemaBuilder) -> Type;

    /// The value as an untyped one, for the one type whose sequences have no schema.
    #[doc(hidden)]
    fn as_untyped(&self) -> Option<&Entity> {
        None
    }

    /// Decodes an untyped value, where [`Schema::as_untyped`] gives one.
    #[doc(hidden)]
    fn decode_untyped(_: &[u8], _: &[Reference], _: &Limits) -> Option<Result<Self, DecodeError>>
    where
        Self: Sized,
    {
        None
    }

    /// This type made from an untyped value, where [`Schema::as_untyped`] gives one.
    #[doc(hidden)]
    fn from_untyped(_: Entity) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// Whether values are sent as untyped ones.
    #[doc(hidden)]
    const UNTYPED: bool = false;
}

/// Collects the definitions of one document.
#[derive(Debug, Default)]
pub struct SchemaBuilder {
    known: BTreeMap<TypeId, u32>,
    definitions: Vec<Definition>,
}

impl SchemaBuilder {
    /// Refers to the definition of `T`, which `shape` makes the first time.
    ///
    /// Where another type took the name, this one gets a number behind it, as in `Pose#2`.
    pub fn define<T: Schema + ?Sized>(
        &mut self,
        name: &str,
        shape: impl FnOnce(&mut Self) -> Shape,
    ) -> Type {
        if let Some(&index) = self.known.get(&TypeId::of::<T>()) {
            return Type::Named(index);
        }
        let place = self.definitions.len();
        let index = u32::try_from(place).expect("a program has fewer types");
        self.known.insert(TypeId::of::<T>(), index);
        let name = self.free_name(name);
        // The place is taken before the parts are described, so they can refer to it.
        self.definitions.push(Definition { name, shape: Shape::Struct(Fields::Unit) });
        let shape = shape(self);
        self.definitions[place].shape = shape;
        Type::Named(index)
    }

    fn free_name(&self, name: &str) -> String {
        let taken = |name: &str| self.definitions.iter().any(|other| other.name == name);
        let numbered = (2u32..).map(|number| format!("{name}#{number}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        names.find(|name| !taken(name)).expect("numbers do not run out")
    }
}

pub(super) fn document<T: Schema>() -> SchemaDoc {
    let mut builder = SchemaBuilder::default();
    let root = T::build(&mut builder);
    SchemaDoc::new(root, builder.definitions)
}

macro_rules! leaves {
    ($($type:ty => $leaf:ident;)*) => {$(
        impl Schema for $type {
            fn build(_: &mut SchemaBuilder) -> Type {
                Type::$leaf
            }
        }
    )*};
}

leaves! {
    () => Unit;
    bool => Bool;
    u8 => U8;
    u16 => U16;
    u32 => U32;
    u64 => U64;
    u128 => U128;
    usize => U64;
    i8 => I8;
    i16 => I16;
    i32 => I32;
    i64 => I64;
    i128 => I128;
    isize => I64;
    f32 => F32;
    f64 => F64;
    char => Char;
    String => Text;
    str => Text;
    bytes::Bytes => Bytes;
    Position => U64;
    Reference => Reference;
}

impl Schema for Entity {
    fn build(_: &mut SchemaBuilder) -> Type {
        Type::Any
    }

    fn as_untyped(&self) -> Option<&Entity> {
        Some(self)
    }

    fn decode_untyped(
        bytes: &[u8],
        table: &[Reference],
        limits: &Limits,
    ) -> Option<Result<Self, DecodeError>> {
        Some(Self::decode_with(bytes, table, limits))
    }

    fn from_untyped(entity: Entity) -> Option<Self> {
        Some(entity)
    }

    const UNTYPED: bool = true;
}

impl Schema for Bounds {
    fn build(builder: &mut SchemaBuilder) -> Type {
        builder.define::<Self>("Bounds", |builder| {
            let end = <Option<Position>>::build(builder);
            let ends = vec![Field::new("start", end.clone()), Field::new("end", end)];
            Shape::Struct(Fields::named(ends))
        })
    }
}

impl<T: ?Sized + 'static> Schema for PhantomData<T> {
    fn build(_: &mut SchemaBuilder) -> Type {
        Type::Unit
    }
}

macro_rules! wrappers {
    ($($wrapper:ident)*) => {$(
        impl<T: Schema + ?Sized> Schema for $wrapper<T> {
            fn build(builder: &mut SchemaBuilder) -> Type {
                T::build(builder)
            }
        }
    )*};
}

wrappers!(Box Rc Arc);

fn list<T: Schema>(builder: &mut SchemaBuilder) -> Type {
    Type::List(Box::new(T::build(builder)))
}

fn map<K: Schema, V: Schema>(builder: &mut SchemaBuilder) -> Type {
    Type::Map(Box::new(K::build(builder)), Box::new(V::build(builder)))
}

impl<T: Schema> Schema for Option<T> {
    fn build(builder: &mut SchemaBuilder) -> Type {
        Type::Option(Box::new(T::build(builder)))
    }
}

impl<T: Schema> Schema for [T] {
    fn build(builder: &mut SchemaBuilder) -> Type {
        list::<T>(builder)
    }
}

impl<T: Schema> Schema for Vec<T> {
    fn build(builder: &mut SchemaBuilder) -> Type {
        list::<T>(builder)
    }
}

impl<T: Schema> Schema for VecDeque<T> {
    fn build(builder: &mut SchemaBuilder) -> Type {
        list::<T>(builder)
    }
}

impl<T: Schema + Ord> Schema for BTreeSet<T> {
    fn build(builder: &mut SchemaBuilder) -> Type {
        list::<T>(builder)
    }
}

#[expect(clippy::disallowed_types, reason = "users may have such sets in their types")]
impl<T, S> Schema for std::collections::HashSet<T, S>
where
    T: Schema + Eq + Hash,
    S: BuildHasher + 'static,
{
    fn build(builder: &mut SchemaBuilder) -> Type {
        list::<T>(builder)
    }
}

impl<K: Schema + Ord, V: Schema> Schema for BTreeMap<K, V> {
    fn build(builder: &mut SchemaBuilder) -> Type {
        map::<K, V>(builder)
    }
}

#[expect(clippy::disallowed_types, reason = "users may have such maps in their types")]
impl<K, V, S> Schema for std::collections::HashMap<K, V, S>
where
    K: Schema + Eq + Hash,
    V: Schema,
    S: BuildHasher + 'static,
{
    fn build(builder: &mut SchemaBuilder) -> Type {
        map::<K, V>(builder)
    }
}

impl<T: Schema, const N: usize> Schema for [T; N] {
    fn build(builder: &mut SchemaBuilder) -> Type {
        let len = u32::try_from(N).expect("serde describes arrays of up to 32 elements");
        Type::Array(len, Box::new(T::build(builder)))
    }
}

impl<T: Schema, E: Schema> Schema for Result<T, E> {
    fn build(builder: &mut SchemaBuilder) -> Type {
        builder.define::<Self>("Result", |builder| {
            let ok = Fields::Tuple(vec![T::build(builder)]);
            let err = Fields::Tuple(vec![E::build(builder)]);
            Shape::Enum(vec![Variant::new("Ok", ok), Variant::new("Err", err)])
        })
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))*) => {$(
        impl<$($name: Schema),+> Schema for ($($name,)+) {
            fn build(builder: &mut SchemaBuilder) -> Type {
                Type::Tuple(vec![$($name::build(builder)),+])
            }
        }
    )*};
}

tuples! {
    (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H)
}
