//! How much of what a peer does comes into the log.

use parking_lot::Mutex;
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// Lines in any [`WINDOW`].
const LINES: usize = 10;
const WINDOW: Duration = Duration::from_secs(1);

/// The lines that one link, or one listening socket, may add to the log: ten in any second. What a
/// peer can cause must not fill a disk.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Written>);

#[derive(Default)]
struct Written {
    /// When the last lines were written, the oldest first.
    at: VecDeque<Instant>,
    left_out: u64,
}

impl Lines {
    /// Whether a line may be written now, and how many were left out since the last one.
    pub(crate) fn allow(&self) -> Option<u64> {
        let mut written = self.0.lock();
        let now = Instant::now();
        if written.at.len() >= LINES {
            if written.at.front().is_some_and(|oldest| now < *oldest + WINDOW) {
                written.left_out = written.left_out.saturating_add(1);
                return None;
            }
            written.at.pop_front();
        }
        written.at.push_back(now);
        Some(std::mem::take(&mut written.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_second_has_more_than_ten_lines() {
        let lines = Lines::default();
        let flood = || (0..1000).filter_map(|_| lines.allow()).collect::<Vec<_>>();
        assert_eq!(flood(), [0; 10]);
        tokio::time::advance(WINDOW / 2).await;
        assert!(flood().is_empty());
        tokio::time::advance(WINDOW / 2).await;
        let again = flood();
        assert_eq!((again.len(), again[0], again[1]), (10, 1990, 0));
    }
}
