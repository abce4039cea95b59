//! The tables of references of a run's elements. Most runs have none, and pay one look for it.

use farlens_wire::{Limits, Reference};
use std::{collections::VecDeque, ops::Range, sync::Arc};

/// What the references of one element point at.
pub(crate) type Table = Arc<[Reference]>;

/// Which elements of a run hold references, and what these point at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables(Option<Box<Lines>>);

/// At least one line.
#[derive(Clone, Debug, Default)]
struct Lines {
    /// What is added to the index of an element. Taking elements off the front only raises it.
    base: u64,
    lines: VecDeque<(u64, Table)>,
    references: usize,
}

impl Tables {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// What credit counts for all of them, in bytes.
    pub(crate) fn cost(&self) -> usize {
        self.0.as_ref().map_or(0, |lines| cost_of(lines.references))
    }

    /// The table of the element with an index, empty if it has none.
    pub(crate) fn get(&self, index: u64) -> &[Reference] {
        let Some(lines) = &self.0 else { return &[] };
        let number = lines.base.saturating_add(index);
        let found = lines.lines.binary_search_by_key(&number, |(number, _)| *number).ok();
        found.and_then(|slot| lines.lines.get(slot)).map_or(&[], |(_, table)| table)
    }

    /// The tables of the elements with these indices, with the index of each.
    pub(crate) fn within(&self, indices: Range<u64>) -> impl Iterator<Item = (u64, &Table)> {
        self.0.iter().flat_map(move |lines| {
            let behind = |index: u64| {
                let number = lines.base.saturating_add(index);
                lines.lines.partition_point(|(other, _)| *other < number)
            };
            let (from, to) = (behind(indices.start), behind(indices.end));
            let found = lines.lines.range(from..to.max(from));
            found.map(|(number, table)| (number.saturating_sub(lines.base), table))
        })
    }

    /// All of them, with the index of each element.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Table)> {
        self.within(0..u64::MAX)
    }

    /// Adds the table of an element behind all that have one.
    pub(crate) fn push(&mut self, index: u64, table: Table) {
        if table.is_empty() {
            return;
        }
        let lines = self.0.get_or_insert_default();
        lines.references = lines.references.saturating_add(table.len());
        lines.lines.push_back((lines.base.saturating_add(index), table));
    }

    /// Adds those of a run that follows the first `count` elements.
    pub(crate) fn append(&mut self, count: u64, behind: Self) {
        let Some(behind) = behind.0 else { return };
        for (number, table) in behind.lines {
            self.push(count.saturating_add(number.saturating_sub(behind.base)), table);
        }
    }

    /// Takes off those of the first `count` elements, which the run has no more then.
    pub(crate) fn split_to(&mut self, count: u64) -> Self {
        let Some(lines) = &mut self.0 else { return Self::default() };
        let mut first = Self::default();
        let border = lines.base.saturating_add(count);
        let before = lines.lines.partition_point(|(number, _)| *number < border);
        for (number, table) in lines.lines.drain(..before) {
            lines.references = lines.references.saturating_sub(table.len());
            first.push(number.saturating_sub(lines.base), table);
        }
        lines.base = border;
        if lines.lines.is_empty() {
            self.0 = None;
        }
        first
    }

    /// The table of the first element, which is taken off the run.
    pub(crate) fn pop(&mut self) -> Option<Table> {
        self.0.as_ref()?;
        let (_, table) = self.split_to(1).0?.lines.pop_front()?;
        Some(table)
    }
}

impl PartialEq for Tables {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Tables {}

/// What credit counts for so many references, in bytes.
pub(crate) const fn cost_of(references: usize) -> usize {
    references.saturating_mul(Limits::REFERENCE_BYTES)
}
