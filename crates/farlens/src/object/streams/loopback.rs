//! Streamers of this process that are opened in this process.
//!
//! Each open has a pair of links of its own, so that a stream is the same thing wherever its data
//! are, and nothing is shared that could outlive a runtime.

use crate::{Link, Result, Streamer, mem::Pair};

/// Where the streamer stands at the other end.
pub(super) const PLACE: &str = "/";

/// A link over which `streamer` can be opened. The other end lives as long as it does.
pub(super) async fn to(streamer: Streamer) -> Result<Link> {
    let (near, far) = Pair::builder().publish(PLACE, streamer).link().await?;
    tokio::spawn(async move { far.closed().await });
    Ok(near)
}
