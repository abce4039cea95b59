//! The command as others use it: real processes, pipes, signals and exit codes.

mod bytes;
mod demo;
mod entities;
mod live;
mod objects;
mod process;
mod refusals;
mod tail;
mod tls;
mod watch;
mod write;
