//! A map for keys that rise: what is added nearly always goes behind all that is there, and what is
//! taken out is nearly always among the oldest.

use std::collections::VecDeque;

/// Gaps that do not matter.
const GAPS: usize = 16;
/// Entries that an empty ledger keeps room for.
const KEPT: usize = 128;

/// Entries in the order of their keys, which mostly rise by `STEP`. One that is taken out leaves a
/// gap, until gaps are the most.
#[derive(Debug)]
pub(super) struct Ledger<K, V, const STEP: u64 = 1> {
    entries: VecDeque<(K, Option<V>)>,
    /// Entries that are no gaps.
    len: usize,
}

impl<K, V, const STEP: u64> Default for Ledger<K, V, STEP> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), len: 0 }
    }
}

impl<K: Copy + Ord + Into<u64>, V, const STEP: u64> Ledger<K, V, STEP> {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an entry, or puts it in the place of the one with that key.
    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.entries.back().is_none_or(|(last, _)| *last < key) {
            self.entries.push_back((key, Some(value)));
            self.len = self.len.saturating_add(1);
            return;
        }
        let before = match self.find(key) {
            Ok(index) => self.entries.get_mut(index).and_then(|(_, old)| old.replace(value)),
            Err(index) => {
                self.entries.insert(index, (key, Some(value)));
                None
            }
        };
        self.len = self.len.saturating_add(usize::from(before.is_none()));
    }

    pub(super) fn get(&self, key: K) -> Option<&V> {
        self.entries.get(self.find(key).ok()?)?.1.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let index = self.find(key).ok()?;
        self.entries.get_mut(index)?.1.as_mut()
    }

    /// The oldest entry.
    pub(super) fn first(&self) -> Option<(K, &V)> {
        // At the front there is never a gap.
        let (key, value) = self.entries.front()?;
        Some((*key, value.as_ref()?))
    }

    pub(super) fn pop_first(&mut self) -> Option<(K, V)> {
        let (key, value) = self.entries.pop_front()?;
        self.len = self.len.saturating_sub(1);
        self.close_gaps();
        Some((key, value?))
    }

    pub(super) fn remove(&mut self, key: K) -> Option<V> {
        let index = self.find(key).ok()?;
        let value = self.entries.get_mut(index)?.1.take()?;
        self.len = self.len.saturating_sub(1);
        self.close_gaps();
        Some(value)
    }

    /// Drops an entry where it lies; says whether it was there.
    pub(super) fn discard(&mut self, key: K) -> bool {
        let Ok(index) = self.find(key) else { return false };
        let Some((_, value)) = self.entries.get_mut(index) else { return false };
        if value.is_none() {
            return false;
        }
        *value = None;
        self.len = self.len.saturating_sub(1);
        self.close_gaps();
        true
    }

    /// The entries, oldest first.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (K, V)> {
        self.entries.into_iter().filter_map(|(key, value)| Some((key, value?)))
    }

    fn find(&self, key: K) -> Result<usize, usize> {
        if let Some(guess) = self.guess(key)
            && self.entries.get(guess).is_some_and(|(found, _)| *found == key)
        {
            return Ok(guess);
        }
        self.entries.binary_search_by_key(&key, |(key, _)| *key)
    }

    /// Where a key stands if no step is missing behind it, as after the last time that gaps were
    /// closed.
    fn guess(&self, key: K) -> Option<usize> {
        let behind = self.entries.back()?.0.into().checked_sub(key.into())?.checked_div(STEP)?;
        self.entries.len().checked_sub(1)?.checked_sub(usize::try_from(behind).ok()?)
    }

    fn close_gaps(&mut self) {
        while self.entries.front().is_some_and(|(_, value)| value.is_none()) {
            self.entries.pop_front();
        }
        if self.is_empty() && self.entries.capacity() > KEPT {
            self.entries = VecDeque::new();
        }
        let gaps = self.entries.len().saturating_sub(self.len);
        if gaps > self.len.saturating_add(GAPS) {
            self.entries.retain(|(_, value)| value.is_some());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn gaps_are_never_the_most() {
        let mut ledger = Ledger::<_, _>::default();
        (0..10_000u64).for_each(|key| ledger.insert(key, key));
        (1..9_999).for_each(|key| assert_eq!(ledger.remove(key), Some(key)));
        assert!(ledger.entries.len() <= 2 + 2 + GAPS);
        assert_eq!(ledger.into_entries().collect::<Vec<_>>(), [(0, 0), (9_999, 9_999)]);
    }

    #[test]
    fn an_empty_one_gives_its_room_back() {
        let mut ledger = Ledger::<_, _>::default();
        (0..10_000u64).for_each(|key| ledger.insert(key, key));
        while ledger.pop_first().is_some() {}
        assert!(ledger.is_empty() && ledger.entries.capacity() <= KEPT);
    }

    proptest! {
        #[test]
        fn it_is_a_map(steps in proptest::collection::vec((0u8..5, 0u64..40), 0..400)) {
            let (mut ledger, mut map) = (Ledger::<_, _>::default(), BTreeMap::new());
            for (n, (what, key)) in steps.into_iter().enumerate() {
                match what {
                    0 => {
                        ledger.insert(key, n);
                        map.insert(key, n);
                    }
                    1 => prop_assert_eq!(ledger.remove(key), map.remove(&key)),
                    2 => prop_assert_eq!(ledger.pop_first(), map.pop_first()),
                    3 => prop_assert_eq!(ledger.discard(key), map.remove(&key).is_some()),
                    _ => prop_assert_eq!(ledger.get_mut(key), map.get_mut(&key)),
                }
                prop_assert_eq!(ledger.len(), map.len());
                prop_assert_eq!(ledger.get(key), map.get(&key));
                prop_assert_eq!(ledger.first(), map.first_key_value().map(|(&k, v)| (k, v)));
            }
            prop_assert!(ledger.into_entries().eq(map));
        }
    }
}
