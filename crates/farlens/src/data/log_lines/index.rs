//! Which line lies where, without remembering each.

use std::collections::VecDeque;

/// Lines between two remembered ones.
const STRIDE: u64 = 256;

/// Places where a read ended, which is where the next one likely begins.
const RECENT: usize = 16;

/// The beginning of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) line: u64,
    /// Its position in the log of bytes.
    pub(super) at: u64,
}

/// The lines that are known. Costs sixteen bytes for every 256 of them and for each file.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// In order, the first of each file among them.
    anchors: VecDeque<Anchor>,
    recent: VecDeque<Anchor>,
    /// Where the next line begins, once it is whole.
    cursor: Anchor,
}

impl Index {
    /// The first line that can be read.
    pub(super) fn start(&self) -> u64 {
        self.anchors.front().map_or(self.cursor.line, |first| first.line)
    }

    /// Behind the last line that is known.
    pub(super) const fn end(&self) -> Anchor {
        self.cursor
    }

    /// Remembers that a file begins at the end, so that the start can move there.
    pub(super) fn begin_file(&mut self) {
        self.remember(self.cursor);
    }

    /// Adds a line that goes on up to `next`.
    pub(super) fn push(&mut self, next: u64) {
        if self.cursor.line.is_multiple_of(STRIDE) {
            self.remember(self.cursor);
        }
        self.cursor = Anchor { line: self.cursor.line + 1, at: next };
    }

    fn remember(&mut self, anchor: Anchor) {
        if self.anchors.back() != Some(&anchor) {
            self.anchors.push_back(anchor);
        }
    }

    /// Remembers where a read ended.
    pub(super) fn pause(&mut self, anchor: Anchor) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(anchor);
    }

    /// Forgets what lies before `start` in the log of bytes, which is where a file begins. Bytes
    /// that are gone before their lines were known count as one line.
    pub(super) fn advance(&mut self, start: u64) {
        while self.anchors.front().is_some_and(|first| first.at < start) {
            self.anchors.pop_front();
        }
        self.recent.retain(|anchor| anchor.at >= start);
        if self.cursor.at < start {
            self.cursor = Anchor { line: self.cursor.line + 1, at: start };
        }
    }

    /// The nearest known beginning at or before `line`, which is none below the start.
    pub(super) fn near(&self, line: u64) -> Option<Anchor> {
        let behind = self.anchors.partition_point(|anchor| anchor.line <= line);
        let remembered = self.anchors.get(behind.checked_sub(1)?).copied();
        let recent = self.recent.iter().copied().filter(|anchor| anchor.line <= line);
        recent.chain(remembered).max_by_key(|anchor| anchor.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of ten bytes.
    fn index(lines: u64) -> Index {
        let mut index = Index::default();
        index.begin_file();
        for line in 0..lines {
            index.push((line + 1) * 10);
        }
        index
    }

    #[test]
    fn every_line_is_found_from_a_near_one() {
        let mut index = index(1_000);
        assert_eq!(index.anchors.len(), 4);
        for line in 0..1_000 {
            let near = index.near(line).expect("known");
            assert_eq!(near.at, near.line * 10);
            assert!(near.line <= line && line - near.line < STRIDE);
        }
        index.pause(Anchor { line: 700, at: 7_000 });
        assert_eq!(index.near(701).map(|near| near.line), Some(700));
        assert_eq!(index.near(699).map(|near| near.line), Some(512));
    }

    #[test]
    fn the_start_moves_to_the_first_line_of_a_file() {
        let mut index = index(300);
        index.begin_file();
        index.push(3_010);
        index.pause(Anchor { line: 10, at: 100 });
        index.advance(3_000);
        assert_eq!((index.start(), index.end().line), (300, 301));
        assert_eq!(index.near(299), None);
        assert_eq!(index.near(300), Some(Anchor { line: 300, at: 3_000 }));
    }

    #[test]
    fn what_was_lost_before_it_was_split_counts_as_one_line() {
        let mut index = index(3);
        index.advance(30);
        assert_eq!((index.start(), index.end().line), (3, 3), "nothing was lost");
        index.advance(34);
        assert_eq!((index.start(), index.end()), (4, Anchor { line: 4, at: 34 }));
    }
}
