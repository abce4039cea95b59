//! What is produced as it is read.

use super::*;
use crate::data::{IterData, OpenIter};
use futures::channel::mpsc;

pub(super) struct Iterated;

impl Subject for Iterated {
    type Data = OpenIter;
    type Keep = ();

    async fn make(&self, elements: u64) -> (OpenIter, ()) {
        let mut numbers = 0..elements;
        let next = move |body: &mut Vec<u8>| {
            body.extend(entity_at(numbers.next()?));
            Some(Ok(()))
        };
        (IterData::encoded(next).open().expect("nobody has it"), ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        entity_at(n)
    }
}

#[tokio::test]
async fn an_iterator_conforms_as_far_as_it_goes() {
    assert!(passed(&check(&Iterated).await) >= 13);
}

/// An asynchronous stream, of everything at once.
struct Polled;

impl Subject for Polled {
    type Data = OpenIter;
    type Keep = ();

    async fn make(&self, elements: u64) -> (OpenIter, ()) {
        let values = futures::stream::iter((0..elements).map(value));
        (IterData::from_value_stream(values).open().expect("nobody has it"), ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        entity_at(n)
    }
}

/// An asynchronous stream of values that come one by one.
struct Fed;

impl Subject for Fed {
    type Data = OpenIter;
    type Keep = mpsc::Sender<crate::Result<Entity>>;

    async fn make(&self, elements: u64) -> (OpenIter, Self::Keep) {
        let (mut sender, values) = mpsc::channel(1_000);
        let data = IterData::from_stream(values).open().expect("nobody has it");
        assert!(self.grow(&data, &mut sender, 0..elements).await);
        (data, sender)
    }

    fn element(&self, n: u64) -> Vec<u8> {
        entity_at(n)
    }

    async fn grow(&self, _: &OpenIter, sender: &mut Self::Keep, numbers: Range<u64>) -> bool {
        numbers.for_each(|n| sender.try_send(Ok(value(n))).expect("there is room"));
        true
    }
}

#[tokio::test(start_paused = true)]
async fn an_asynchronous_stream_conforms_as_far_as_it_goes() {
    let report = check(&Polled).await;
    assert!(passed(&report) >= 13);
    assert!(has_passed(&report, "ended_is_final"));
    let report = check(&Fed).await;
    assert!(passed(&report) >= 13);
    assert!(has_passed(&report, "growth_reaches_readers"));
}
