//! Settings that both systems on HTTP/2 share. The defaults are meant for many small exchanges;
//! with these neither a window nor a frame is what limits a bulk read.

use crate::peer::Stage;

/// How a connection is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tuning {
    /// Bytes that a stream may be ahead of its reader.
    pub(super) stream_window: u32,
    /// Bytes that all streams together may be ahead.
    pub(super) connection_window: u32,
    /// Bytes of a frame.
    pub(super) frame: u32,
    /// Streams at a time.
    pub(super) streams: u32,
}

impl Tuning {
    /// For the work of a stage.
    pub(super) const fn of(stage: &Stage) -> Self {
        Self {
            stream_window: stage.window,
            connection_window: 4 * stage.window,
            frame: 64 << 10,
            streams: stage.streams,
        }
    }
}
