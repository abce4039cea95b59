//! What passes between the thread that pulls and the reads without a lock.
//!
//! A lock for each entity takes longer than making one. So whoever pulls collects a short run by
//! itself, and shows it here as it grows: a read takes from it while the source blocks.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const WORD: usize = size_of::<u64>();

/// The run that grows, as reads see it. One thread shows it; who reads or clears it has the lock of
/// the store.
pub(super) struct Recent {
    words: Box<[AtomicU64]>,
    /// Bytes that are shown.
    shown: AtomicUsize,
}

impl Recent {
    /// One that shows up to `bytes`, a multiple of eight. One for none shows nothing.
    pub(super) fn new(bytes: usize) -> Self {
        let words = (0..bytes / WORD).map(|_| AtomicU64::new(0)).collect();
        Self { words, shown: AtomicUsize::new(0) }
    }

    /// Shows `run`, of which what lies before `from` was shown before.
    #[inline]
    pub(super) fn show(&self, run: &[u8], from: usize) {
        if self.words.is_empty() {
            return;
        }
        let first = from / WORD;
        let news = run.get(first * WORD..).unwrap_or_default();
        let mut words = self.words.get(first..).unwrap_or_default().iter();
        let (whole, rest) = news.as_chunks();
        for (bytes, word) in whole.iter().zip(&mut words) {
            word.store(u64::from_le_bytes(*bytes), Ordering::Relaxed);
        }
        if let Some(word) = words.next()
            && !rest.is_empty()
        {
            word.store(last_word(run, rest), Ordering::Relaxed);
        }
        self.shown.store(run.len(), Ordering::Release);
    }

    /// How many bytes there are to be seen.
    pub(super) fn len(&self) -> usize {
        self.shown.load(Ordering::Acquire)
    }

    /// What is there behind the first `seen` bytes.
    pub(super) fn behind(&self, seen: usize) -> Vec<u8> {
        let (first, len) = (seen / WORD, self.len());
        let words = self.words.get(first..len.div_ceil(WORD)).unwrap_or_default();
        let bytes = words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes());
        bytes.take(len - first * WORD).skip(seen % WORD).collect()
    }

    /// Shows nothing any more.
    pub(super) fn clear(&self) {
        self.shown.store(0, Ordering::Release);
    }
}

/// The word that begins with `rest`, the last bytes of `run`.
#[inline]
fn last_word(run: &[u8], rest: &[u8]) -> u64 {
    match run.last_chunk::<WORD>() {
        // Shifting is faster than copying a few bytes.
        Some(last) => u64::from_le_bytes(*last) >> (8 * (WORD - rest.len())),
        None => rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

/// How far whoever pulls goes before it takes the lock, counted from the first entity.
#[derive(Default)]
pub(super) struct Leash {
    bytes: AtomicU64,
    elements: AtomicU64,
}

impl Leash {
    /// Set with the lock.
    pub(super) fn set(&self, bytes: u64, elements: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
        self.elements.store(elements, Ordering::Relaxed);
    }

    /// Whether that is as far as it goes.
    #[inline]
    pub(super) fn ends_at(&self, bytes: u64, elements: u64) -> bool {
        bytes >= self.bytes.load(Ordering::Relaxed)
            || elements >= self.elements.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_seen_from_any_place_on() {
        let run: Vec<u8> = (1..=40).collect();
        for len in 0..=40 {
            let recent = Recent::new(40);
            for shown in 0..=len {
                recent.show(&run[..shown], shown.saturating_sub(1));
            }
            for seen in 0..=len {
                assert_eq!(recent.behind(seen), run[seen..len], "{seen} of {len}");
            }
        }
    }

    #[test]
    fn a_run_is_seen_whole_while_it_grows() {
        let recent = Recent::new(1 << 12);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut run = Vec::new();
                for n in 0..600_u16 {
                    let from = run.len();
                    run.extend([n as u8; 3]);
                    recent.show(&run, from);
                }
            });
            let mut seen = 0;
            while seen < 1_800 {
                let news = recent.behind(seen);
                assert!(news.iter().zip(seen..).all(|(&byte, at)| byte == (at / 3) as u8));
                seen += news.len();
            }
        });
    }
}
