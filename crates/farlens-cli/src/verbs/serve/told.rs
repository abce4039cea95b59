//! What a server says of its inputs while it runs.

use super::feed::Fed;
use crate::{args::Global, output};
use farlens::Error;
use serde::Serialize;

/// An input that came to its end.
#[derive(Serialize)]
struct Ended<'a> {
    event: &'static str,
    path: &'a str,
    len: u64,
    skipped: u64,
}

/// A line that is left out.
#[derive(Serialize)]
struct Skipped {
    event: &'static str,
    message: String,
}

/// Reports a line that is left out.
pub(super) fn bad_lines(global: &Global) -> impl Fn(&Error) + Send + 'static {
    let global = global.clone();
    move |error| {
        let message = error.to_string();
        output::note(&global, &format!("skipped: {}", output::printable(&message)));
        if global.json {
            output::line(&output::to_json(&Skipped { event: "skipped", message }));
        }
    }
}

/// Tells of an input that came to its end.
pub(super) fn ended(global: &Global, fed: &Fed) {
    let Ok(done) = &fed.outcome else { return };
    if global.json {
        // Nobody has to read on after the first line.
        let (path, len, skipped) = (&*fed.path, done.len, done.skipped);
        output::line(&output::to_json(&Ended { event: "ended", path, len, skipped }));
    }
    let mut text = format!("ended        {}  ({} {})", fed.path, done.len, done.unit);
    if done.skipped > 0 {
        text += &format!("; {} bad lines were left out", done.skipped);
    }
    output::note(global, &text);
}
