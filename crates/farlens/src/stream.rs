//! What a user holds of a stream that a peer publishes.

mod bytes;
mod entities;
mod options;
pub(crate) mod raw;

pub use bytes::ByteStream;
pub use entities::EntityStream;
pub use options::OpenOptions;
