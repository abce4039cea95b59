//! JSON text to [`Entity`].

use farlens_wire::Entity;
use std::collections::HashSet;
use std::fmt;
use std::mem;

/// Levels of arrays and objects in one line; the depth that receivers accept.
const DEPTH_MAX: usize = 64;

/// Up to this many keys each new one is compared with all others, which beats hashing.
const FEW: usize = 8;

/// Why a line is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonError {
    /// Bytes of the line before the offence.
    pub(crate) offset: usize,
    /// What is wrong there.
    pub(crate) fault: Fault,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Unexpected,
    Ended,
    Trailing,
    Number,
    IntTooLarge,
    FloatTooLarge,
    Control,
    Escape,
    Surrogate,
    DuplicateKey,
    Depth,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.fault {
            Fault::Unexpected => "no JSON value can go on like this",
            Fault::Ended => "the line ends inside a value",
            Fault::Trailing => "something follows the value",
            Fault::Number => "not a number as JSON writes it",
            Fault::IntTooLarge => "an integer beyond 128 bits",
            Fault::FloatTooLarge => "a number beyond the largest 64-bit float",
            Fault::Control => "a control character in a string",
            Fault::Escape => "an unknown escape in a string",
            Fault::Surrogate => "half of a surrogate pair in a string",
            Fault::DuplicateKey => "a key that occurred before in the same object",
            Fault::Depth => "more than 64 levels of arrays and objects",
        };
        write!(f, "{text}, at byte {}", self.offset + 1)
    }
}

impl std::error::Error for JsonError {}

/// Reads the one value of a line; white space may stand around it.
///
/// # Errors
/// The first fault and where it is.
pub(crate) fn parse_line(line: &str) -> Result<Entity, JsonError> {
    let mut reader = Reader { line, at: 0 };
    reader.value().and_then(|value| reader.end().map(|()| value)).map_err(|fault| {
        // The place of a fault is where the reader stopped.
        JsonError { offset: reader.at.min(line.len()), fault }
    })
}

/// An array or object that is not closed yet.
enum Open {
    Array(Vec<Entity>),
    Object(Object),
}

#[derive(Default)]
struct Object {
    entries: Vec<(Entity, Entity)>,
    key: String,
    /// The keys, once there are more than a few.
    seen: HashSet<String>,
}

impl Object {
    /// Takes the key of the next entry.
    fn start(&mut self, key: String) -> Result<(), Fault> {
        if self.entries.len() == FEW {
            let keys = self.entries.iter().filter_map(|(key, _)| match key {
                Entity::Text(key) => Some(key.clone()),
                _ => None,
            });
            self.seen = keys.collect();
        }
        let twice = if self.entries.len() < FEW {
            let same = |other: &Entity| matches!(other, Entity::Text(other) if *other == key);
            self.entries.iter().any(|(other, _)| same(other))
        } else {
            !self.seen.insert(key.clone())
        };
        self.key = key;
        if twice { Err(Fault::DuplicateKey) } else { Ok(()) }
    }

    fn push(&mut self, value: Entity) {
        self.entries.push((Entity::Text(mem::take(&mut self.key)), value));
    }
}

/// The line and how far it is read.
struct Reader<'a> {
    line: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Entity, Fault> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let mut value = match self.token()? {
                b'[' if self.closes(b']') => Entity::List(Vec::new()),
                b'{' if self.closes(b'}') => Entity::Map(Vec::new()),
                first @ (b'[' | b'{') => {
                    self.descend(first, &mut open)?;
                    continue;
                }
                first => self.scalar(first)?,
            };
            if open.len() == DEPTH_MAX && matches!(value, Entity::List(_) | Entity::Map(_)) {
                return Err(Fault::Depth);
            }
            loop {
                let Some(level) = open.last_mut() else { return Ok(value) };
                match level {
                    Open::Array(items) => items.push(value),
                    Open::Object(object) => object.push(value),
                }
                if self.goes_on(level)? {
                    break;
                }
                value = match open.pop() {
                    Some(Open::Array(items)) => Entity::List(items),
                    Some(Open::Object(object)) => Entity::Map(object.entries),
                    None => return Err(Fault::Unexpected),
                };
            }
        }
    }

    /// Opens an array or object that is not empty.
    fn descend(&mut self, first: u8, open: &mut Vec<Open>) -> Result<(), Fault> {
        if open.len() == DEPTH_MAX {
            return Err(Fault::Depth);
        }
        open.push(if first == b'[' {
            Open::Array(Vec::new())
        } else {
            let mut object = Object::default();
            self.key(&mut object)?;
            Open::Object(object)
        });
        Ok(())
    }

    /// Reads what stands behind an element: whether another one follows.
    fn goes_on(&mut self, level: &mut Open) -> Result<bool, Fault> {
        match (self.token()?, level) {
            (b',', Open::Array(_)) => Ok(true),
            (b',', Open::Object(object)) => self.key(object).map(|()| true),
            (b']', Open::Array(_)) | (b'}', Open::Object(_)) => Ok(false),
            _ => self.back(Fault::Unexpected),
        }
    }

    fn key(&mut self, object: &mut Object) -> Result<(), Fault> {
        if self.token()? != b'"' {
            return self.back(Fault::Unexpected);
        }
        let start = self.at - 1;
        let key = self.string()?;
        object.start(key).inspect_err(|_| self.at = start)?;
        if self.token()? == b':' { Ok(()) } else { self.back(Fault::Unexpected) }
    }

    fn scalar(&mut self, first: u8) -> Result<Entity, Fault> {
        match first {
            b'"' => self.string().map(Entity::Text),
            b'-' | b'0'..=b'9' => self.number(),
            b'n' => self.word("null", Entity::Null),
            b't' => self.word("true", Entity::Bool(true)),
            b'f' => self.word("false", Entity::Bool(false)),
            _ => self.back(Fault::Unexpected),
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.skip_space();
        if self.at == self.line.len() { Ok(()) } else { Err(Fault::Trailing) }
    }

    fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The first byte of the next token.
    fn token(&mut self) -> Result<u8, Fault> {
        self.skip_space();
        let byte = self.peek().ok_or(Fault::Ended)?;
        self.at += 1;
        Ok(byte)
    }

    /// Takes `close` if it is the next token.
    fn closes(&mut self, close: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(close);
        self.at += usize::from(found);
        found
    }

    /// A fault of the byte just taken.
    fn back<T>(&mut self, fault: Fault) -> Result<T, Fault> {
        self.at -= 1;
        Err(fault)
    }

    fn word(&mut self, word: &str, value: Entity) -> Result<Entity, Fault> {
        self.at -= 1;
        let rest = self.line.as_bytes().get(self.at..).unwrap_or_default();
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(value);
        }
        let cut = word.as_bytes().starts_with(rest);
        drop(value);
        Err(if cut { Fault::Ended } else { Fault::Unexpected })
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(Fault::Number) }
    }

    fn number(&mut self) -> Result<Entity, Fault> {
        let start = self.at - 1;
        self.at = start + usize::from(self.line.as_bytes()[start] == b'-');
        let zero = self.peek() == Some(b'0');
        let first = self.at;
        self.digits()?;
        if zero && self.at > first + 1 {
            self.at = first;
            return Err(Fault::Number);
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            whole = false;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            whole = false;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = &self.line[start..self.at];
        let value = if whole {
            text.parse().map(Entity::Int).map_err(|_| Fault::IntTooLarge)
        } else {
            let value = text.parse().ok().filter(|value: &f64| value.is_finite());
            value.map(Entity::F64).ok_or(Fault::FloatTooLarge)
        };
        value.inspect_err(|_| self.at = start)
    }

    /// The rest of a string behind its opening quote.
    fn string(&mut self) -> Result<String, Fault> {
        let mut text = String::new();
        loop {
            let rest = &self.line[self.at..];
            let special = |byte: u8| byte == b'"' || byte == b'\\' || byte < 0x20;
            let plain = rest.bytes().position(special).unwrap_or(rest.len());
            let (plain, rest) = rest.split_at(plain);
            text.push_str(plain);
            self.at += plain.len();
            match rest.bytes().next() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(Fault::Control),
                None => return Err(Fault::Ended),
            }
        }
    }

    /// An escape from its backslash on.
    fn escape(&mut self) -> Result<char, Fault> {
        let start = self.at;
        let byte = self.line.as_bytes().get(start + 1).copied().ok_or(Fault::Ended)?;
        self.at += 2;
        let result = match byte {
            b'"' | b'\\' | b'/' => Ok(char::from(byte)),
            b'b' => Ok('\u{8}'),
            b'f' => Ok('\u{c}'),
            b'n' => Ok('\n'),
            b'r' => Ok('\r'),
            b't' => Ok('\t'),
            b'u' => self.unicode(),
            _ => Err(Fault::Escape),
        };
        result.inspect_err(|_| self.at = start)
    }

    /// Four hex digits, and for half of a pair the other half.
    fn unicode(&mut self) -> Result<char, Fault> {
        let high = self.hex4()?;
        let scalar = match high {
            0xd800..=0xdbff => {
                if !self.line[self.at..].starts_with("\\u") {
                    return Err(Fault::Surrogate);
                }
                self.at += 2;
                match self.hex4()? {
                    low @ 0xdc00..=0xdfff => 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00),
                    _ => return Err(Fault::Surrogate),
                }
            }
            _ => high,
        };
        char::from_u32(scalar).ok_or(Fault::Surrogate)
    }

    fn hex4(&mut self) -> Result<u32, Fault> {
        let digits = self.line.as_bytes().get(self.at..self.at + 4).ok_or(Fault::Ended)?;
        self.at += 4;
        digits.iter().try_fold(0, |value, &digit| {
            let digit = char::from(digit).to_digit(16).ok_or(Fault::Escape)?;
            Ok(value << 4 | digit)
        })
    }
}
