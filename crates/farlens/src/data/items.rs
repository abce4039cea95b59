//! Encoded entities found by their number without decoding them.
//!
//! Entities have different lengths, so the place of entity n cannot be computed. A [`SparseIndex`]
//! remembers the offset of every 256th one; the rest is a walk over at most 255 length prefixes.

use super::ReadBudget;
use farlens_proto::ItemBatch;
use farlens_wire::varint;
use std::ops::Range;

/// Entities between two remembered offsets.
const STRIDE: u64 = 256;

/// The offset of every 256th entity of a run. Costs eight bytes for each of them.
#[derive(Debug, Default)]
pub(super) struct SparseIndex {
    count: u64,
    offsets: Vec<usize>,
}

impl SparseIndex {
    /// The index of entities that lie behind one another in `encoded`.
    pub(super) fn of(encoded: &[u8]) -> Self {
        let mut index = Self::default();
        let mut offset = 0;
        while let Some(next) = item_end(encoded, offset) {
            index.note(offset);
            offset = next;
        }
        index
    }

    /// Remembers that the next entity starts at `offset`.
    pub(super) fn note(&mut self, offset: usize) {
        if self.count.is_multiple_of(STRIDE) {
            self.offsets.push(offset);
        }
        self.count += 1;
    }

    /// The number of entities.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// A remembered offset at or before entity `n`, and how many entities to walk from there.
    pub(super) fn near(&self, n: u64) -> (usize, u64) {
        let slot = usize::try_from(n / STRIDE).ok();
        match slot.and_then(|slot| self.offsets.get(slot)) {
            Some(&offset) => (offset, n % STRIDE),
            None => (0, n),
        }
    }
}

/// Where the entities lie that follow the first `skip` ones and fit into `budget`.
///
/// The first of them is taken even when it alone exceeds the budget. An entity that `encoded` holds
/// only in part is left out, so the range may be empty.
pub(super) fn run_within(
    encoded: &[u8],
    from: usize,
    skip: u64,
    budget: ReadBudget,
) -> Range<usize> {
    let mut start = from;
    for _ in 0..skip {
        match item_end(encoded, start) {
            Some(next) => start = next,
            None => return start..start,
        }
    }
    let mut end = start;
    for taken in 0..budget.elements {
        match item_end(encoded, end) {
            Some(next) if taken == 0 || next - start <= budget.bytes => end = next,
            _ => break,
        }
    }
    start..end
}

/// Takes the longest run within `budget` off, one entity at least; references count.
pub(super) fn take_within(batch: &mut ItemBatch, budget: ReadBudget) -> ItemBatch {
    if batch.cost() <= budget.bytes && batch.count() <= budget.elements {
        return std::mem::take(batch);
    }
    let fitting = batch.fitting(budget.bytes).max(1);
    batch.split_to(fitting.min(budget.elements))
}

/// The offset behind the entity that starts at `offset`, if all of it is there.
pub(super) fn item_end(encoded: &[u8], offset: usize) -> Option<usize> {
    let (length, prefix) = varint::peek(encoded.get(offset..)?).ok()?;
    let end = offset.checked_add(prefix)?.checked_add(usize::try_from(length).ok()?)?;
    (end <= encoded.len()).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use farlens_proto::BatchBuilder;

    fn encoded(count: usize) -> Vec<u8> {
        let mut builder = BatchBuilder::default();
        for n in 0..count {
            builder.push(&vec![0; n % 200]);
        }
        builder.finish().encoded().to_vec()
    }

    const ALL: ReadBudget = ReadBudget { bytes: usize::MAX, elements: u64::MAX };

    #[test]
    fn every_entity_is_found_by_its_number() {
        let bytes = encoded(1_000);
        let index = SparseIndex::of(&bytes);
        assert_eq!((index.count(), index.offsets.len()), (1_000, 4));
        let mut offset = 0;
        for n in 0..1_000 {
            let (from, skip) = index.near(n);
            assert!(skip < STRIDE);
            assert_eq!(run_within(&bytes, from, skip, ALL), offset..bytes.len(), "entity {n}");
            offset = item_end(&bytes, offset).expect("there are 1,000");
        }
        assert_eq!(item_end(&bytes, offset), None);
    }

    #[test]
    fn a_budget_limits_bytes_and_elements_but_gives_one_at_least() {
        let bytes = [1, 9, 2, 9, 9, 1, 9];
        for (budget, end) in
            [((1, 9), 2), ((4, 9), 2), ((5, 9), 5), ((6, 9), 5), ((7, 9), 7), ((7, 2), 5)]
        {
            let budget = ReadBudget { bytes: budget.0, elements: budget.1 };
            assert_eq!(run_within(&bytes, 0, 0, budget), 0..end, "{budget:?}");
        }
    }

    #[test]
    fn an_entity_that_is_cut_off_is_left_out() {
        assert_eq!(run_within(&[1, 9, 2, 9], 0, 0, ALL), 0..2);
        assert_eq!(run_within(&[2, 9], 0, 0, ALL), 0..0);
        assert_eq!(run_within(&[1, 9], 0, 5, ALL), 2..2);
    }
}
