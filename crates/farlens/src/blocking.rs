//! The same verbs for threads: for scripts, bindings and programs without a runtime of their own.
//!
//! Every call waits on the calling thread until it is done or its timeout has passed. Handles may
//! be moved between threads; a [`Link`] may also be shared and cloned. The work behind them is done
//! by one runtime for the whole process: two threads named `farlens-blocking`, and more of that
//! name while files or iterators are read. It starts with the first handle and ends with the last
//! one, once the farewells of its links are sent.
//!
//! ```no_run
//! use farlens::blocking;
//! use std::{io::{BufRead, Read, Seek, SeekFrom}, time::Duration};
//!
//! # fn main() -> farlens::Result<()> {
//! let link = blocking::connect("flp1…")?.with_timeout(Duration::from_secs(5));
//! let mut log = link.open("/app.log")?;
//! log.seek(SeekFrom::End(-512))?;
//! let mut tail = String::new();
//! log.read_to_string(&mut tail)?; // a cut link is an error here, never an end
//!
//! for line in link.open("/names.txt")?.lines() {
//!     println!("{}", line?);
//! }
//! for pose in link.entities::<[f32; 12]>("/poses")? {
//!     println!("{:?}", pose?);
//! }
//! link.close();
//! # Ok(())
//! # }
//! ```
//!
//! # Timeouts
//!
//! A timeout bounds one wait: `read_to_end` waits that long for each piece, not for the whole. What
//! takes longer is [`Code::TIMEOUT`](crate::Code::TIMEOUT), which is
//! [`TimedOut`](std::io::ErrorKind::TimedOut) for the traits of `std::io`. Without a timeout a call
//! waits until it is done or the link is over.
//!
//! A read or an iteration that ran out of time has taken nothing, and the next one goes on from
//! there. Of what `std::io` builds upon that, `read_to_end`, `read_until` and `read_line` leave
//! what they have read in their buffer, while `read_exact` and `lines` lose it. A request that ran
//! out of time, such as [`Link::open`] or [`Link::stat`], is given up.
//!
//! A write that ran out of time has taken nothing either: what `write` and
//! [`EntityStream::send`] took over is on its way, and a `flush` or `sync` that is repeated waits for
//! it, so nothing is lost or doubled. `write_all` does not say how far it came. A change beside the
//! cursor ([`ByteStream::write_at`], [`ByteStream::append`], [`ByteStream::truncate`]) is sent at
//! once, so after a timeout it may have been made, or still be; under a
//! [`Condition`](crate::Condition) it can be repeated without being made twice. A `close` that ran
//! out of time goes on in the background.
//!
//! A timeout of zero looks without waiting: it gives what has arrived already. What takes a round
//! trip never succeeds so.
//!
//! # Inside asynchronous programs
//!
//! These calls work on every thread, also within `spawn_blocking`, on a worker of another runtime
//! and nested in another executor. They block it there: what that thread alone can drive, such as
//! the server on the same single-threaded runtime, stands still meanwhile. The same holds for code
//! that runs on the threads behind this module: sources of data must not call it. Observers may,
//! since they have threads of their own.
//!
//! After a `fork` the child has none of those threads: fork before the first handle is made.

mod background;
mod bytes;
mod client;
mod entities;
mod events;
mod halves;
mod io;
mod link;
mod server;
mod stream_events;
mod wait;
mod when;

pub use bytes::ByteStream;
pub use client::{Client, connect};
pub use entities::EntityStream;
pub use events::Events;
pub use halves::{ByteReader, ByteWriter};
pub use link::Link;
pub use server::Server;
pub use stream_events::StreamEvents;
pub use when::When;
