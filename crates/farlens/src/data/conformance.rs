//! Checks that any [`StreamerData`](super::StreamerData) can run against itself.
//!
//! The author describes the data by a [`Subject`]: how to make it, and how somebody else changes
//! it. [`check`] then makes it many times over and holds it to what the trait demands, as far as
//! what it offers makes a demand. No test framework is needed:
//!
//! ```
//! use farlens::data::{FixedData, conformance::{self, Subject}};
//!
//! struct Memory;
//!
//! impl Subject for Memory {
//!     type Data = FixedData;
//!     type Keep = ();
//!
//!     async fn make(&self, elements: u64) -> (FixedData, ()) {
//!         let bytes: Vec<u8> = (0..elements).flat_map(|n| self.element(n)).collect();
//!         (FixedData::bytes(bytes), ())
//!     }
//!
//!     fn element(&self, n: u64) -> Vec<u8> {
//!         vec![conformance::byte_at(n)]
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! conformance::check(&Memory).await.assert();
//! # }
//! ```
//!
//! Every call has a watchdog, so data that never answers fails instead of hanging. Time is that of
//! tokio and may be paused, unless the data works on threads of its own. A call that blocks its
//! thread cannot be watched.

mod bench;
mod follow;
mod model;
mod offer;
mod place;
mod program;
mod read;
mod refuse;
mod report;
mod state;
mod subject;
mod trial;
mod truncate;
mod write;

pub use report::{Check, Outcome, Report};
pub use subject::{Subject, byte_at, entity_at};

use bench::Bench;
use std::time::Duration;

/// Holds data to every rule that applies to it, with the settings of [`Suite::default`].
///
/// Needs a tokio runtime with time.
pub async fn check<S: Subject>(subject: &S) -> Report {
    Suite::default().check(subject).await
}

/// Settings of the checks.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    seed: u64,
    elements: u64,
    watchdog: Duration,
    quiet: Duration,
}

impl Default for Suite {
    /// Seed 1, 600 elements, ten seconds for each call, 20 ms for what must not happen.
    fn default() -> Self {
        Self {
            seed: 1,
            elements: 600,
            watchdog: Duration::from_secs(10),
            quiet: Duration::from_millis(20),
        }
    }
}

impl Suite {
    /// What random places and programs are drawn from. A report names it, and the same seed repeats
    /// them.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many elements the data holds whose whole content is read; 24 at least.
    #[must_use]
    pub const fn elements(mut self, elements: u64) -> Self {
        self.elements = if elements < FEW { FEW } else { elements };
        self
    }

    /// How long any one call may take.
    #[must_use]
    pub const fn watchdog(mut self, watchdog: Duration) -> Self {
        self.watchdog = watchdog;
        self
    }

    /// How long the checks look on where nothing may happen.
    #[must_use]
    pub const fn quiet(mut self, quiet: Duration) -> Self {
        self.quiet = quiet;
        self
    }

    /// Holds data to every rule that applies to it. Needs a tokio runtime with time.
    pub async fn check<S: Subject>(&self, subject: &S) -> Report {
        let mut report = Report::new(self.seed);
        let bench = match Bench::new(*self, subject).await {
            Ok(bench) => bench,
            Err(stop) => {
                report.add("data_is_made", "The data can be made and tells its offer.", Err(stop));
                return report;
            }
        };
        offer::run(&bench, &mut report).await;
        state::run(&bench, &mut report).await;
        read::run(&bench, &mut report).await;
        place::run(&bench, &mut report).await;
        follow::run(&bench, &mut report).await;
        write::run(&bench, &mut report).await;
        truncate::run(&bench, &mut report).await;
        refuse::run(&bench, &mut report).await;
        program::run(&bench, &mut report).await;
        report
    }
}

/// Elements of data on which single changes are tried.
const FEW: u64 = 24;

#[cfg(test)]
mod tests;
