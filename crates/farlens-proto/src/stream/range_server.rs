//! stub
use crate::{
    error::Violation,
    event::{Ask, Reply},
};
use bytes::BytesMut;
use farlens_wire::frame::stream::{Range, RangeId};
#[derive(Debug, Default)]
pub(crate) struct RangeServer;
impl RangeServer {
    pub(crate) fn accept(&mut self, _: RangeId, _: &[Range]) -> Result<(), Violation> {
        Ok(())
    }
    pub(crate) fn is_idle(&self) -> bool {
        true
    }
    pub(crate) fn queued(&self) -> usize {
        0
    }
    pub(crate) fn reserved(&self) -> usize {
        0
    }
    pub(crate) fn poll_request(&mut self, _: u64, _: usize) -> Option<Ask> {
        None
    }
    pub(crate) fn wants_request(&self) -> bool {
        false
    }
    pub(crate) fn is_asked(&self, _: u64) -> bool {
        false
    }
    pub(crate) fn handle_reply(&mut self, _: u64, _: Reply) {}
    pub(crate) fn has_data(&self) -> bool {
        false
    }
    pub(crate) fn put_frame(&mut self, _: &mut BytesMut, _: u64, _: usize) -> bool {
        false
    }
    pub(crate) fn clear(&mut self) {}
}
