//! The command as others use it: real processes, pipes, signals and exit codes.

mod bytes;
mod demo;
mod entities;
mod process;
mod refusals;
mod tls;
mod watch;
