//! Bytes in memory that peers change.

use super::*;
use crate::data::{MemData, StreamerData};
use farlens_proto::Rules;
use farlens_wire::{Edge, Pos};

/// Memory whose start went up by so many bytes before.
pub(super) struct Memory {
    pub(super) before: u64,
}

impl Subject for Memory {
    type Data = MemData;
    type Keep = ();

    async fn make(&self, elements: u64) -> (MemData, ()) {
        let mut content = vec![0; usize::try_from(self.before).expect("small")];
        content.extend(bytes(0..elements));
        let data = MemData::new(content);
        let start = Pos::Abs(at(self.before));
        data.truncate(Edge::Before, start, &Rules::all()).await.expect("it is inside");
        (data, ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        vec![byte_at(n)]
    }
}

#[tokio::test(start_paused = true)]
async fn memory_that_is_written_conforms() {
    for before in [0, 70] {
        assert!(passed(&check(&Memory { before }).await) >= 50);
    }
}

/// Memory in which no more fits than a check makes of it.
struct Full;

impl Subject for Full {
    type Data = MemData;
    type Keep = ();

    async fn make(&self, elements: u64) -> (MemData, ()) {
        let room = usize::try_from(elements + 128).expect("small");
        (MemData::new(bytes(0..elements)).capacity(room), ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        vec![byte_at(n)]
    }
}

#[tokio::test(start_paused = true)]
async fn memory_that_is_nearly_full_conforms() {
    assert!(passed(&check(&Full).await) >= 50);
}
