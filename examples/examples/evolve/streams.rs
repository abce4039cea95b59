//! Streams between versions.

use crate::{v1, v2};
use farlens::{Code, Link, Result};
use farlens_examples::{check, wrong};
use futures::{StreamExt, TryStreamExt};

/// A reader that knows version 1, a publisher that has version 2.
pub(crate) async fn old_reader(link: &Link) -> Result<()> {
    let mut poses = link.entities::<v1::Pose>("/poses").await?;
    let pose = |x, state| v1::Pose { x, y: 2.0 * x, note: String::new(), state };
    for expected in [pose(1.0, v1::State::Tracked), pose(2.0, v1::State::Lost)] {
        let found = poses.try_next().await?;
        println!("  read: {found:?}");
        check(found == Some(expected), "fields are found by their names")?;
    }
    let unknown = poses.next().await.and_then(Result::err);
    let unknown = unknown.ok_or_else(|| wrong("the third pose has an unknown variant"))?;
    println!("  only where it is used: {unknown}");

    let refused = link.entities::<v1::Tick>("/ticks").await.err();
    let refused = refused.ok_or_else(|| wrong("a wide number does not fit"))?;
    println!("  refused when it is opened: {refused}");
    check(refused.code() == Code::SCHEMA_MISMATCH, "types that do not fit are told apart")?;
    check(refused.message().contains("at"), "the difference has a place")
}

/// A reader that knows version 2, a publisher that has version 1.
pub(crate) async fn new_reader(link: &Link) -> Result<()> {
    let poses: Vec<v2::Pose> = link.entities("/poses").await?.try_collect().await?;
    println!("  read: {poses:?}");
    let pose = |x, state| v2::Pose { state, quality: None, y: 2.0 * x, x };
    let expected = [pose(1.0, v2::State::Tracked), pose(2.0, v2::State::Lost)];
    check(poses == expected, "variants are found by their names")?;

    let ticks: Vec<v2::Tick> = link.entities("/ticks").await?.try_collect().await?;
    println!("  read: {ticks:?}, from narrower numbers");
    check(ticks == [v2::Tick { at: 7 }], "a wide number holds a narrow one")
}
