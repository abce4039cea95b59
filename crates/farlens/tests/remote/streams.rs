//! Streams as results and as parameters.

use crate::probe::{Dataset, Pose, Probe, everywhere, probe};
use farlens::{Code, Entity, Error};
use futures::{StreamExt, TryStreamExt, stream};

#[tokio::test]
async fn a_method_gives_a_stream() {
    for (probe, _, _home) in everywhere().await {
        let poses: Vec<_> = probe.poses(100).try_collect().await.unwrap();
        assert_eq!(poses, (0..100).map(Pose::at).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_error_behind_the_items_before() {
    for (probe, _, _home) in everywhere().await {
        let mut untyped = Box::pin(probe.untyped());
        assert_eq!(untyped.next().await.unwrap().unwrap(), Entity::Int(1));
        assert_eq!(untyped.next().await.unwrap().unwrap(), Entity::from("two"));
        let error = untyped.next().await.unwrap().unwrap_err();
        assert!(error.message().contains("no more"), "{error}");
    }
}

#[tokio::test]
async fn a_reader_that_waits_holds_the_stream_back() {
    let (probe, events) = probe();
    let mut poses = Box::pin(probe.poses(1000));
    assert!(events.notes.lock().is_empty(), "nothing was asked for");
    assert_eq!(poses.next().await.unwrap().unwrap(), Pose::at(0));
    let made = events.notes.lock().len() - 1;
    assert!((1..=10).contains(&made), "{made} poses were made for one");
}

#[tokio::test]
async fn a_stream_that_is_dropped_goes_at_the_other_end_too() {
    for (probe, events, _home) in everywhere().await {
        let mut poses = Box::pin(probe.poses(u16::MAX));
        poses.next().await.unwrap().unwrap();
        drop(poses);
        events.unstuck.notified().await;
    }
}

#[tokio::test]
async fn a_stream_can_be_a_parameter() {
    for (probe, _, _home) in everywhere().await {
        assert_eq!(probe.sum(stream::iter((1..=1000).map(Ok))).await.unwrap(), 500_500);
        let broken = stream::iter([Ok(1), Err(Error::new(Code::BUSY, "no more"))]);
        let error = probe.sum(broken).await.unwrap_err();
        assert!(error.message().contains("no more"), "{error}");
    }
}

#[tokio::test]
async fn objects_come_and_go_in_streams() {
    for (probe, _, _home) in everywhere().await {
        let data = probe.dataset("all".into()).await.unwrap();
        let halves: Vec<_> = data.halves().try_collect().await.unwrap();
        assert_eq!(halves[1].size().await.unwrap(), 50);
        let both = stream::iter(halves.clone()).map(Ok);
        assert_eq!(data.total(both).await.unwrap(), 200);
    }
}

#[tokio::test]
async fn a_stream_that_cannot_be_had_begins_with_the_error() {
    let remote = farlens::Remote::from(crate::probe::AlarmRef::new(Deaf));
    let wrong = crate::probe::ProbeRef::from(remote);
    let mut poses = Box::pin(wrong.poses(1));
    let error = poses.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::NO_SUCH_METHOD);
    assert!(poses.next().await.is_none());
}

struct Deaf;

impl crate::probe::Alarm for Deaf {
    async fn fired(&self, _: String) -> farlens::Result<()> {
        Ok(())
    }
}
