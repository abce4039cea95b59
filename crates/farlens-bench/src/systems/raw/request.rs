//! What is asked of the server: a byte that says what, and either two numbers or a message.

use crate::data::{MESSAGE, Message, as_message};

/// A request to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Send the message back.
    Echo(Message),
    /// A piece of the block.
    Read { at: u64, len: u64 },
    /// So many bytes of memory.
    Memory(u64),
    /// So many bytes of the file.
    File(u64),
    /// So many entities, one by one.
    Entities(u64),
    /// So many entities in batches.
    Batches(u64),
    /// Take so many bytes; the answer to this is a byte.
    Put(u64),
    /// The live log, each piece of it so many times; the answer begins with a byte.
    Follow(u64),
}

const ECHO: u8 = 0;
const NUMBERS: usize = 16;

impl Request {
    /// Writes it behind others.
    pub(super) fn put(self, out: &mut Vec<u8>) {
        let (what, a, b) = match self {
            Self::Echo(message) => {
                out.push(ECHO);
                out.extend_from_slice(&message);
                return;
            }
            Self::Read { at, len } => (1, at, len),
            Self::Memory(count) => (2, count, 0),
            Self::File(count) => (3, count, 0),
            Self::Entities(count) => (4, count, 0),
            Self::Batches(count) => (5, count, 0),
            Self::Put(count) => (6, count, 0),
            Self::Follow(count) => (7, count, 0),
        };
        out.push(what);
        out.extend_from_slice(&a.to_be_bytes());
        out.extend_from_slice(&b.to_be_bytes());
    }

    /// Takes the first of those that have come, if it has come whole.
    pub(super) fn take(from: &mut &[u8]) -> Option<Self> {
        let (&what, rest) = from.split_first()?;
        let (body, rest) = rest.split_at_checked(if what == ECHO { MESSAGE } else { NUMBERS })?;
        *from = rest;
        if what == ECHO {
            return Some(Self::Echo(as_message(body)));
        }
        let number =
            |at: usize| u64::from_be_bytes(body[at..at + 8].try_into().unwrap_or_default());
        let (a, b) = (number(0), number(8));
        Some(match what {
            1 => Self::Read { at: a, len: b },
            2 => Self::Memory(a),
            3 => Self::File(a),
            4 => Self::Entities(a),
            5 => Self::Batches(a),
            6 => Self::Put(a),
            _ => Self::Follow(a),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::message;

    #[test]
    fn a_request_is_taken_once_it_is_whole() {
        let requests = [Request::Echo(message(5)), Request::Read { at: 7, len: 9 }];
        let mut bytes = Vec::new();
        requests.into_iter().for_each(|request| request.put(&mut bytes));
        let mut from = &bytes[..];
        assert_eq!(Request::take(&mut from), Some(requests[0]));
        assert_eq!(Request::take(&mut &from[..from.len() - 1]), None);
        assert_eq!(Request::take(&mut from), Some(requests[1]));
        assert_eq!(Request::take(&mut from), None);
    }
}
