//! What the author of a data type tells the checks about it.

use crate::data::StreamerData;
use farlens_wire::{Entity, Position};
use std::{future::Future, ops::Range};

/// A data type to be checked: how it is made, and how somebody else than its peer changes it.
pub trait Subject: Sync {
    /// The data.
    type Data: StreamerData;
    /// What lives as long as the data: its producer, a temporary folder; `()` if nothing does.
    type Keep: Send + Sync;

    /// Fresh data that holds the elements below `elements`, and nothing else unless it has no end.
    ///
    /// Called for each check anew. It panics when the data cannot be made.
    fn make(&self, elements: u64) -> impl Future<Output = (Self::Data, Self::Keep)> + Send;

    /// Element `n` of the data: one byte, or an entity as it is encoded. Data that can be written
    /// takes it for any `n` at any place. The best elements differ from their neighbours, as those
    /// of [`byte_at`] and [`entity_at`] do.
    fn element(&self, n: u64) -> Vec<u8>;

    /// Whether the data refuses to write over what is there, whatever the rules of a change say.
    fn appends_only(&self) -> bool {
        false
    }

    /// Adds these elements behind the end, as a producer does, and tells whether it did. It need
    /// not where only a peer that writes can add.
    fn grow(
        &self,
        data: &Self::Data,
        keep: &mut Self::Keep,
        numbers: Range<u64>,
    ) -> impl Future<Output = bool> + Send {
        let _ = (data, keep, numbers);
        std::future::ready(false)
    }

    /// Drops elements that lie before a place, as retention does, and tells whether it did.
    fn evict(
        &self,
        data: &Self::Data,
        keep: &mut Self::Keep,
        before: Position,
    ) -> impl Future<Output = bool> + Send {
        let _ = (data, keep, before);
        std::future::ready(false)
    }
}

/// A byte that depends on its number alone, and looks random.
#[must_use]
pub const fn byte_at(n: u64) -> u8 {
    super::bench::mix(n).to_be_bytes()[0]
}

/// An encoded untyped entity that depends on its number alone: now and then a number, otherwise
/// text of up to 60 bytes.
#[must_use]
pub fn entity_at(n: u64) -> Vec<u8> {
    let draw = super::bench::mix(n);
    let value = match usize::from(byte_at(n) % 60) {
        length @ 20.. => Entity::Text(format!("{draw:0length$}")),
        _ => Entity::Int((draw >> 1).cast_signed().into()),
    };
    let mut encoded = Vec::new();
    // Numbers and text have no depth and no keys, for want of which encoding fails.
    let _ = value.encode(&mut encoded);
    encoded
}
