//! Which file holds which positions of a log.
//!
//! ```text
//!   evicted | generation 3 | generation 4 (its file was cut: same file) | generation 5, grows
//!           ^ start                                                                   end ^
//! ```

use farlens_wire::{Bounds, Position};
use std::{collections::VecDeque, fs::File, sync::Arc};

/// Files before the present one that are kept open and readable.
pub(super) const OLD_GENERATIONS: usize = 4;

/// The files of a log, oldest first. Only the last one grows.
#[derive(Default)]
pub(super) struct Generations {
    held: VecDeque<Generation>,
    /// One past the last position.
    end: u64,
    next_serial: u64,
    /// Nothing will be added any more.
    complete: bool,
}

struct Generation {
    /// Differs from that of every other generation, also of those in the same file.
    serial: u64,
    /// The position of its first byte.
    base: u64,
    /// Bytes that are known to be there.
    length: u64,
    file: Arc<File>,
}

/// The generation that grows.
pub(super) struct Present {
    pub(super) serial: u64,
    pub(super) length: u64,
    pub(super) file: Arc<File>,
}

/// Where a position lies.
pub(super) struct Place {
    pub(super) serial: u64,
    pub(super) file: Arc<File>,
    pub(super) offset: u64,
    /// Bytes of the whole generation, as far as they are known.
    pub(super) length: u64,
    /// Whether the generation grows no more.
    pub(super) closed: bool,
}

/// What a log knows of a position.
pub(super) enum Lookup {
    Here(Place),
    /// It was dropped.
    Gone,
    /// Nothing is there yet.
    End,
    /// It lies behind the end.
    Outside,
}

impl Generations {
    /// Starts a generation of `length` bytes; the one before it grows no more.
    pub(super) fn push(&mut self, file: Arc<File>, length: u64) {
        let generation = Generation { serial: self.next_serial, base: self.end, length, file };
        self.next_serial += 1;
        self.end = self.end.saturating_add(length);
        self.held.push_back(generation);
        while self.held.len() > OLD_GENERATIONS + 1 {
            self.held.pop_front();
        }
    }

    /// Nothing will be added any more.
    pub(super) fn complete(&mut self) {
        self.complete = true;
    }

    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    pub(super) fn present(&self) -> Option<Present> {
        let Generation { serial, length, ref file, .. } = *self.held.back()?;
        Some(Present { serial, length, file: Arc::clone(file) })
    }

    /// Takes note of the length of the present generation, unless another took its place.
    pub(super) fn grow(&mut self, serial: u64, length: u64) {
        if let Some(last) = self.held.back_mut()
            && last.serial == serial
            && last.length < length
        {
            last.length = length;
            self.end = last.base.saturating_add(length);
        }
    }

    /// The file of a generation lost bytes that were known: what came before its end cannot be read
    /// any more, and `length` bytes that it has now are new ones.
    pub(super) fn shrink(&mut self, serial: u64, length: u64) {
        let Some(index) = self.held.iter().position(|one| one.serial == serial) else { return };
        let file = Arc::clone(&self.held[index].file);
        self.held.drain(..=index);
        if self.held.is_empty() && !self.complete {
            self.push(file, length);
        }
    }

    /// The first position that can be read.
    pub(super) fn start(&self) -> u64 {
        self.held.front().map_or(self.end, |first| first.base)
    }

    pub(super) fn bounds(&self) -> Bounds {
        let position = |place| Some(Position::new(place).unwrap_or(Position::MAX));
        Bounds { start: position(self.start()), end: position(self.end) }
    }

    pub(super) fn find(&self, at: u64) -> Lookup {
        if at < self.start() {
            return Lookup::Gone;
        }
        let index = self.held.partition_point(|one| one.base.saturating_add(one.length) <= at);
        let Some(found) = self.held.get(index) else {
            return if at == self.end { Lookup::End } else { Lookup::Outside };
        };
        Lookup::Here(Place {
            serial: found.serial,
            file: Arc::clone(&found.file),
            offset: at - found.base,
            length: found.length,
            closed: self.complete || index + 1 < self.held.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Arc<File> {
        Arc::new(tempfile::tempfile().expect("temp dir"))
    }

    fn place(generations: &Generations, at: u64) -> Option<(u64, u64, bool)> {
        match generations.find(at) {
            Lookup::Here(place) => Some((place.serial, place.offset, place.closed)),
            _ => None,
        }
    }

    #[test]
    fn positions_go_on_from_file_to_file() {
        let mut log = Generations::default();
        assert!(matches!(log.find(0), Lookup::End));
        log.push(file(), 10);
        log.push(file(), 0);
        log.push(file(), 5);
        log.grow(2, 7);
        log.grow(0, 99);
        assert_eq!((log.start(), log.end), (0, 17), "only the last one grows");
        for (at, expected) in
            [(0, (0, 0, true)), (9, (0, 9, true)), (10, (2, 0, false)), (16, (2, 6, false))]
        {
            assert_eq!(place(&log, at), Some(expected), "at {at}");
        }
        assert!(matches!(log.find(17), Lookup::End));
        assert!(matches!(log.find(18), Lookup::Outside));
    }

    #[test]
    fn old_files_are_dropped_beyond_the_bound() {
        let mut log = Generations::default();
        for _ in 0..7 {
            log.push(file(), 10);
        }
        assert_eq!((log.held.len(), log.start(), log.end), (5, 20, 70));
        assert!(matches!(log.find(19), Lookup::Gone));
        assert_eq!(place(&log, 20), Some((2, 0, true)));
    }

    #[test]
    fn a_file_that_was_cut_takes_everything_before_along() {
        let mut log = Generations::default();
        for _ in 0..3 {
            log.push(file(), 10);
        }
        log.shrink(1, 3);
        assert_eq!((log.start(), log.end), (20, 30), "an old one is not written to");
        log.shrink(2, 3);
        assert_eq!((log.start(), log.end), (30, 33));
        assert_eq!(place(&log, 30), Some((3, 0, false)));
        log.shrink(2, 1);
        assert_eq!((log.start(), log.end), (30, 33), "noticed twice");
        log.complete();
        log.shrink(3, 0);
        assert_eq!((log.start(), log.end), (33, 33));
    }
}
