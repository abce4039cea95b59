//! The shape of typed values as data, so that who lacks the Rust type can still read them.
//!
//! A [`SchemaDoc`] is a type and the definitions that it refers to by number. Named types are
//! always definitions, which lets them contain themselves. The derive macro and [`SchemaBuilder`]
//! make documents; a peer may send one, which is decoded under a budget. [`decode_with`] reads
//! values by one and [`encode_with`] writes them; [`Resolution`] says how a reader whose type is
//! another one reads them.

mod build;
mod difference;
mod fingerprint;
mod format;
mod part;
mod read;
mod render;
mod resolve;
mod view;
mod write;

pub use build::{Schema, SchemaBuilder};
pub use difference::Difference;
pub use fingerprint::Fingerprint;
pub(crate) use read::{SOME, decode_next, is_marked};
pub use read::{decode_args, decode_type, decode_with};
pub use resolve::Resolution;
pub(crate) use view::View;
pub use write::{encode_args, encode_with};

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

#[expect(clippy::disallowed_types, reason = "a memo: who comes first changes nothing")]
type Documents = std::sync::RwLock<BTreeMap<TypeId, Arc<SchemaDoc>>>;

/// How one value is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a new type is a new version of the wire")]
pub enum Type {
    /// No bytes at all.
    Unit,
    /// One byte, zero or one.
    Bool,
    /// An unsigned integer of 8 bits, as it is.
    U8,
    /// An unsigned integer of 16 bits, as a varint; so are the larger ones.
    U16,
    /// An unsigned integer of 32 bits.
    U32,
    /// An unsigned integer of 64 bits. Stands for `usize` too.
    U64,
    /// An unsigned integer of 128 bits.
    U128,
    /// A signed integer of 8 bits, as it is.
    I8,
    /// A signed integer of 16 bits, as a zigzag varint; so are the larger ones.
    I16,
    /// A signed integer of 32 bits.
    I32,
    /// A signed integer of 64 bits. Stands for `isize` too.
    I64,
    /// A signed integer of 128 bits.
    I128,
    /// A float of 32 bits.
    F32,
    /// A float of 64 bits.
    F64,
    /// One character, as text.
    Char,
    /// A length and UTF-8.
    Text,
    /// A length and bytes.
    Bytes,
    /// An [`Entity`](crate::Entity) of any kind: a length and its encoding.
    Any,
    /// An object of any interface. References, also those to streams and to objects of an interface
    /// that is defined, are a varint of 32 bits: the index into the table beside the value.
    Reference,
    /// A stream of bytes, by reference.
    ByteStream,
    /// A stream of entities of this type, or of untyped ones, by reference.
    EntityStream(Option<Box<Type>>),
    /// Zero, or one and a value.
    Option(Box<Type>),
    /// A count and so many values.
    List(Box<Type>),
    /// So many values.
    Array(u32, Box<Type>),
    /// A count and so many pairs of key and value.
    Map(Box<Type>, Box<Type>),
    /// One value of each type.
    Tuple(Vec<Type>),
    /// The definition with this index.
    Named(u32),
}

/// The parts of a structure or variant, encoded one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "Rust has three kinds of structures")]
pub enum Fields {
    /// None.
    Unit,
    /// By position. A single one stands for itself.
    Tuple(Vec<Type>),
    /// By name.
    Named {
        /// The fields in the order of the encoding.
        fields: Vec<Field>,
        /// Whether a reader of this type refuses fields that it does not know. Not encoded.
        closed: bool,
    },
}

impl Fields {
    /// Named fields, of which a reader may meet more.
    #[must_use]
    pub const fn named(fields: Vec<Field>) -> Self {
        Self::Named { fields, closed: false }
    }
}

/// A field with a name. What only concerns its reader is neither encoded nor in the fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who describes a type by hand makes some")]
pub struct Field {
    /// The name in the encoded document.
    pub name: String,
    /// The type of its values.
    pub ty: Type,
    /// Whether a reader has a value for it where the writer has none. One that is an option always
    /// does, whatever this says.
    pub default: bool,
    /// Further names under which a reader takes it.
    pub aliases: Vec<String>,
}

impl Field {
    /// A field that every writer must have, under this name.
    #[must_use]
    pub fn new(name: impl Into<String>, ty: Type) -> Self {
        Self { name: name.into(), ty, default: false, aliases: Vec::new() }
    }
}

/// One of the forms of an enum.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who describes a type by hand makes some")]
pub struct Variant {
    /// The name in the encoded document.
    pub name: String,
    /// What it holds.
    pub fields: Fields,
    /// Further names under which a reader takes it. Not encoded.
    pub aliases: Vec<String>,
}

impl Variant {
    /// A variant that is read under this name only.
    #[must_use]
    pub fn new(name: impl Into<String>, fields: Fields) -> Self {
        Self { name: name.into(), fields, aliases: Vec::new() }
    }
}

/// What can be called of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an interface is its methods")]
pub struct Interface {
    /// What it is for, in words. Encoded, but not in the fingerprint.
    pub doc: String,
    /// The methods, whose names differ.
    pub methods: Vec<Method>,
}

/// One thing that can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a change of these is a new version of the wire")]
pub struct Method {
    /// What it is called by.
    pub name: String,
    /// What it does, in words. Encoded, but not in the fingerprint.
    pub doc: String,
    /// Names, which differ, and types of what it takes.
    pub params: Vec<(String, Type)>,
    /// What it answers with.
    pub result: Type,
    /// Whether nobody waits for an answer.
    pub one_way: bool,
}

/// What a definition defines.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a new shape is a new version of the wire")]
pub enum Shape {
    /// A structure.
    Struct(Fields),
    /// An enum: the index of a variant as a varint, then its fields.
    Enum(Vec<Variant>),
    /// An object, which is passed by reference.
    Interface(Interface),
}

/// A named type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a definition is a name and a shape")]
pub struct Definition {
    /// The name, which differs from those of the other definitions of its document.
    pub name: String,
    /// What it stands for.
    pub shape: Shape,
}

/// A type with all definitions that it needs.
///
/// Two documents are equal when their fingerprints are. Names are part of them: renaming a field
/// makes another type. Documentation and what only concerns readers are not.
#[derive(Clone, Debug)]
pub struct SchemaDoc {
    root: Type,
    definitions: Vec<Definition>,
    fingerprint: Fingerprint,
}

impl SchemaDoc {
    /// The document of a Rust type. Built once per type and process, then shared.
    #[must_use]
    pub fn of<T: Schema>() -> Arc<Self> {
        // One entry for each type that the program was compiled with.
        static DOCS: Documents = Documents::new(BTreeMap::new());
        let known = DOCS.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(doc) = known.get(&TypeId::of::<T>()) {
            return Arc::clone(doc);
        }
        drop(known);
        // An implementation may be the user's and ask for other documents: it runs unlocked.
        let doc = Arc::new(build::document::<T>());
        let mut docs = DOCS.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(docs.entry(TypeId::of::<T>()).or_insert(doc))
    }

    /// The type of the value itself.
    #[must_use]
    pub const fn root(&self) -> &Type {
        &self.root
    }

    /// The definitions; [`Type::Named`] counts them from zero.
    #[must_use]
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    /// The hash of the canonical encoding without documentation.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn definition(&self, index: u32) -> Option<&Definition> {
        self.definitions.get(usize::try_from(index).ok()?)
    }
}

impl PartialEq for SchemaDoc {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for SchemaDoc {}

#[cfg(test)]
mod tests;
