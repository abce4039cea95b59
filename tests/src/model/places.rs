//! What a range must give: bytes that were there between the question and the answer.

use super::{Elements, Published};
use bytes::Bytes;
use farlens_proto::RangeStatus;
use farlens_wire::Code;

/// A place that was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its first position.
    pub at: u64,
    /// Bytes from there.
    pub length: u64,
    /// The moment at which it was asked for.
    pub since: usize,
}

impl Place {
    /// Judges how it ended on a stream that may be over for one of the reasons `may_end`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn judge(
        &self,
        source: &Published,
        status: &RangeStatus,
        may_end: &[Code],
    ) -> Result<(), String> {
        match status {
            RangeStatus::Pending => Err("a range was done and is not".into()),
            RangeStatus::Done(bytes) => self.found(source, bytes),
            RangeStatus::Failed(fault) if may_end.contains(&fault.code) => Ok(()),
            RangeStatus::Failed(fault) if self.may_fail(source, fault.code) => Ok(()),
            RangeStatus::Failed(fault) => Err(format!("{self:?} failed with {fault}")),
        }
    }

    fn found(&self, source: &Published, bytes: &Bytes) -> Result<(), String> {
        let Self { at, length, since } = *self;
        let found = bytes.len() as u64;
        let end = at + found;
        if found > length || found < length && !source.ever(since, |edit| edit.end == end) {
            return Err(format!("{self:?} gave {found} bytes"));
        }
        let found = Elements::Bytes(bytes.to_vec());
        match source.first_unknown(at, &found, since) {
            Some(wrong) => Err(format!("{self:?}: the byte at {wrong} never was there")),
            None => Ok(()),
        }
    }

    fn may_fail(&self, source: &Published, code: Code) -> bool {
        let Self { at, length, since } = *self;
        let end = at + length;
        match code {
            Code::OUT_OF_RANGE => source.ever(since, |edit| edit.is_outside(at) || edit.start > at),
            Code::EVICTED => source.ever(since, |edit| edit.start > at),
            Code::TRUNCATED => source.ever(since, |edit| edit.end < end),
            Code::SOURCE_FAILED => source.failures.iter().any(|place| (at..end).contains(place)),
            _ => false,
        }
    }
}
