//! What the command says besides data: errors, notes and single lines, for people or as JSON.

use crate::{args::Global, exit::Exit};
use farlens::Error;
use serde::Serialize;
use std::io::{self, Write};

/// An error as a line of JSON.
#[derive(Serialize)]
struct Report<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    code: String,
    kind: &'a str,
    message: String,
    hint: Option<&'a str>,
    retryable: bool,
}

/// Writes an error to standard error.
pub(crate) fn report(global: &Global, error: &Error) {
    let text = if global.json { error_json(error) } else { error_text(error) };
    let _ = writeln!(io::stderr(), "{text}");
}

fn error_json(error: &Error) -> String {
    let body = Body {
        code: error.code().to_string(),
        kind: error.code().word(),
        message: error.to_string(),
        hint: error.hint(),
        retryable: error.is_retryable(),
    };
    to_json(&Report { error: body })
}

fn error_text(error: &Error) -> String {
    let mut text = format!("error: {}\n", printable(&error.to_string()));
    if let Some(hint) = error.hint() {
        text += &format!("  {}\n", printable(hint));
    }
    text + &format!("  [{}] (exit {})", error.code(), Exit::of(error).0)
}

/// Says something on standard error that is neither data nor a failure. Silent with `-q`, and with
/// `--json`, where standard error holds one object at most.
pub(crate) fn note(global: &Global, text: &str) {
    if !global.quiet && !global.json {
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// Elements that are gone before they could be read.
#[derive(Serialize)]
struct Gap<'a> {
    event: &'a str,
    lost: u64,
    unit: &'a str,
}

/// Says that elements are gone, on standard error, in any case: what is printed is not all there
/// was.
pub(crate) fn gap(global: &Global, lost: u64, unit: &str) {
    let text = match global.json {
        true => to_json(&Gap { event: "gap", lost, unit }),
        false => format!("… {lost} {unit} were lost"),
    };
    let _ = writeln!(io::stderr(), "{text}");
}

/// One line of JSON without its end.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain structs with text keys")
}

/// Writes a line to standard output and flushes it; says whether somebody still reads there.
pub(crate) fn line(text: &str) -> bool {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}

/// Writes all lines to standard output; a reader who leaves early is no failure.
pub(crate) fn lines(texts: impl IntoIterator<Item = String>) -> Exit {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for text in texts {
        if writeln!(out, "{text}").is_err() {
            return Exit::OK;
        }
    }
    let _ = out.flush();
    Exit::OK
}

/// The text with control characters escaped: names and messages may come from a peer and must not
/// reach a terminal as they are.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter.is_control() {
            true => out.extend(letter.escape_default()),
            false => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use farlens::Code;

    #[test]
    fn errors_have_their_documented_shape() {
        let error = Error::new(Code::NOT_FOUND, "nothing at \u{1b}[2J").with_hint("look elsewhere");
        assert_eq!(
            error_text(&error),
            "error: nothing at \\u{1b}[2J\n  look elsewhere\n  [E0301] (exit 3)"
        );
        assert_eq!(
            error_json(&error),
            "{\"error\":{\"code\":\"E0301\",\"kind\":\"not_found\",\"message\":\
             \"nothing at \\u001b[2J\",\"hint\":\"look elsewhere\",\"retryable\":false}}"
        );
    }
}
