//! Bytes that come in pieces and are handed over in one.

use crate::buffer::JOIN_BYTES;
use bytes::{Bytes, BytesMut};

/// Consecutive bytes. What came in one piece is not copied, unless it is a crumb, which would keep
/// the whole block alive of which it is a slice.
#[derive(Debug, Default)]
pub(super) enum Gathered {
    #[default]
    Nothing,
    One(Bytes),
    Many(BytesMut),
}

impl Gathered {
    pub(super) fn push(&mut self, piece: Bytes) {
        *self = match std::mem::take(self) {
            Self::Nothing if piece.len() >= JOIN_BYTES => Self::One(piece),
            Self::Nothing => Self::Many(BytesMut::from(&*piece)),
            Self::One(first) => {
                let mut joined = BytesMut::with_capacity(first.len().saturating_add(piece.len()));
                joined.extend_from_slice(&first);
                joined.extend_from_slice(&piece);
                Self::Many(joined)
            }
            Self::Many(mut joined) => {
                joined.extend_from_slice(&piece);
                Self::Many(joined)
            }
        };
    }

    /// Adds what was gathered behind it.
    pub(super) fn append(&mut self, behind: Self) {
        match (&*self, behind) {
            (_, Self::Nothing) => {}
            (Self::Nothing, behind) => *self = behind,
            (_, behind) => self.push(behind.into_bytes()),
        }
    }

    pub(super) fn into_bytes(self) -> Bytes {
        match self {
            Self::Nothing => Bytes::new(),
            Self::One(bytes) => bytes,
            Self::Many(bytes) => bytes.freeze(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(length: usize) -> Bytes {
        (0..length).map(|n| (n * 7 % 251) as u8).collect::<Vec<_>>().into()
    }

    #[test]
    fn one_large_piece_is_handed_on_as_it_is() {
        let block = pattern(64 << 10);
        let mut gathered = Gathered::default();
        gathered.push(block.slice(10..10 + JOIN_BYTES));
        let bytes = gathered.into_bytes();
        assert_eq!(bytes.as_ptr(), block[10..].as_ptr());
    }

    #[test]
    fn a_crumb_does_not_pin_its_block() {
        let block = pattern(64 << 10);
        let mut gathered = Gathered::default();
        gathered.push(block.slice(10..20));
        assert_eq!(gathered.into_bytes(), pattern(20)[10..]);
        assert!(block.is_unique());
    }

    #[test]
    fn pieces_keep_their_order() {
        let block = pattern(100_000);
        let (mut gathered, mut behind) = (Gathered::default(), Gathered::default());
        gathered.push(block.slice(..40_000));
        gathered.push(block.slice(40_000..40_001));
        behind.push(block.slice(40_001..40_002));
        behind.push(block.slice(40_002..));
        gathered.append(behind);
        assert_eq!(gathered.into_bytes(), block);
    }
}
