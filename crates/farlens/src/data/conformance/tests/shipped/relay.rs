//! Data of another process, which is this one here.

use super::*;
use crate::{
    FixedData, MemData, Streamer,
    data::relay::Relay,
    object::{LocalStreamer, streams::way_to},
};
use farlens_proto::BatchBuilder;
use farlens_wire::{
    AtEnd, Delivery, Flags, Pos, Reference,
    frame::stream::{Credit, Open, Target},
};

async fn relayed(streamer: Streamer, flags: Flags) -> Relay {
    let reference = Reference::new(LocalStreamer::new(streamer).expect("its mode is sound"));
    let open = Open {
        target: Target::Path(String::new()),
        flags: flags.bits(),
        kind: None,
        start: Pos::START,
        at_end: AtEnd::Stop,
        delivery: Delivery::Lossless,
        purpose: farlens_proto::Purpose::Use,
        credit: Credit::default(),
        ranges: Vec::new(),
        fingerprint: None,
        urgency: farlens_wire::Urgency::USUAL,
    };
    let way = way_to(&reference).await.expect("it is a stream of this process");
    Relay::open(way, None, &open).await.expect("it can be opened")
}

struct Fixed(Kind);

impl Subject for Fixed {
    type Data = Relay;
    type Keep = ();

    async fn make(&self, elements: u64) -> (Relay, ()) {
        let data = match self.0 {
            Kind::Bytes => FixedData::bytes(bytes(0..elements)),
            Kind::Items => {
                let mut batch = BatchBuilder::default();
                (0..elements).for_each(|n| batch.push(&entity_at(n)));
                FixedData::encoded(batch.finish())
            }
        };
        (relayed(Streamer::new(data), Flags::READABLE).await, ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        element(self.0, n)
    }
}

#[tokio::test]
async fn relayed_data_that_never_changes_conform() {
    for kind in [Kind::Bytes, Kind::Items] {
        let report = check_on_disk(&Fixed(kind)).await;
        assert!(passed(&report) >= 15, "{report:?}");
    }
}

struct Memory;

impl Subject for Memory {
    type Data = Relay;
    type Keep = ();

    async fn make(&self, elements: u64) -> (Relay, ()) {
        let data = MemData::new(bytes(0..elements));
        let both = Flags::READABLE | Flags::WRITABLE;
        (relayed(Streamer::new(data).writable(), both).await, ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        vec![byte_at(n)]
    }
}

/// What forbids a change that the mode of the stream allows. The mode is all that the origin knows.
const JUDGED_BY_MODE: [&str; 9] = [
    "write_stops_at_a_fixed_end",
    "write_inside_needs_overwrite",
    "write_at_a_fixed_end",
    "write_beyond_the_reach",
    "write_beyond_the_gap",
    "truncate_down_needs_shrink",
    "truncate_up_needs_grow",
    "truncate_before_needs_advance",
    "truncate_beyond_the_reach",
];

#[tokio::test]
async fn relayed_data_that_are_written_conform_but_for_rules_that_differ_from_the_mode() {
    let report = check_on_disk(&Memory).await;
    let of = |wanted: fn(&Outcome) -> bool| {
        let checks = report.checks().iter().filter(move |check| wanted(&check.outcome));
        checks.map(|check| check.name).collect::<Vec<_>>()
    };
    let failed = of(|outcome| matches!(outcome, Outcome::Failed(_)));
    assert_eq!(failed, JUDGED_BY_MODE, "{report:?}");
    assert!(of(|outcome| *outcome == Outcome::Passed).len() >= 40);
}
