//! What a user holds of a stream that a peer publishes.

mod bytes;
mod conversion;
mod cursor;
mod entities;
mod entity_writer;
mod events;
#[cfg(test)]
mod flights;
mod local;
mod options;
pub(crate) mod origin;
mod place;
mod prefetch;
pub(crate) mod raw;
mod reader;
mod writer;

pub use bytes::ByteStream;
pub use entities::EntityStream;
pub use events::{StreamEvent, StreamEvents};
pub use options::OpenOptions;
pub use place::{Condition, When};
pub use reader::ByteReader;
pub use writer::ByteWriter;

#[cfg(test)]
mod tests {
    use super::{ByteStream, EntityStream, raw::RawStream};

    #[test]
    fn a_stream_that_waits_is_small() {
        let sizes =
            [size_of::<ByteStream>(), size_of::<EntityStream<u64>>(), size_of::<RawStream>()];
        assert!(sizes[0] <= 240 && sizes[1] <= 176 && sizes[2] <= 24, "{sizes:?} bytes");
    }
}
