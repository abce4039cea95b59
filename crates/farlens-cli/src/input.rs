//! Input that consists of lines: each one an entity, written as JSON or taken as text.

use crate::json;
use farlens::{Code, Entity, Error, Limits, Result};
use std::io::{self, BufRead, Read};

/// A line of JSON at most, as well as its entity: a message on the link is no larger.
const LINE_BYTES: usize = 1 << 20;
/// A line of text at most: what is longer goes on as the next line, as that of a published file.
const TEXT_BYTES: usize = 64 << 10;
/// A line shorter than this cannot hold an entity that a reader would refuse to decode.
const SURE_BYTES: usize = 64 << 10;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON value; blank lines are none.
    Json,
    /// A text, with U+FFFD for what is no UTF-8.
    Text,
}

/// The entities of an input, one for each line.
pub(crate) struct Lines<R> {
    reader: R,
    name: String,
    form: Form,
    number: u64,
    line: Vec<u8>,
    /// What was cut off the line before.
    rest: Vec<u8>,
}

/// What came next.
#[derive(Debug)]
pub(crate) enum Next {
    Value(Entity),
    /// A line that is no entity; the next one may be read.
    Bad(Error),
    End,
}

impl<R: BufRead> Lines<R> {
    /// The lines of something that goes by `name`.
    pub(crate) const fn new(reader: R, name: String, form: Form) -> Self {
        Self { reader, name, form, number: 0, line: Vec::new(), rest: Vec::new() }
    }

    /// What each line is.
    pub(crate) const fn form(&self) -> Form {
        self.form
    }

    /// Where the lines come from.
    pub(crate) const fn reader(&self) -> &R {
        &self.reader
    }

    /// Waits for the next line.
    ///
    /// # Errors
    /// `STORAGE_IO` when the input cannot be read.
    pub(crate) fn next(&mut self) -> Result<Next> {
        let next = match self.form {
            Form::Json => self.next_json(),
            Form::Text => self.next_text(),
        };
        next.map_err(|error| unreadable(&self.name, error))
    }

    fn next_json(&mut self) -> io::Result<Next> {
        loop {
            self.number += 1;
            match read_line(&mut self.reader, &mut self.line)? {
                Line::None => return Ok(Next::End),
                Line::TooLong => return Ok(Next::Bad(self.bad("longer than 1 MiB"))),
                Line::Whole if self.line.trim_ascii().is_empty() => {}
                Line::Whole => {
                    let parsed = parse(&self.line);
                    return Ok(parsed.map_or_else(|why| Next::Bad(self.bad(&why)), Next::Value));
                }
            }
        }
    }

    fn next_text(&mut self) -> io::Result<Next> {
        self.line = std::mem::take(&mut self.rest);
        // With room for the end of the longest line.
        let most = TEXT_BYTES + 2;
        let missing = most.saturating_sub(self.line.len()) as u64;
        let read = self.reader.by_ref().take(missing).read_until(b'\n', &mut self.line)?;
        if read == 0 && self.line.is_empty() {
            return Ok(Next::End);
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            self.line.pop_if(|last| *last == b'\r');
        }
        if self.line.len() > TEXT_BYTES {
            self.rest = self.line.split_off(cut(&self.line));
        }
        Ok(Next::Value(Entity::Text(String::from_utf8_lossy(&self.line).into_owned())))
    }

    fn bad(&self, why: &str) -> Error {
        let text = format!("line {} of {} is bad: {why}", self.number, self.name);
        Error::new(Code::BAD_INPUT, text).with_hint("each line holds one JSON value")
    }
}

/// Where a line is cut that is too long: between two characters.
fn cut(line: &[u8]) -> usize {
    let between = |at: &usize| line.get(*at).is_some_and(|byte| byte & 0xc0 != 0x80);
    (TEXT_BYTES - 3..=TEXT_BYTES).rev().find(between).unwrap_or(TEXT_BYTES)
}

/// The failure of an input.
pub(crate) fn unreadable(name: &str, error: io::Error) -> Error {
    Error::new(Code::STORAGE_IO, format!("{name} cannot be read")).with_source(error)
}

/// The entity of a line, or what is wrong with it.
fn parse(line: &[u8]) -> Result<Entity, String> {
    let text = std::str::from_utf8(line)
        .map_err(|error| format!("not UTF-8, at byte {}", error.valid_up_to() + 1))?;
    let entity = json::parse_line(text).map_err(|error| error.to_string())?;
    if line.len() > SURE_BYTES {
        judge_long(&entity)?;
    }
    Ok(entity)
}

/// Whether a long line makes an entity that readers take.
fn judge_long(entity: &Entity) -> Result<(), String> {
    let mut body = Vec::new();
    entity.encode(&mut body).map_err(|error| error.to_string())?;
    if body.len() > LINE_BYTES {
        return Err("its entity is larger than 1 MiB".to_owned());
    }
    let decoded = Entity::decode(&body, &Limits::default());
    decoded.map(drop).map_err(|error| format!("readers would refuse it: {error}"))
}

/// What came next.
enum Line {
    None,
    Whole,
    TooLong,
}

/// Reads up to the next line end, which is left out. What is beyond the bound is dropped.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let most = LINE_BYTES as u64 + 1;
    if reader.by_ref().take(most).read_until(b'\n', line)? == 0 {
        return Ok(Line::None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Line::Whole);
    }
    if line.len() <= LINE_BYTES {
        return Ok(Line::Whole);
    }
    reader.skip_until(b'\n')?;
    Ok(Line::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn lines(input: &[u8]) -> Vec<(usize, bool)> {
        let mut reader = BufReader::with_capacity(100, input);
        let mut line = Vec::new();
        let mut all = Vec::new();
        loop {
            match read_line(&mut reader, &mut line).expect("memory") {
                Line::None => return all,
                Line::Whole => all.push((line.len(), true)),
                Line::TooLong => all.push((line.len(), false)),
            }
        }
    }

    fn texts(input: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(BufReader::with_capacity(100, input), "x".into(), Form::Text);
        let mut all = Vec::new();
        loop {
            match lines.next().expect("memory") {
                Next::Value(Entity::Text(ref text)) => all.push(text.clone()),
                Next::End => return all,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn lines_end_at_their_end_or_at_the_bound() {
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"ab\n\nc"), [(2, true), (0, true), (1, true)]);
        let mut long = vec![b'x'; LINE_BYTES];
        long.extend(b"\ny\n");
        assert_eq!(lines(&long), [(LINE_BYTES, true), (1, true)]);
        let mut longer = vec![b'x'; LINE_BYTES + 1];
        longer.extend(b"xxx\ny\n");
        assert_eq!(lines(&longer), [(LINE_BYTES + 1, false), (1, true)]);
    }

    #[test]
    fn texts_are_all_lines_as_they_are() {
        assert_eq!(texts(b""), [""; 0]);
        assert_eq!(texts(b"a\r\n\n \"b\n\xffc"), ["a", "", " \"b", "\u{fffd}c"]);
        for end in ["", "\n", "\r\n"] {
            let just = "x".repeat(TEXT_BYTES);
            assert_eq!(texts(format!("{just}{end}").as_bytes()), [just.as_str()], "{end:?}");
            assert_eq!(texts(format!("{just}y{end}").as_bytes()), [just.as_str(), "y"], "{end:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        for before in 0..4 {
            let line = "x".repeat(before) + &"🌍".repeat(TEXT_BYTES / 2);
            let found = texts(format!("{line}\nz\n").as_bytes());
            assert_eq!(found.last().map(String::as_str), Some("z"));
            assert_eq!(found[..found.len() - 1].concat(), line);
            assert!(found.iter().all(|text| text.len() <= TEXT_BYTES));
        }
    }

    #[test]
    fn what_readers_would_refuse_is_a_bad_line() {
        let wide = format!("[{}0]", "0,".repeat(100_000));
        let why = parse(wide.as_bytes()).expect_err("too many elements");
        assert!(why.contains("refuse"), "{why}");
        let mut body = Vec::new();
        let just = format!("[{}0]", "0,".repeat(SURE_BYTES / 2 - 2));
        assert!(just.len() <= SURE_BYTES);
        parse(just.as_bytes()).expect("short enough").encode(&mut body).expect("sound");
        Entity::decode(&body, &Limits::default()).expect("and readable");
        body.clear();
        let maps = format!("[{}{{}}]", "{},".repeat(SURE_BYTES / 3 - 2));
        parse(maps.as_bytes()).expect("short enough").encode(&mut body).expect("sound");
        Entity::decode(&body, &Limits::default()).expect("and readable");
        let why = parse(b"\"\xff\"").expect_err("not UTF-8");
        assert!(why.contains("byte 2"), "{why}");
    }
}
