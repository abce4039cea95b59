//! What is said on a Farlens link: values, schemas, modes, frames and their encoding.
//!
//! This crate knows bytes and their meaning and nothing of connections. Everything that a peer can
//! send is decoded under a budget, in one canonical form, without recursion that the peer controls.

pub mod frame;
pub mod varint;

mod code;
mod codec;
mod id;
mod limits;
mod mode;
mod pos;

pub use code::Code;
pub use codec::FrameDecoder;
pub use id::{CallId, Epoch, Kind, ObjectId, Side, StreamId};
pub use limits::{Limits, LimitsError};
pub use mode::{Flags, Mode, ModeError, ModeOffer, OfferError};
pub use pos::{AtEnd, Bounds, OutOfRange, Pos, Position, PositionTooLarge};
