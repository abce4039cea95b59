//! What is taken from other data leaves data that keeps the rules.

use super::super::shapes::EndlessMaker;
use super::{
    channel::Attached,
    file::OnDisk,
    fixed::Fixed,
    iter::Iterated,
    live::Live,
    mem::Memory,
    spool::Spooled,
    topic::{Bound, Kept},
    *,
};
use crate::data::{
    StreamerData, erased,
    lease::{Lease, Leased},
    slice::{Slice, Window},
    throttle::{Bucket, Throttled},
};
use std::{num::NonZeroU64, sync::Arc};

/// How a slice ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Where its source does.
    Open,
    /// So many elements before its source.
    Before(u64),
    /// Behind its source.
    Behind,
}

/// A slice of other data that begins so many elements behind the start of that.
struct Sliced<S> {
    source: S,
    before: u64,
    end: End,
}

impl<S: Subject> Subject for Sliced<S> {
    type Data = Slice;
    /// With the place where it begins.
    type Keep = (Arc<S::Data>, S::Keep, u64);

    async fn make(&self, elements: u64) -> (Slice, Self::Keep) {
        let behind = if let End::Before(behind) = self.end { behind } else { 0 };
        let (data, keep) = self.source.make(self.before + elements + behind).await;
        let bounds = data.state().await.expect("it is sound").bounds;
        let start = bounds.start.map_or(0, Position::get) + self.before;
        let window = match self.end {
            End::Open => Window::new(&(start..)),
            End::Before(_) => Window::new(&(start..start + elements)),
            End::Behind => Window::new(&(start..start + elements + 10_000)),
        };
        let data = Arc::new(data);
        let source = Arc::clone(&data) as Arc<dyn erased::ErasedData>;
        (Slice::new(source, window.expect("it is not reversed")), (data, keep, start))
    }

    fn element(&self, n: u64) -> Vec<u8> {
        self.source.element(self.before + n)
    }

    fn appends_only(&self) -> bool {
        self.source.appends_only()
    }

    fn drops_oldest(&self) -> bool {
        self.source.drops_oldest()
    }

    async fn grow(&self, _: &Slice, keep: &mut Self::Keep, numbers: Range<u64>) -> bool {
        let (data, keep, _) = keep;
        let numbers = self.before + numbers.start..self.before + numbers.end;
        !matches!(self.end, End::Before(_)) && self.source.grow(data, keep, numbers).await
    }

    async fn evict(&self, _: &Slice, keep: &mut Self::Keep, before: Position) -> bool {
        let (data, keep, start) = keep;
        self.source.evict(data, keep, at(*start + before.get())).await
    }
}

/// Other data behind one more layer.
struct Under<S, D> {
    source: S,
    layer: fn(Arc<dyn erased::ErasedData>) -> D,
}

impl<S: Subject, D: StreamerData> Subject for Under<S, D> {
    type Data = D;
    type Keep = (Arc<S::Data>, S::Keep);

    async fn make(&self, elements: u64) -> (D, Self::Keep) {
        let (data, keep) = self.source.make(elements).await;
        let data = Arc::new(data);
        ((self.layer)(Arc::clone(&data) as Arc<dyn erased::ErasedData>), (data, keep))
    }

    fn element(&self, n: u64) -> Vec<u8> {
        self.source.element(n)
    }

    fn appends_only(&self) -> bool {
        self.source.appends_only()
    }

    fn drops_oldest(&self) -> bool {
        self.source.drops_oldest()
    }

    async fn grow(&self, _: &D, (data, keep): &mut Self::Keep, numbers: Range<u64>) -> bool {
        self.source.grow(data, keep, numbers).await
    }

    async fn evict(&self, _: &D, (data, keep): &mut Self::Keep, before: Position) -> bool {
        self.source.evict(data, keep, before).await
    }
}

const ENDS: [End; 3] = [End::Open, End::Before(7), End::Behind];

/// Checks slices of data with each kind of end, from its start and from later on.
async fn check_slices<S: Subject>(source: impl Fn() -> S, least: usize) {
    for end in ENDS {
        for before in [0, 5] {
            let report = check_on_disk(&Sliced { source: source(), before, end }).await;
            assert!(passed(&report) >= least, "{end:?} from {before}:\n{report}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn slices_of_memory_conform() {
    for before in [0, 70] {
        check_slices(|| Memory { before }, 25).await;
    }
    for kind in [Kind::Bytes, Kind::Items] {
        check_slices(|| Patient { kind, bug: None }, 25).await;
    }
}

#[tokio::test(start_paused = true)]
async fn slices_of_what_never_changes_conform() {
    for kind in [Kind::Bytes, Kind::Items] {
        check_slices(|| Fixed(kind), 20).await;
    }
    for end in [End::Open, End::Before(7)] {
        let slice = Sliced { source: EndlessMaker, before: 5, end };
        let report = check(&slice).await;
        let known = matches!(end, End::Before(_));
        report.assert();
        assert_eq!(has_passed(&report, "ended_is_final"), known, "{end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn slices_of_files_conform() {
    for follow in [false, true] {
        check_slices(|| OnDisk { follow }, 18).await;
    }
    for end in ENDS {
        for source in [Live::InPlace, Live::AppendOnly, Live::Followed] {
            let report = check_on_disk(&Sliced { source, before: 5, end }).await;
            assert!(passed(&report) >= 25, "{end:?}:\n{report}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn slices_of_topics_conform() {
    for by_peers in [false, true] {
        check_slices(|| Kept { bound: Bound::Count, by_peers }, 22).await;
        check_slices(|| Kept { bound: Bound::Age, by_peers }, 22).await;
    }
}

#[tokio::test(start_paused = true)]
async fn slices_of_what_is_produced_conform() {
    check_slices(|| Spooled(Kind::Items, 1 << 20), 18).await;
    for end in ENDS {
        let report = check(&Sliced { source: Attached { ended: false }, before: 0, end }).await;
        assert!(passed(&report) >= 18, "{end:?}:\n{report}");
    }
}

#[tokio::test]
async fn what_is_taken_from_an_iterator_conforms_as_far_as_it_goes() {
    for end in ENDS {
        let report = check(&Sliced { source: Iterated, before: 0, end }).await;
        assert!(passed(&report) >= 12, "{end:?}:\n{report}");
    }
    let leased = Under { source: Iterated, layer: |data| Leased::new(data, Lease::revocable().0) };
    assert!(passed(&check(&leased).await) >= 12);
    let layer = |data| Throttled::new(data, Arc::new(Bucket::new(NonZeroU64::MAX)));
    assert!(passed(&check(&Under { source: Iterated, layer }).await) >= 12);
}

/// Checks data of every sort behind a layer that leaves all of it.
async fn check_layer<D: StreamerData>(layer: fn(Arc<dyn erased::ErasedData>) -> D) {
    assert!(passed(&check(&Under { source: Memory { before: 70 }, layer }).await) >= 48);
    assert!(passed(&check(&Under { source: Fixed(Kind::Items), layer }).await) >= 19);
    let topic = Kept { bound: Bound::Count, by_peers: true };
    assert!(passed(&check(&Under { source: topic, layer }).await) >= 33);
    let file = OnDisk { follow: true };
    assert!(passed(&check_on_disk(&Under { source: file, layer }).await) >= 20);
    assert!(passed(&check_on_disk(&Under { source: Live::InPlace, layer }).await) >= 45);
    assert!(passed(&check(&Under { source: Spooled(Kind::Bytes, 1 << 20), layer }).await) >= 20);
    assert!(passed(&check(&Under { source: Attached { ended: true }, layer }).await) >= 20);
}

#[tokio::test(start_paused = true)]
async fn data_under_a_lease_conforms() {
    check_layer(|data| Leased::new(data, Lease::revocable().0)).await;
}

#[tokio::test(start_paused = true)]
async fn data_at_a_rate_conforms() {
    check_layer(|data| Throttled::new(data, Arc::new(Bucket::new(NonZeroU64::MAX)))).await;
}

#[tokio::test(start_paused = true)]
async fn data_that_waits_for_its_rate_conforms() {
    check_layer(|data| {
        let bucket = Bucket::new(NonZeroU64::new(20_000).expect("not zero"));
        bucket.charge(64 << 10);
        Throttled::new(data, Arc::new(bucket))
    })
    .await;
}
