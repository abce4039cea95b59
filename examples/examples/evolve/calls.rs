//! Calls between versions.

use crate::{
    v1::{self, Tracker as _},
    v2::{self, Counter as _, Tracker as _},
};
use farlens::{Code, Error, Link, Result};
use farlens_examples::{check, wrong};

/// A caller that knows version 1, an object that has version 2.
pub(crate) async fn old_client(link: &Link) -> Result<()> {
    let tracker: v1::TrackerRef = link.object("/tracker").await?;
    let pose = tracker.locate("needle".into(), 4).await?;
    println!("  locate: {pose:?}");
    let expected = v1::Pose { x: 4.0, y: -0.5, note: String::new(), state: v1::State::Tracked };
    check(pose == expected, "what is gone has its default")?;
    tracker.choose(4).await?;
    println!("  choose: a narrow number was passed for a wide one");
    // An answer might be too large for a u32. So nothing is called, whatever the values are.
    let counter = link.object::<v1::CounterRef>("/counter").await;
    is_refused("the counter", counter.err(), Code::SCHEMA_MISMATCH)
}

/// A caller that knows version 2, an object that has version 1.
pub(crate) async fn new_client(link: &Link) -> Result<()> {
    let tracker: v2::TrackerRef = link.object("/tracker").await?;
    let pose = tracker.locate(Some("median".into()), 4, "needle".into()).await?;
    println!("  locate: {pose:?}");
    let expected = v2::Pose { state: v2::State::Tracked, quality: None, y: -0.5, x: 4.0 };
    check(pose == expected, "what is new has its default")?;
    let counter: v2::CounterRef = link.object("/counter").await?;
    let count = counter.count().await?;
    println!("  count: {count}, from a narrower number");
    check(count == 3, "three tools")?;
    is_refused("choose", tracker.choose(4).await.err(), Code::SCHEMA_MISMATCH)?;
    is_refused("calibrate", tracker.calibrate().await.err(), Code::NO_SUCH_METHOD)
}

/// What does not fit is refused, and says why.
fn is_refused(what: &str, error: Option<Error>, code: Code) -> Result<()> {
    let error = error.ok_or_else(|| wrong(format!("{what} should not fit")))?;
    println!("  {what} is refused: {error}");
    check(error.code() == code, format!("{what} should fail with {code}"))
}
