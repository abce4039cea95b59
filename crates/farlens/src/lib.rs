//! Remote objects and seekable streams over one mutually authenticated TLS 1.3 link.

pub mod data;
pub mod dirs;

mod address;
mod base32;
mod error;
mod grant;
mod invite;
#[allow(dead_code, reason = "links use it")]
mod net;
mod path;
mod percent;
#[allow(dead_code, reason = "links use it")]
mod private;
mod target;
mod ticket;
#[allow(dead_code, reason = "links use it")]
mod tls;
mod url;

pub use address::Address;
pub use error::{Error, ErrorKind, Result};
pub use farlens_proto::{BatchBuilder, Chunk, ItemBatch, Kind};
pub use farlens_wire::{
    AtEnd, Bounds, Code, Flags, Limits, Mode, ModeOffer, OutOfRange, Pos, Position,
};
pub use grant::{Grant, Pattern, Verb};
pub use invite::{Invites, Redemption};
pub use path::RemotePath;
pub use target::{Target, TicketTarget};
pub use ticket::{Invite, Ticket};
pub use tls::{AuthorizedClient, AuthorizedClients, Identity, KeyId, KnownServer, KnownServers};
pub use url::Url;
