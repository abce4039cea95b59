//! The traits of `std::io` over those of `tokio::io`, for handles with `inner` and `waiter`.

/// `Read`, `BufRead` and `Seek`; `settle` is done before a seek.
macro_rules! read_with {
    ($handle:ty, $settle:expr) => {
        impl std::io::Read for $handle {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.waiter.wait(tokio::io::AsyncReadExt::read(&mut self.inner, buffer))?
            }
        }

        impl std::io::BufRead for $handle {
            fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
                self.waiter.wait(tokio::io::AsyncBufReadExt::fill_buf(&mut self.inner))?
            }

            fn consume(&mut self, amount: usize) {
                tokio::io::AsyncBufReadExt::consume(&mut self.inner, amount);
            }
        }

        impl std::io::Seek for $handle {
            /// As `seek_to`. What was written before is applied first.
            fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
                use tokio::io::AsyncSeek;
                let settle: fn(&mut $handle) -> std::io::Result<()> = $settle;
                settle(self)?;
                let mut inner = std::pin::Pin::new(&mut self.inner);
                inner.as_mut().start_seek(to)?;
                self.waiter.wait(std::future::poll_fn(|cx| inner.as_mut().poll_complete(cx)))?
            }

            fn stream_position(&mut self) -> std::io::Result<u64> {
                Ok(self.position().get())
            }
        }
    };
}

/// `Write`.
macro_rules! write_with {
    ($handle:ty) => {
        impl std::io::Write for $handle {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.waiter.wait(tokio::io::AsyncWriteExt::write(&mut self.inner, bytes))?
            }

            /// Waits until what was written is applied.
            fn flush(&mut self) -> std::io::Result<()> {
                self.waiter.wait(tokio::io::AsyncWriteExt::flush(&mut self.inner))?
            }
        }
    };
}

pub(super) use {read_with, write_with};
