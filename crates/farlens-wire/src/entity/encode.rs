//! From [`Entity`] to bytes: recursive, since the depth is bounded before each step down.

use super::{Entity, has_duplicate, has_duplicate_name, is_key};
use crate::read::{put_bytes, put_i64, put_i128, put_u64};
use crate::reference::index_in;
use crate::{EncodeError, Reference};

pub(super) const NULL: u8 = 0x00;
pub(super) const FALSE: u8 = 0x01;
pub(super) const TRUE: u8 = 0x02;
pub(super) const INT: u8 = 0x03;
pub(super) const F32: u8 = 0x04;
pub(super) const F64: u8 = 0x05;
pub(super) const TEXT: u8 = 0x06;
pub(super) const BYTES: u8 = 0x07;
pub(super) const LIST: u8 = 0x08;
pub(super) const MAP: u8 = 0x09;
pub(super) const RECORD: u8 = 0x0a;
pub(super) const TAGGED: u8 = 0x0b;
pub(super) const TIME: u8 = 0x0c;
pub(super) const REFERENCE: u8 = 0x0d;

/// Where an encoding goes: its bytes, and the table of its references.
pub(crate) struct Output<'o> {
    pub(crate) bytes: &'o mut Vec<u8>,
    pub(crate) references: &'o mut Vec<Reference>,
}

/// Appends `value`, which may have `depth` levels. An error leaves part of it behind.
pub(crate) fn encode_nested(
    value: &Entity,
    depth: u32,
    output: &mut Output<'_>,
) -> Result<(), EncodeError> {
    let out = &mut *output.bytes;
    match value {
        Entity::Null => out.push(NULL),
        Entity::Bool(value) => out.push(if *value { TRUE } else { FALSE }),
        Entity::Int(value) => {
            out.push(INT);
            put_i128(out, *value);
        }
        Entity::F32(value) => {
            out.push(F32);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Entity::F64(value) => {
            out.push(F64);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Entity::Text(text) => {
            out.push(TEXT);
            put_bytes(out, text.as_bytes());
        }
        Entity::Bytes(bytes) => {
            out.push(BYTES);
            put_bytes(out, bytes);
        }
        Entity::Time(ns) => {
            out.push(TIME);
            put_i64(out, *ns);
        }
        Entity::Reference(reference) => {
            out.push(REFERENCE);
            put_u64(out, index_in(output.references, reference)?);
        }
        Entity::List(_) | Entity::Map(_) | Entity::Record { .. } | Entity::Tagged { .. } => {
            compound(value, depth.checked_sub(1).ok_or(EncodeError::Depth)?, output)?;
        }
    }
    Ok(())
}

fn compound(value: &Entity, depth: u32, output: &mut Output<'_>) -> Result<(), EncodeError> {
    match value {
        Entity::List(items) => {
            head(output.bytes, LIST, items.len());
            items.iter().try_for_each(|item| encode_nested(item, depth, output))
        }
        Entity::Map(entries) => map(entries, depth, output),
        Entity::Record { name, fields } => {
            output.bytes.push(RECORD);
            put_bytes(output.bytes, name.as_bytes());
            record(fields, depth, output)
        }
        Entity::Tagged { tag, value } => {
            output.bytes.push(TAGGED);
            put_bytes(output.bytes, tag.as_bytes());
            encode_nested(value, depth, output)
        }
        _ => Ok(()),
    }
}

fn map(
    entries: &[(Entity, Entity)],
    depth: u32,
    output: &mut Output<'_>,
) -> Result<(), EncodeError> {
    if !entries.iter().all(|(key, _)| is_key(key)) {
        return Err(EncodeError::BadKey);
    }
    if has_duplicate(entries) {
        return Err(EncodeError::DuplicateKey);
    }
    head(output.bytes, MAP, entries.len());
    entries.iter().try_for_each(|(key, value)| {
        encode_nested(key, depth, output)?;
        encode_nested(value, depth, output)
    })
}

fn record(
    fields: &[(String, Entity)],
    depth: u32,
    output: &mut Output<'_>,
) -> Result<(), EncodeError> {
    if has_duplicate_name(fields) {
        return Err(EncodeError::DuplicateKey);
    }
    put_u64(output.bytes, fields.len() as u64);
    fields.iter().try_for_each(|(name, value)| {
        put_bytes(output.bytes, name.as_bytes());
        encode_nested(value, depth, output)
    })
}

fn head(out: &mut Vec<u8>, tag: u8, count: usize) {
    out.push(tag);
    put_u64(out, count as u64);
}
