//! Deadlines, depth and calls that are given up.

use crate::probe::{Probe, ProbeRef, everywhere, probe};
use farlens::{CallContext, Code};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_is_given_up() {
    let (probe, events) = probe();
    let before = tokio::time::Instant::now();
    let error = probe.with_timeout(SHORT).stuck().await.unwrap_err();
    assert_eq!(error.code(), Code::DEADLINE_EXCEEDED);
    assert!(error.message().contains("`stuck`"), "{error}");
    assert_eq!(before.elapsed(), SHORT);
    events.unstuck.notified().await;
    assert_eq!(probe.with_timeout(SHORT).calibrate(1).await.unwrap(), 1.0);
}

#[tokio::test]
async fn dropping_a_call_drops_its_handler() {
    for (probe, events, _home) in everywhere().await {
        tokio::select! {
            _ = probe.stuck() => unreachable!("it waits for ever"),
            () = events.stuck.notified() => {}
        }
        events.unstuck.notified().await;
    }
}

#[tokio::test]
async fn every_call_of_a_call_is_one_deeper() {
    for (probe, _, _home) in everywhere().await {
        assert_eq!(CallContext::current().depth(), 0);
        assert_eq!(probe.depth(Vec::new()).await.unwrap(), 1);
        assert_eq!(probe.depth(vec![probe.clone(); 15]).await.unwrap(), 16);
        let error = probe.depth(vec![probe.clone(); 16]).await.unwrap_err();
        assert_eq!(error.code(), Code::TOO_DEEP);
    }
}

/// Passes the time that is left on.
struct Relay(ProbeRef);

#[farlens::remote]
trait Wait {
    async fn wait(&self) -> farlens::Result<()>;
    async fn left(&self) -> farlens::Result<Option<u64>>;
}

impl Wait for Relay {
    async fn wait(&self) -> farlens::Result<()> {
        self.0.with_timeout(SHORT * 1000).stuck().await
    }

    async fn left(&self) -> farlens::Result<Option<u64>> {
        let deadline = CallContext::current().deadline();
        let left = deadline.map(|at| at.duration_since(tokio::time::Instant::now()));
        Ok(left.map(|left| left.as_secs()))
    }
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_handler_take_its_deadline_along() {
    let (probe, events) = probe();
    let relay = WaitRef::new(Relay(probe));
    let before = tokio::time::Instant::now();
    let error = relay.with_timeout(SHORT).wait().await.unwrap_err();
    assert_eq!(error.code(), Code::DEADLINE_EXCEEDED);
    assert_eq!(before.elapsed(), SHORT);
    events.unstuck.notified().await;
    assert_eq!(relay.left().await.unwrap(), None);
    assert_eq!(relay.with_timeout(Duration::from_secs(7)).left().await.unwrap(), Some(7));
}
