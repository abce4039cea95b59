//! stub
use crate::{error::Violation, stream::recv::ReceiveBudget};
use bytes::{Bytes, BytesMut};
use farlens_wire::{
    Position,
    frame::{
        Fault,
        stream::{Range, RangeEnd, RangeId},
    },
};
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RangeTicket(pub u64);
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeStatus {
    Pending,
    Done(Bytes),
    Failed(Fault),
}
#[derive(Debug, Default)]
pub(crate) struct RangeReader;
impl RangeReader {
    pub(crate) fn ask(&mut self, _: Position, _: u64, _: &mut ReceiveBudget) -> RangeTicket {
        RangeTicket(0)
    }
    pub(crate) fn has_frame(&self) -> bool {
        false
    }
    pub(crate) fn put_frame(&mut self, _: &mut BytesMut, _: u64) {}
    pub(crate) fn take_for_open(&mut self) -> Vec<Range> {
        Vec::new()
    }
    pub(crate) fn handle_data(
        &mut self,
        _: RangeId,
        _: Position,
        _: Bytes,
        _: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        Ok(())
    }
    pub(crate) fn handle_end(
        &mut self,
        _: RangeEnd,
        _: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        Ok(())
    }
    pub(crate) fn take(&mut self, _: RangeTicket) -> RangeStatus {
        RangeStatus::Pending
    }
    pub(crate) fn forget(&mut self, _: RangeTicket) {}
    pub(crate) fn take_done(&mut self) -> Option<RangeTicket> {
        None
    }
    pub(crate) fn fail_all(&mut self, _: &Fault, _: &mut ReceiveBudget) {}
}
