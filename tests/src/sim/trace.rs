//! What happened: always as a hash, as text if that is wanted, and counted by sort.

use crate::rng::mix;
use std::fmt::Write;

macro_rules! seen {
    ($($name:ident $text:literal)*) => {
        /// Something of which a run of many seeds should have seen a lot.
        #[derive(Clone, Copy, Debug)]
        pub enum Seen {
            $(#[doc = $text] $name,)*
        }

        impl Seen {
            /// All sorts, in words.
            pub const ALL: &'static [&'static str] = &[$($text,)*];
        }
    };
}

seen! {
    Reads "reads with elements"
    InPlace "reads sent in place"
    Gaps "gaps"
    Skips "elements left out for who wants the latest"
    LateStarts "starts that moved before anything was read"
    Writes "runs stored whole or in part"
    Shorts "runs stored in part"
    Truncations "ends moved"
    Syncs "syncs"
    Conflicts "changes refused for their guard"
    Refusals "changes refused otherwise"
    DiskFaults "changes failed by the disk"
    Orphans "changes made after their link was lost"
    Steps "steps told as done"
    Failures "steps told as failed"
    Overloads "steps refused since too many were under way"
    BusyCloses "closes with steps under way"
    Ranges "ranges read"
    ShortRanges "ranges that the end cut short"
    FailedRanges "ranges failed"
}

/// How often each of [`Seen::ALL`] was seen.
pub type Counts = [u64; Seen::ALL.len()];

#[derive(Debug)]
pub(super) struct Trace {
    pub(super) hash: u64,
    pub(super) lines: Option<Vec<String>>,
    pub(super) counts: Counts,
}

impl Trace {
    pub(super) fn new(seed: u64, record: bool) -> Self {
        Self { hash: mix(seed), lines: record.then(Vec::new), counts: Counts::default() }
    }

    pub(super) fn note(&mut self, now: u64, what: &str, numbers: &[u64]) {
        let mut hash = self.hash ^ now;
        for byte in what.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        for &number in numbers {
            hash = mix(hash ^ number);
        }
        self.hash = hash;
        if let Some(lines) = &mut self.lines {
            let mut line = format!("{:>12.6} {what}", now as f64 / 1e6);
            for number in numbers {
                let _ = write!(line, " {number}");
            }
            lines.push(line);
        }
    }

    pub(super) fn say(&mut self, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>12} {}", "", text()));
        }
    }

    pub(super) const fn count(&mut self, what: Seen) {
        self.counts[what as usize] += 1;
    }
}
