//! One line of a listing: a name and what it stands for.

use serde::{Deserialize, Serialize};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, crate::Schema)]
#[non_exhaustive]
pub enum EntryKind {
    /// A sequence of bytes, as a file is.
    Bytes,
    /// A sequence of entities.
    Items,
    /// Something that can be listed in turn.
    Directory,
    /// Something whose methods can be called.
    Object,
}

/// A name in a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, crate::Schema)]
#[non_exhaustive]
pub struct Entry {
    /// The name, one component of a path.
    pub name: String,
    /// What it stands for.
    pub kind: EntryKind,
    /// The number of elements when the listing was made, where that is known.
    pub len: Option<u64>,
}

impl Entry {
    /// A line of a listing.
    pub fn new(name: impl Into<String>, kind: EntryKind, len: Option<u64>) -> Self {
        Self { name: name.into(), kind, len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_survives_encoding() {
        for entry in [
            Entry::new("a", EntryKind::Bytes, Some(u64::MAX)),
            Entry::new("ü", EntryKind::Items, None),
            Entry::new("", EntryKind::Directory, None),
            Entry::new("o", EntryKind::Object, None),
        ] {
            let encoded = postcard::to_stdvec(&entry).expect("a plain struct");
            assert_eq!(postcard::from_bytes::<Entry>(&encoded), Ok(entry));
        }
    }
}
