//! Settings that both systems on HTTP/2 share. The defaults are meant for many small exchanges;
//! with these neither a window nor a frame is what limits a bulk read on loopback.

/// Bytes that a stream may be ahead of its reader.
pub(super) const STREAM_WINDOW: u32 = 4 << 20;
/// Bytes that all streams together may be ahead.
pub(super) const CONNECTION_WINDOW: u32 = 16 << 20;
/// Bytes of a frame.
pub(super) const FRAME: u32 = 64 << 10;
/// Streams at a time; the default of 200 would make the others wait.
pub(super) const STREAMS: u32 = 2_000;
