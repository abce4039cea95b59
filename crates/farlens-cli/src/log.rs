//! The library's own words, on standard error: `-v` for what happens, `-vv` for all of it.

use crate::args::Global;
use tracing_subscriber::filter::LevelFilter;

/// Shows what the library reports from now on.
pub(crate) fn start(global: &Global) {
    let level = match global.verbose {
        // Where errors are objects, other words would only be in their way.
        0 if global.json || global.quiet => LevelFilter::OFF,
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // Its formatter escapes control characters in the fields, so a peer's text stays a text.
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .init();
}
