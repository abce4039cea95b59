use super::{Expiry, Lease, Leased};
use crate::{
    Result,
    data::{MemData, ReadBudget, StreamerData, channel},
};
use bytes::Bytes;
use farlens_proto::{Chunk, Rules};
use farlens_wire::{Code, Edge, Pos, Position};
use futures::FutureExt;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, advance};

const ONE: ReadBudget = ReadBudget { bytes: 1, elements: 1 };

fn is_revoked<T>(outcome: &Result<T>) -> bool {
    outcome.as_ref().is_err_and(|error| error.code() == Code::REVOKED)
}

/// Asserts of every operation that it is refused, or that it is not.
async fn all_refused(data: &Leased, refused: bool) {
    let (rules, chunk) = (Rules::all(), || Chunk::Bytes(Bytes::from_static(b"x")));
    let (start, end) = (Position::ZERO, Pos::END);
    let now = "memory answers at once";
    for outcome in [
        is_revoked(&data.state().await),
        is_revoked(&data.state_now().expect(now)),
        is_revoked(&data.read_at(start, ONE).await),
        is_revoked(&data.read_now(start, ONE).expect(now)),
        is_revoked(&data.write_at(end, chunk(), &rules).await),
        is_revoked(&data.write_now(end, &chunk(), &rules).expect(now)),
        is_revoked(&data.truncate(Edge::After, end, &rules).await),
        is_revoked(&data.sync(false).await),
    ] {
        assert_eq!(outcome, refused);
    }
}

#[tokio::test]
async fn what_is_revoked_refuses_everything_and_stays_so() {
    let memory = MemData::new(*b"abc");
    let (lease, revoker) = Lease::revocable();
    let data = Leased::new(Arc::new(memory.clone()), lease.clone());
    all_refused(&data, false).await;
    drop(revoker.clone());
    all_refused(&data, false).await;
    let before = memory.to_vec();
    assert!(!revoker.is_revoked());
    revoker.revoke();
    revoker.clone().revoke();
    assert!(revoker.is_revoked());
    all_refused(&data, true).await;
    assert_eq!(memory.to_vec(), before);
    drop(revoker);
    all_refused(&data, true).await;
    assert!(is_revoked(&lease.check()));
}

#[tokio::test]
async fn nobody_can_revoke_once_the_last_revoker_is_gone() {
    let (lease, revoker) = Lease::revocable();
    let data = Leased::new(Arc::new(MemData::new(*b"abc")), lease);
    let seen = data.state().await.expect("it is held");
    let mut waiting = std::pin::pin!(data.changed(seen));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(revoker);
    assert!(waiting.as_mut().now_or_never().is_none());
    all_refused(&data, false).await;
}

#[tokio::test(start_paused = true)]
async fn what_expires_does_so_at_its_moment() {
    let second = Duration::from_secs(1);
    let moments: [Expiry; 3] =
        [second.into(), (Instant::now() + second).into(), Instant::now().into_std().into()];
    for (expiry, over) in moments.into_iter().zip([false, false, true]) {
        let data = Leased::new(Arc::new(MemData::new(*b"abc")), Lease::Until(expiry));
        all_refused(&data, over).await;
    }
    let data = Leased::new(Arc::new(MemData::new(*b"abc")), Lease::Until(moments[0]));
    advance(second - Duration::from_millis(1)).await;
    all_refused(&data, false).await;
    advance(Duration::from_millis(1)).await;
    all_refused(&data, true).await;
    let never = Leased::new(Arc::new(MemData::new(*b"abc")), Lease::Until(Duration::MAX.into()));
    all_refused(&never, false).await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_changes_is_woken_by_the_end_of_the_lease() {
    let five = Duration::from_secs(5);
    let (lease, revoker) = Lease::revocable();
    let begun = Instant::now();
    tokio::spawn(async move {
        tokio::time::sleep(five).await;
        revoker.revoke();
    });
    for (lease, seconds) in [(lease, 5), (Lease::Until((begun + 2 * five).into()), 10)] {
        let data = Leased::new(Arc::new(MemData::new(*b"abc")), lease);
        let seen = data.state().await.expect("it is held");
        data.changed(seen).await;
        assert!(is_revoked(&data.state().await));
        assert_eq!(begun.elapsed().as_secs(), seconds);
    }
}

#[tokio::test]
async fn what_comes_after_the_end_of_the_lease_is_not_shown_to_who_waited_for_it() {
    let (publisher, channel) = channel::<u64>(4);
    let (lease, revoker) = Lease::revocable();
    let data = Leased::new(Arc::new(channel.open()), lease);
    let mut waiting = std::pin::pin!(data.read_at(Position::ZERO, ONE));
    assert!(waiting.as_mut().now_or_never().is_none());
    revoker.revoke();
    publisher.send(1).expect("there is room");
    assert!(is_revoked(&waiting.await));
}
