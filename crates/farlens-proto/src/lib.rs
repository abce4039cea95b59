//! What a Farlens link means: the deterministic, IO-free machines of links and streams.

mod buffer;

pub use buffer::chunk::{BadBatch, BatchBuilder, Chunk, ItemBatch};
pub use farlens_wire::Kind;
