//! [`Entity`] to JSON text.

use farlens_wire::{Base64, Entity, Rfc3339};
use std::fmt::{self, Write};

/// Levels that are written before null takes the place of a value.
///
/// Twice what a link carries, so it only bounds the stack for values made in this process.
const DEPTH_MAX: u32 = 128;

/// Appends the JSON form of `value` without spaces or line breaks, and says whether it is faithful
/// in numbers: `false` where a NaN or an infinity became null.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(value: &Entity, out: &mut impl Write) -> Result<bool, fmt::Error> {
    let mut writer = Writer { out, finite: true };
    writer.value(value, DEPTH_MAX)?;
    Ok(writer.finite)
}

struct Writer<'a, W> {
    out: &'a mut W,
    /// Whether no NaN or infinity was met.
    finite: bool,
}

impl<W: Write> Writer<'_, W> {
    fn value(&mut self, value: &Entity, depth: u32) -> fmt::Result {
        let Some(depth) = depth.checked_sub(1) else { return self.out.write_str("null") };
        match value {
            Entity::Null => self.out.write_str("null"),
            Entity::Bool(value) => write!(self.out, "{value}"),
            Entity::Int(value) => self.int(*value),
            Entity::F32(value) => self.float(value, value.is_finite()),
            Entity::F64(value) => self.float(value, value.is_finite()),
            Entity::Text(text) => self.string(text),
            Entity::Bytes(bytes) => write!(self.out, "\"{}\"", Base64(bytes)),
            Entity::Time(ns) => write!(self.out, "\"{}\"", Rfc3339(*ns)),
            Entity::Reference(_) => self.out.write_str("{\"reference\":true}"),
            Entity::List(items) => self.list(items, depth),
            Entity::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| (Key::Entity(key), value));
                self.object(entries, depth)
            }
            Entity::Record { fields, .. } => {
                let fields = fields.iter().map(|(name, value)| (Key::Name(name), value));
                self.object(fields, depth)
            }
            Entity::Tagged { tag, value } => {
                self.out.write_str("{\"tag\":")?;
                self.string(tag)?;
                self.out.write_str(",\"value\":")?;
                self.value(value, depth)?;
                self.out.write_str("}")
            }
        }
    }

    fn int(&mut self, value: i128) -> fmt::Result {
        // Shorter integers print much faster than the widest ones.
        match i64::try_from(value) {
            Ok(value) => write!(self.out, "{value}"),
            Err(_) => write!(self.out, "{value}"),
        }
    }

    /// The shortest digits that read back equal. Debug writes a point or an exponent always.
    fn float(&mut self, value: &impl fmt::Debug, finite: bool) -> fmt::Result {
        self.finite &= finite;
        if finite { write!(self.out, "{value:?}") } else { self.out.write_str("null") }
    }

    fn list(&mut self, items: &[Entity], depth: u32) -> fmt::Result {
        self.out.write_str("[")?;
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.write_str(",")?;
            }
            self.value(item, depth)?;
        }
        self.out.write_str("]")
    }

    fn object<'e>(
        &mut self,
        entries: impl Iterator<Item = (Key<'e>, &'e Entity)>,
        depth: u32,
    ) -> fmt::Result {
        self.out.write_str("{")?;
        for (index, (key, value)) in entries.enumerate() {
            if index > 0 {
                self.out.write_str(",")?;
            }
            self.key(&key)?;
            self.out.write_str(":")?;
            self.value(value, depth)?;
        }
        self.out.write_str("}")
    }

    /// A key as a string; one that is not text is the string of its JSON form.
    fn key(&mut self, key: &Key<'_>) -> fmt::Result {
        match key {
            Key::Name(name) => self.string(name),
            Key::Entity(Entity::Text(text)) => self.string(text),
            Key::Entity(key @ (Entity::Bytes(_) | Entity::Time(_))) => self.value(key, 1),
            Key::Entity(key) => {
                let mut text = String::new();
                let mut inner = Writer { out: &mut text, finite: true };
                inner.value(key, 1)?;
                self.string(&text)
            }
        }
    }

    fn string(&mut self, text: &str) -> fmt::Result {
        self.out.write_str("\"")?;
        let mut rest = text;
        let special = |byte: u8| byte == b'"' || byte == b'\\' || byte < 0x20;
        while let Some(index) = rest.bytes().position(special) {
            let (plain, from) = rest.split_at(index);
            self.out.write_str(plain)?;
            let (byte, after) = from.split_at(1);
            match byte.as_bytes() {
                b"\"" => self.out.write_str("\\\"")?,
                b"\\" => self.out.write_str("\\\\")?,
                b"\n" => self.out.write_str("\\n")?,
                b"\r" => self.out.write_str("\\r")?,
                b"\t" => self.out.write_str("\\t")?,
                other => write!(self.out, "\\u{:04x}", other[0])?,
            }
            rest = after;
        }
        self.out.write_str(rest)?;
        self.out.write_str("\"")
    }
}

/// The key of an entry.
enum Key<'a> {
    Name(&'a str),
    Entity(&'a Entity),
}
