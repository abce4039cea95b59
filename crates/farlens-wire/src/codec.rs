//! From bytes to frames, without copying what is large.
//!
//! Blocks of input go in, frames come out. A frame that lies whole in its block is a slice of it;
//! only one that crosses a block's edge is gathered. Bulk bytes are handed over in the pieces in
//! which they arrive, each looking like a frame of its own.

use crate::{
    Epoch, Limits, Page, Position, StreamId, frame,
    frame::{Frame, FrameError, StreamFrame, stream},
    varint,
    varint::VarintError,
};
use bytes::{Buf, Bytes};

/// The longest header: kind, id, length, and epoch and position of a bulk frame.
const HEAD_MAX: usize = 1 + 4 * varint::MAX_LEN;

/// Cuts a stream of bytes into frames.
#[derive(Debug)]
pub struct FrameDecoder {
    max_payload: usize,
    /// The same for frames that are neither calls, results nor elements.
    max_control: usize,
    input: Bytes,
    /// The front of something that crosses the edge of a block.
    carry: Vec<u8>,
    /// Where short messages are kept.
    page: Page,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Head,
    Body { kind: u8, id: u64, length: usize },
    Bulk { id: u64, epoch: Epoch, at: Position, left: usize },
}

impl FrameDecoder {
    /// A decoder that accepts payloads of up to `max_payload` bytes.
    #[must_use]
    pub const fn new(max_payload: usize) -> Self {
        let max_control =
            if max_payload < Limits::CONTROL_BYTES { max_payload } else { Limits::CONTROL_BYTES };
        Self {
            max_payload,
            max_control,
            input: Bytes::new(),
            carry: Vec::new(),
            page: Page::new(),
            state: State::Head,
        }
    }

    /// Changes the largest payload, from the next header on. Control frames may have
    /// [`Limits::CONTROL_BYTES`] from then on, even where that is more: a whole path must fit.
    pub fn set_max_payload(&mut self, bytes: usize) {
        self.max_payload = bytes;
        self.max_control = Limits::CONTROL_BYTES;
    }

    /// Adds a block of input. The one before must have been used up by [`FrameDecoder::next`].
    pub fn push(&mut self, block: Bytes) {
        debug_assert!(self.input.is_empty(), "the block before is used up first");
        self.input = block;
    }

    /// The next frame, or nothing when the input is used up.
    ///
    /// # Errors
    /// A frame that cannot be accepted. Only after [`FrameError::Unsupported`] may decoding go on.
    #[expect(clippy::should_implement_trait, reason = "an error does not end the sequence")]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            match self.state {
                State::Head => {
                    if !self.take_head()? {
                        return Ok(None);
                    }
                }
                State::Body { kind, id, length } => {
                    let Some(payload) = self.take_whole(length) else { return Ok(None) };
                    self.state = State::Head;
                    return Frame::decode(kind, id, &payload, &mut self.page).map(Some);
                }
                State::Bulk { id, epoch, at, left } => {
                    if self.input.is_empty() {
                        return Ok(None);
                    }
                    return Ok(Some(self.take_bulk(id, epoch, at, left)));
                }
            }
        }
    }

    /// Reads a header once it is there whole; says whether it was.
    fn take_head(&mut self) -> Result<bool, FrameError> {
        let before = self.carry.len();
        let parsed = if before == 0 {
            self.parse_head(&self.input)?
        } else {
            let more = self.input.len().min(HEAD_MAX.saturating_sub(before));
            self.carry.extend_from_slice(&self.input[..more]);
            self.parse_head(&self.carry)?
        };
        match parsed {
            Some((state, used)) => {
                self.carry.clear();
                self.input.advance(used.saturating_sub(before));
                self.state = state;
                Ok(true)
            }
            None => {
                if before == 0 {
                    self.carry.extend_from_slice(&self.input);
                }
                self.input.clear();
                Ok(false)
            }
        }
    }

    fn parse_head(&self, bytes: &[u8]) -> Result<Option<(State, usize)>, FrameError> {
        let Some((&kind, mut rest)) = bytes.split_first() else { return Ok(None) };
        let Some(id) = head_number(kind, &mut rest)? else { return Ok(None) };
        let Some(claimed) = head_number(kind, &mut rest)? else { return Ok(None) };
        let length = self.check_length(kind, claimed)?;
        if kind != stream::DATA {
            let used = bytes.len().saturating_sub(rest.len());
            return Ok(Some((State::Body { kind, id, length }, used)));
        }
        let body = rest.len();
        let Some(epoch) = head_number(kind, &mut rest)? else { return Ok(None) };
        let Some(at) = head_number(kind, &mut rest)? else { return Ok(None) };
        let malformed = |what| FrameError::Malformed { kind, what };
        let at = Position::new(at).ok_or(malformed("a position beyond 2^63-1"))?;
        let fields = body.saturating_sub(rest.len());
        let left = length.checked_sub(fields).filter(|&left| left > 0);
        let left = left.ok_or(malformed("no elements"))?;
        if id == 0 {
            return Err(malformed("this kind goes with another id"));
        }
        let state = State::Bulk { id, epoch: Epoch(epoch), at, left };
        Ok(Some((state, bytes.len().saturating_sub(rest.len()))))
    }

    fn check_length(&self, kind: u8, length: u64) -> Result<usize, FrameError> {
        let limit = match kind {
            0x01 => Limits::HELLO_BYTES,
            0x06 | 0x10 | 0x11 | 0x14 | 0x21..=0x24 | 0x37 | frame::FIRST_IGNORABLE.. => {
                self.max_payload
            }
            _ => self.max_control,
        };
        usize::try_from(length).ok().filter(|&length| length <= limit).ok_or(FrameError::TooLarge {
            kind,
            length,
            limit,
        })
    }

    /// A payload of `length` bytes: a slice of the block, or gathered over several.
    fn take_whole(&mut self, length: usize) -> Option<Bytes> {
        if self.carry.is_empty() && self.input.len() >= length {
            return Some(self.input.split_to(length));
        }
        let missing = length.saturating_sub(self.carry.len()).min(self.input.len());
        self.carry.extend_from_slice(&self.input.split_to(missing));
        (self.carry.len() == length).then(|| Bytes::from(std::mem::take(&mut self.carry)))
    }

    fn take_bulk(&mut self, id: u64, epoch: Epoch, at: Position, left: usize) -> Frame {
        let payload = self.input.split_to(left.min(self.input.len()));
        let left = left.saturating_sub(payload.len());
        let after = at.forward(payload.len() as u64).unwrap_or(Position::MAX);
        self.state =
            if left == 0 { State::Head } else { State::Bulk { id, epoch, at: after, left } };
        let data = stream::Data { epoch, at, payload };
        Frame::Stream(StreamId(id), StreamFrame::Data(data))
    }
}

/// A varint of a header: nothing when it is cut.
fn head_number(kind: u8, rest: &mut &[u8]) -> Result<Option<u64>, FrameError> {
    match varint::take(rest) {
        Ok(number) => Ok(Some(number)),
        Err(VarintError::Incomplete) => Ok(None),
        Err(VarintError::NotCanonical) => {
            Err(FrameError::Malformed { kind, what: "a varint is malformed" })
        }
    }
}
