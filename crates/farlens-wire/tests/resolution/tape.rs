//! Bytes that decide what is made. Where they end, everything is as simple as it can be.

pub(crate) struct Tape<'a> {
    rest: &'a [u8],
}

impl<'a> Tape<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// A number below `end`, zero at the end of the tape.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    /// True about once in `n` times, and never at the end of the tape.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    pub(crate) fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    /// A number of any size, more often a small one.
    pub(crate) fn number(&mut self) -> u128 {
        let bytes = [0, 1, 1, 2, 4, 8, 16][self.below(7)];
        (0..bytes).fold(0, |number, _| number << 8 | u128::from(self.byte()))
    }

    pub(crate) fn word(&mut self) -> String {
        let letters = ['a', 'b', 'ß', '\0', '→', '😀'];
        (0..self.below(4)).map(|_| letters[self.below(letters.len())]).collect()
    }
}
