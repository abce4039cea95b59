//! What is said on a Farlens link: values, schemas, modes, frames and their encoding.
//!
//! This crate knows bytes and their meaning and nothing of connections. Everything that a peer can
//! send is decoded under a budget, in one canonical form, without recursion that the peer controls.

pub mod frame;
pub mod schema;
pub mod typed;
pub mod varint;

mod budget;
mod code;
mod codec;
mod element;
mod entity;
mod id;
mod limits;
mod mode;
mod pos;
mod read;
mod reference;
mod short;
mod urgency;

pub use budget::{Budget, DecodeError, EncodeError};
pub use code::Code;
pub use codec::FrameDecoder;
pub use element::Element;
pub use entity::{Base64, Entity, Rfc3339, WrongKind};
pub use id::{CallId, Epoch, Kind, ObjectId, Side, Step, StreamId};
pub use limits::{Limits, LimitsError};
pub use mode::{Flags, Forbidden, Mode, ModeError, ModeOffer, OfferError, Operation};
pub use pos::{AtEnd, Bounds, Delivery, Edge, OutOfRange, Pos, Position, PositionTooLarge};
pub use reference::{Reference, WeakReference};
pub use short::{Name, Page};
pub use urgency::Urgency;
