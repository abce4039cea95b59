//! The reference: what the peer of a stream must see and do, worked out without any machine.
//!
//! * [`elements`]: a run of elements.
//! * [`published`]: what a source held at each moment, and what may be done to it.
//! * [`reader`]: a position, and the places to which it wants to go.
//! * [`writer`]: steps in the order in which they were begun, and how far each was applied.
//! * [`places`]: ranges that were asked for beside the cursor.
//!
//! Arithmetic here is in 128 bits and shares nothing with the code under test.

pub mod elements;
pub mod places;
pub mod published;
pub mod reader;
pub mod writer;

use crate::pattern::{self, Sizes};
pub use elements::Elements;
use farlens_proto::Chunk;
pub use published::{Edit, Published};
pub use reader::{Last, Reader};
pub use writer::Writer;

/// The position of the first element of a chunk from `at` on that is not the pattern's.
#[must_use]
pub fn first_wrong(seed: u64, sizes: Sizes, at: u64, chunk: &Chunk) -> Option<u64> {
    match chunk {
        Chunk::Bytes(found) => Some(at + pattern::first_wrong_byte(seed, at, found)?),
        Chunk::Items(found) => {
            let wrong = |(n, body): &(u64, &[u8])| pattern::entity(seed, *n, sizes) != *body;
            Some((at..).zip(found.iter()).find(wrong)?.0)
        }
    }
}
