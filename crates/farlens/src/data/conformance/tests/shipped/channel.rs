//! Sequences that each reader gets whole.

use super::*;
use crate::data::{ChannelReader, Publisher, ReadBudget, StreamerData, channel};

/// A reader of a channel from which another has read before.
pub(super) struct Attached {
    /// Whether its publisher has left.
    pub(super) ended: bool,
}

/// Elements that were sent and read before.
const EARLIER: u64 = 9;

impl Attached {
    fn send(publisher: &Publisher<Entity>, numbers: Range<u64>) {
        numbers.for_each(|n| publisher.try_send(value(n)).expect("there is room"));
    }
}

impl Subject for Attached {
    type Data = ChannelReader;
    type Keep = Option<Publisher<Entity>>;

    async fn make(&self, elements: u64) -> (ChannelReader, Self::Keep) {
        let (publisher, channel) = channel(elements + 1_000);
        let first = channel.open();
        Self::send(&publisher, 7_000..7_000 + EARLIER);
        let waits = first.read_now(at(EARLIER), ReadBudget { bytes: 1, elements: 1 });
        assert!(waits.is_none(), "everything before is let go of");
        Self::send(&publisher, 0..elements);
        let reader = channel.open();
        (reader, (!self.ended).then_some(publisher))
    }

    fn element(&self, n: u64) -> Vec<u8> {
        entity_at(n)
    }

    async fn grow(
        &self,
        _: &ChannelReader,
        publisher: &mut Self::Keep,
        numbers: Range<u64>,
    ) -> bool {
        let Some(publisher) = publisher else { return false };
        Self::send(publisher, numbers);
        true
    }
}

#[tokio::test(start_paused = true)]
async fn readers_of_a_channel_conform() {
    let report = check(&Attached { ended: false }).await;
    assert!(passed(&report) >= 20);
    assert!(has_passed(&report, "other_places_break_nothing"));
    assert!(has_passed(&report, "growth_reaches_readers"));
}

#[tokio::test(start_paused = true)]
async fn readers_of_a_channel_that_ended_conform() {
    let report = check(&Attached { ended: true }).await;
    assert!(passed(&report) >= 20);
    assert!(has_passed(&report, "ended_is_final"));
}
