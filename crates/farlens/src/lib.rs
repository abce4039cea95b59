//! Remote objects and seekable streams over one mutually authenticated TLS 1.3 link.
//!
//! A [`Server`] publishes *streamers*: lenses onto a sequence of bytes (a file, memory, a growing
//! log) or of typed entities. The other end of a [`Link`] opens one and reads, seeks, follows its
//! moving end or iterates it as if it were local: a [`ByteStream`] is `AsyncRead + AsyncSeek`, an
//! [`EntityStream`] is a `futures::Stream`. [`Link::watch`] tells of changes of many at a time.
//! Programs without `async` use the same verbs in [`blocking`].

// What the macros write names things in `::farlens`.
extern crate self as farlens;

pub mod blocking;
pub mod data;
pub mod dirs;
pub mod mem;
pub mod middleware;
#[doc(hidden)]
pub mod raw;

mod access;
mod address;
mod base32;
mod client;
mod error;
mod events;
mod gateway;
mod grant;
mod host;
mod invite;
mod link;
mod net;
#[doc(hidden)]
pub mod object;
mod observe;
mod path;
mod percent;
mod private;
mod publish;
mod server;
mod stream;
mod target;
mod ticket;
mod tls;
mod url;

pub use ::bytes;
pub use address::Address;
pub use client::{Client, ClientBuilder, connect};
pub use data::{
    Channel, Directory, Entry, EntryKind, FileData, FixedData, IterData, Keep, LogFile, LogLines,
    MemData, Publisher, Spool, StreamerData, Topic,
};
pub use error::{Error, ErrorKind, Result};
pub use events::{Change, Events, WatchEvent};

pub use farlens_macros::Schema;
#[doc = include_str!("object/remote.md")]
pub use farlens_macros::remote;
pub use farlens_proto::{
    BatchBuilder, Chunk, Guard, ItemBatch, Kind, LinkStats, Reach, Room, Rules,
};
pub use farlens_wire::{
    AtEnd, Bounds, Code, Delivery, Edge, Element, Entity, Flags, Limits, Mode, ModeOffer, Name,
    Operation, OutOfRange, Pos, Position, Reference, Urgency, schema, schema::Schema,
};
pub use gateway::{Gateway, GatewayPipeline, GatewayRef, Listing};
pub use grant::{Grant, Pattern, Verb};
pub use invite::{Invites, Redemption};
pub use link::Link;
pub use middleware::Middleware;
pub use object::{
    CallContext, Dispatch, DynamicAnswer, DynamicObject, Incoming, Outcome, Remote, RemoteStreamer,
};
pub use observe::{Observation, StreamObserver};
pub use path::RemotePath;
pub use publish::{Expiry, Publication, Revoker, Stat, Streamer};
pub use server::{Server, ServerBuilder};
pub use stream::{
    ByteReader, ByteStream, ByteWriter, Condition, EntityStream, OpenOptions, StreamEvent,
    StreamEvents, When,
};
pub use target::{Target, TicketTarget};
pub use ticket::{Invite, Ticket};
pub use tls::{AuthorizedClient, AuthorizedClients, Identity, KeyId, KnownServer, KnownServers};
pub use url::Url;
