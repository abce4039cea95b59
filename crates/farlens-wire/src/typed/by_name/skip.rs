//! Values that the reader has no use for: checked as if they were read, and dropped.
//!
//! A step takes no memory but time, of which a schema can ask for much without any bytes. So each
//! value costs one byte of the budget.

use crate::DecodeError;
use crate::entity::charge;
use crate::reference::at_index;
use crate::schema::{Field, Fields, SchemaDoc, Type, Variant, View};
use crate::typed::de::{Decoder, Result};

/// Skips one value of type `ty`.
pub(super) fn skip(decoder: &mut Decoder<'_, '_>, schema: &SchemaDoc, ty: &Type) -> Result<()> {
    decoder.budget.spend_cost(1)?;
    match schema.view(ty)? {
        View::Unit | View::Empty => Ok(()),
        View::Leaf(ty) => leaf(decoder, ty),
        View::Reference(_) => at_index(decoder.table, decoder.input.u64()?).map(drop),
        View::Option(inner) => {
            if !decoder.flag()? {
                return Ok(());
            }
            below(decoder, |decoder| skip(decoder, schema, inner))
        }
        View::List(inner) => {
            let count = decoder.count()?;
            below(decoder, |decoder| many(decoder, count, |d| skip(d, schema, inner)))
        }
        View::Array(count, inner) => {
            below(decoder, |decoder| many(decoder, count as usize, |d| skip(d, schema, inner)))
        }
        View::Map(key, value) => {
            let count = decoder.count()?;
            below(decoder, |decoder| {
                many(decoder, count, |decoder| {
                    skip(decoder, schema, key)?;
                    skip(decoder, schema, value)
                })
            })
        }
        View::Tuple(types) => tuple(decoder, schema, types),
        View::Record(fields, _) => record(decoder, schema, fields),
        View::Enum(variants) => variant(decoder, schema, variants),
    }
}

/// Skips the fields of a structure.
pub(super) fn record(
    decoder: &mut Decoder<'_, '_>,
    schema: &SchemaDoc,
    fields: &[Field],
) -> Result<()> {
    below(decoder, |decoder| fields.iter().try_for_each(|field| skip(decoder, schema, &field.ty)))
}

fn tuple(decoder: &mut Decoder<'_, '_>, schema: &SchemaDoc, types: &[Type]) -> Result<()> {
    below(decoder, |decoder| types.iter().try_for_each(|ty| skip(decoder, schema, ty)))
}

fn variant(decoder: &mut Decoder<'_, '_>, schema: &SchemaDoc, variants: &[Variant]) -> Result<()> {
    let index: u32 = decoder.narrow()?;
    let variant = variants.get(index as usize).ok_or(DecodeError::BadTag)?;
    match &variant.fields {
        Fields::Unit => Ok(()),
        Fields::Tuple(types) => tuple(decoder, schema, types),
        Fields::Named { fields, .. } => record(decoder, schema, fields),
    }
}

fn below<'de, 'b>(
    decoder: &mut Decoder<'de, 'b>,
    skip: impl FnOnce(&mut Decoder<'de, 'b>) -> Result<()>,
) -> Result<()> {
    decoder.budget.enter()?;
    skip(decoder)?;
    decoder.budget.leave();
    Ok(())
}

fn many<'de, 'b>(
    decoder: &mut Decoder<'de, 'b>,
    count: usize,
    skip: impl Fn(&mut Decoder<'de, 'b>) -> Result<()>,
) -> Result<()> {
    (0..count).try_for_each(|_| skip(decoder))
}

fn leaf(decoder: &mut Decoder<'_, '_>, ty: &Type) -> Result<()> {
    match ty {
        Type::Bool => decoder.flag().map(drop),
        Type::Char => decoder.character().map(drop),
        Type::Text => decoder.input.text().map(drop),
        Type::Bytes => decoder.input.bytes().map(drop),
        Type::Any => charge(decoder.input.bytes()?, decoder.table, decoder.budget).map(drop),
        number => decoder.number(number).map(drop),
    }
}
