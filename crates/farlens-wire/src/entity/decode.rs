//! From bytes to [`Entity`]: one loop and a stack of what is still open, no recursion.
//!
//! A header charges for everything that it announces, so what is allocated from it is paid for and
//! covered by the rest of the input.

use super::encode::{
    BYTES, F32, F64, FALSE, INT, LIST, MAP, NULL, RECORD, REFERENCE, TAGGED, TEXT, TIME, TRUE,
};
use super::{Entity, has_duplicate, has_duplicate_name, is_key};
use crate::read::Reader;
use crate::reference::at_index;
use crate::{Budget, DecodeError, Reference};
use bytes::Bytes;
use std::mem::size_of;

/// Decodes one value that takes up all of `bytes`; `table` holds what its references point at.
pub(super) fn decode_all(
    bytes: &[u8],
    table: &[Reference],
    budget: &mut Budget,
) -> Result<Entity, DecodeError> {
    let mut input = Reader::new(bytes);
    let value = decode_one(&mut input, table, budget)?;
    input.finish()?;
    Ok(value)
}

/// Decodes one value off the front of `input`.
pub(crate) fn decode_one(
    input: &mut Reader<'_>,
    table: &[Reference],
    budget: &mut Budget,
) -> Result<Entity, DecodeError> {
    let mut open: Vec<Open> = Vec::new();
    budget.spend_cost(size_of::<Entity>())?;
    loop {
        let mut value = match begin(input, table, budget)? {
            Begun::Whole(value) => value,
            Begun::Open(mut level) => {
                if level.prepare(input, budget)? {
                    open.push(level);
                    continue;
                }
                budget.leave();
                level.finish()?
            }
        };
        loop {
            let Some(level) = open.last_mut() else { return Ok(value) };
            level.accept(value)?;
            if level.prepare(input, budget)? {
                break;
            }
            budget.leave();
            value = open.pop().map_or(Ok(Entity::Null), Open::finish)?;
        }
    }
}

enum Begun {
    Whole(Entity),
    Open(Open),
}

/// Reads a tag and, where no values follow inside, all of the value.
fn begin(
    input: &mut Reader<'_>,
    table: &[Reference],
    budget: &mut Budget,
) -> Result<Begun, DecodeError> {
    Ok(Begun::Whole(match input.byte()? {
        NULL => Entity::Null,
        FALSE => Entity::Bool(false),
        TRUE => Entity::Bool(true),
        INT => Entity::Int(input.i128()?),
        F32 => Entity::F32(f32::from_le_bytes(input.array()?)),
        F64 => Entity::F64(f64::from_le_bytes(input.array()?)),
        TEXT => Entity::Text(text(input, budget)?),
        BYTES => {
            let bytes = input.bytes()?;
            budget.spend_cost(bytes.len())?;
            // The input is borrowed, and a slice of it would keep the whole message in memory.
            Entity::Bytes(Bytes::copy_from_slice(bytes))
        }
        TIME => Entity::Time(input.i64()?),
        REFERENCE => Entity::Reference(at_index(table, input.u64()?)?.clone()),
        tag @ LIST..=TAGGED => {
            budget.enter()?;
            return begin_compound(tag, input, budget).map(Begun::Open);
        }
        _ => return Err(DecodeError::BadTag),
    }))
}

/// Reads the header of a value with values inside, behind its tag; the level is entered.
fn begin_compound(
    tag: u8,
    input: &mut Reader<'_>,
    budget: &mut Budget,
) -> Result<Open, DecodeError> {
    Ok(match tag {
        LIST => {
            let count = count(input, budget, 1, size_of::<Entity>())?;
            Open::List(Vec::with_capacity(count), count)
        }
        MAP => {
            let count = count(input, budget, 2, size_of::<(Entity, Entity)>())?;
            Open::Map(Vec::with_capacity(count), None, count)
        }
        RECORD => {
            let name = text(input, budget)?;
            let left = count(input, budget, 2, size_of::<(String, Entity)>())?;
            Open::Record { name, fields: Vec::with_capacity(left), next: String::new(), left }
        }
        _ => {
            budget.spend_cost(size_of::<Entity>())?;
            Open::Tagged(text(input, budget)?, None)
        }
    })
}

fn text(input: &mut Reader<'_>, budget: &mut Budget) -> Result<String, DecodeError> {
    let text = input.text()?;
    budget.spend_cost(text.len())?;
    Ok(text.to_owned())
}

/// Reads a count of things that take at least `wire` bytes each here and `memory` bytes decoded.
fn count(
    input: &mut Reader<'_>,
    budget: &mut Budget,
    wire: usize,
    memory: usize,
) -> Result<usize, DecodeError> {
    let count = input.length()?;
    budget.spend_elements(count as u64)?;
    if count > input.left() / wire {
        return Err(DecodeError::LengthBeyondInput);
    }
    budget.spend_costs(count, memory)?;
    Ok(count)
}

/// A value whose parts are still being read, with the number of them that are missing.
enum Open {
    List(Vec<Entity>, usize),
    Map(Vec<(Entity, Entity)>, Option<Entity>, usize),
    Record { name: String, fields: Vec<(String, Entity)>, next: String, left: usize },
    Tagged(String, Option<Entity>),
}

impl Open {
    /// Reads what stands before the next part and says whether there is one.
    fn prepare(
        &mut self,
        input: &mut Reader<'_>,
        budget: &mut Budget,
    ) -> Result<bool, DecodeError> {
        Ok(match self {
            Self::List(_, left) => *left > 0,
            Self::Map(_, key, left) => *left > 0 || key.is_some(),
            Self::Tagged(_, value) => value.is_none(),
            Self::Record { next, left, .. } => {
                if *left > 0 {
                    *next = text(input, budget)?;
                }
                *left > 0
            }
        })
    }

    fn accept(&mut self, part: Entity) -> Result<(), DecodeError> {
        match self {
            Self::List(items, left) => {
                items.push(part);
                *left -= 1;
            }
            Self::Map(entries, key, left) => match key.take() {
                Some(key) => entries.push((key, part)),
                None if is_key(&part) => {
                    *key = Some(part);
                    *left -= 1;
                }
                None => return Err(DecodeError::BadKey),
            },
            Self::Record { fields, next, left, .. } => {
                fields.push((std::mem::take(next), part));
                *left -= 1;
            }
            Self::Tagged(_, value) => *value = Some(part),
        }
        Ok(())
    }

    fn finish(self) -> Result<Entity, DecodeError> {
        match self {
            Self::List(items, _) => Ok(Entity::List(items)),
            Self::Map(entries, _, _) if has_duplicate(&entries) => Err(DecodeError::DuplicateKey),
            Self::Map(entries, _, _) => Ok(Entity::Map(entries)),
            Self::Record { fields, .. } if has_duplicate_name(&fields) => {
                Err(DecodeError::DuplicateKey)
            }
            Self::Record { name, fields, .. } => Ok(Entity::Record { name, fields }),
            Self::Tagged(tag, value) => {
                Ok(Entity::Tagged { tag, value: Box::new(value.unwrap_or_default()) })
            }
        }
    }
}
