//! What is short has no piece of memory for itself.
//!
//! A message of some bytes costs less on its way than the memory that is asked for it, the more so
//! where one thread asks and another gives back.

use bytes::{Bytes, BytesMut};

/// A name. One of up to 23 bytes lies where the value lies.
pub type Name = smol_str::SmolStr;

/// The longest message that is put beside others, in bytes.
const SHORT_BYTES: usize = 256;
/// What such messages share, in bytes.
const PAGE_BYTES: usize = 2 << 10;

/// Where short messages are copied to, one behind the other.
#[derive(Debug, Default)]
pub struct Page(Option<BytesMut>);

impl Page {
    /// One that takes no memory until there is something on it.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// A copy of `bytes`. Up to 256 of them lie beside others: who keeps such a copy keeps 2 KiB.
    pub fn copied(&mut self, bytes: &[u8]) -> Bytes {
        if bytes.is_empty() || bytes.len() > SHORT_BYTES {
            return Bytes::copy_from_slice(bytes);
        }
        let rest = self.0.get_or_insert_with(|| BytesMut::with_capacity(PAGE_BYTES));
        if rest.capacity() < bytes.len() && !rest.try_reclaim(PAGE_BYTES) {
            *rest = BytesMut::with_capacity(PAGE_BYTES);
        }
        rest.extend_from_slice(bytes);
        rest.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(n: usize) -> Vec<u8> {
        (0..n % 300).map(|at| (n * 31 + at) as u8).collect()
    }

    #[test]
    fn copies_are_what_was_copied() {
        let mut page = Page::new();
        let copies: Vec<_> = (0..2_000).map(|n| page.copied(&message(n))).collect();
        for (n, copy) in copies.iter().enumerate() {
            assert_eq!(*copy, message(n));
        }
    }

    #[test]
    fn a_page_that_nobody_holds_is_used_again() {
        let mut page = Page::new();
        let first = page.copied(b"first").as_ptr();
        let next: Vec<_> = (0..1_000).map(|_| page.copied(&[7; 100]).as_ptr()).collect();
        assert!(next.contains(&first));
    }

    #[test]
    fn who_keeps_a_copy_keeps_one_page() {
        let mut page = Page::new();
        let kept = page.copied(b"kept");
        let others: Vec<_> = (0..1_000).map(|_| page.copied(&[7; 100])).collect();
        assert!(page.0.as_ref().is_some_and(|rest| rest.capacity() <= PAGE_BYTES));
        assert_eq!((&*kept, others.len()), (&b"kept"[..], 1_000));
    }
}
