//! Remote objects and seekable streams over one mutually authenticated TLS 1.3 link.

pub mod data;
mod error;

pub use error::{Error, ErrorKind, Result};
pub use farlens_proto::{BatchBuilder, Chunk, ItemBatch, Kind};
pub use farlens_wire::{
    AtEnd, Bounds, Code, Flags, Limits, Mode, ModeOffer, OutOfRange, Pos, Position,
};
