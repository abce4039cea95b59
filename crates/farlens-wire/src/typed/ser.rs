//! The serde `Serializer`: writes postcard's format into a vector.

use super::ENCODE_DEPTH;
use crate::entity::{ENTITY_NAME, Handshake, Output, charge, encode_nested};
use crate::read::{put_bytes, put_i64, put_i128, put_u64, put_u128};
use crate::reference::{REFERENCE_NAME, desk, index_in};
use crate::{Budget, DecodeError, EncodeError, Entity, Reference};
use serde::Serialize;
use serde::ser::{self, Impossible, Serializer};
use std::fmt;

type Result<T> = std::result::Result<T, EncodeError>;

/// Where the encoding goes and how many levels may still be entered.
pub(super) struct Encoder<'o> {
    out: &'o mut Vec<u8>,
    table: &'o mut Vec<Reference>,
    depth: u32,
}

impl<'o> Encoder<'o> {
    #[inline]
    pub(super) fn new(out: &'o mut Vec<u8>, table: &'o mut Vec<Reference>) -> Self {
        Self { out, table, depth: ENCODE_DEPTH }
    }

    #[inline]
    fn enter(&mut self) -> Result<()> {
        self.depth = self.depth.checked_sub(1).ok_or(EncodeError::Depth)?;
        Ok(())
    }

    #[inline]
    fn nested<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.enter()?;
        value.serialize(&mut *self)?;
        self.depth += 1;
        Ok(())
    }

    #[inline]
    fn open(&mut self, parts: usize) -> Result<Parts<'_, 'o>> {
        self.enter()?;
        Ok(Parts { encoder: self, left: parts })
    }
}

macro_rules! numbers {
    ($($name:ident $type:ty, $out:ident, $value:ident => $put:expr;)*) => {$(
        #[inline]
        fn $name(self, $value: $type) -> Result<()> {
            let $out = &mut *self.out;
            $put;
            Ok(())
        }
    )*};
}

impl<'a, 'o> Serializer for &'a mut Encoder<'o> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Parts<'a, 'o>;
    type SerializeTuple = Parts<'a, 'o>;
    type SerializeTupleStruct = Parts<'a, 'o>;
    type SerializeTupleVariant = Parts<'a, 'o>;
    type SerializeMap = Parts<'a, 'o>;
    type SerializeStruct = Parts<'a, 'o>;
    type SerializeStructVariant = Parts<'a, 'o>;

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    numbers! {
        serialize_bool bool, out, value => out.push(u8::from(value));
        serialize_u8 u8, out, value => out.push(value);
        serialize_i8 i8, out, value => out.push(value as u8);
        serialize_u16 u16, out, value => put_u64(out, u64::from(value));
        serialize_u32 u32, out, value => put_u64(out, u64::from(value));
        serialize_u64 u64, out, value => put_u64(out, value);
        serialize_u128 u128, out, value => put_u128(out, value);
        serialize_i16 i16, out, value => put_i64(out, i64::from(value));
        serialize_i32 i32, out, value => put_i64(out, i64::from(value));
        serialize_i64 i64, out, value => put_i64(out, value);
        serialize_i128 i128, out, value => put_i128(out, value);
        serialize_f32 f32, out, value => out.extend_from_slice(&value.to_bits().to_le_bytes());
        serialize_f64 f64, out, value => out.extend_from_slice(&value.to_bits().to_le_bytes());
        serialize_str &str, out, value => put_bytes(out, value.as_bytes());
        serialize_bytes &[u8], out, value => put_bytes(out, value);
        serialize_char char, out, value => put_bytes(out, value.encode_utf8(&mut [0; 4]).as_bytes());
    }

    #[inline]
    fn serialize_none(self) -> Result<()> {
        self.out.push(0);
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        self.out.push(1);
        self.nested(value)
    }

    #[inline]
    fn serialize_unit(self) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Result<()> {
        put_u64(self.out, u64::from(index));
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<()> {
        if name == ENTITY_NAME || name == REFERENCE_NAME {
            return value.serialize(PrivateEncoder { encoder: self, sign: Handshake::default() });
        }
        self.nested(value)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<()> {
        put_u64(self.out, u64::from(index));
        self.nested(value)
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Parts<'a, 'o>> {
        let len = len.ok_or(EncodeError::LengthUnknown)?;
        put_u64(self.out, len as u64);
        self.enter()?;
        Ok(Parts { encoder: self, left: len })
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Parts<'a, 'o>> {
        self.serialize_seq(len)
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Parts<'a, 'o>> {
        self.open(len)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Parts<'a, 'o>> {
        self.open(len)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        len: usize,
    ) -> Result<Parts<'a, 'o>> {
        put_u64(self.out, u64::from(index));
        self.open(len)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Parts<'a, 'o>> {
        self.open(len)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        len: usize,
    ) -> Result<Parts<'a, 'o>> {
        put_u64(self.out, u64::from(index));
        self.open(len)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<()> {
        self.serialize_str(&value.to_string())
    }
}

/// The parts of a compound value that are still to come.
pub(super) struct Parts<'a, 'o> {
    encoder: &'a mut Encoder<'o>,
    left: usize,
}

impl Parts<'_, '_> {
    #[inline]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.left = self.left.checked_sub(1).ok_or(EncodeError::LengthWrong)?;
        value.serialize(&mut *self.encoder)
    }

    #[inline]
    fn close(self) -> Result<()> {
        self.encoder.depth += 1;
        if self.left == 0 { Ok(()) } else { Err(EncodeError::LengthWrong) }
    }
}

macro_rules! parts {
    ($($trait:ident $part:ident;)*) => {$(
        impl ser::$trait for Parts<'_, '_> {
            type Ok = ();
            type Error = EncodeError;

            #[inline]
            fn $part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.part(value)
            }

            #[inline]
            fn end(self) -> Result<()> {
                self.close()
            }
        }
    )*};
}

parts! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

macro_rules! fields {
    ($($trait:ident)*) => {$(
        impl ser::$trait for Parts<'_, '_> {
            type Ok = ();
            type Error = EncodeError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _: &'static str,
                value: &T,
            ) -> Result<()> {
                self.part(value)
            }

            fn skip_field(&mut self, _: &'static str) -> Result<()> {
                Err(EncodeError::LengthWrong)
            }

            #[inline]
            fn end(self) -> Result<()> {
                self.close()
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }

impl ser::SerializeMap for Parts<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.part(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(&mut *self.encoder)
    }

    #[inline]
    fn end(self) -> Result<()> {
        self.close()
    }
}

/// Takes the canonical bytes of an entity, or the number of something on the desk, after a
/// handshake.
struct PrivateEncoder<'a, 'o> {
    encoder: &'a mut Encoder<'o>,
    sign: Handshake,
}

/// What neither writes once the handshake has succeeded.
macro_rules! never {
    ($($name:ident($($type:ty),*) $(-> $result:ty)?;)*) => {$(
        fn $name(self, $(_: $type),*) -> never!(@ $($result)?) {
            Err(refused())
        }
    )*};
    (@) => { Result<()> };
    (@ $result:ty) => { Result<$result> };
}

#[cold]
fn refused() -> EncodeError {
    EncodeError::Refused("a name that begins with $farlens is reserved".into())
}

type Never = Impossible<(), EncodeError>;

impl Serializer for PrivateEncoder<'_, '_> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    fn is_human_readable(&self) -> bool {
        self.sign.answer()
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<()> {
        let mut budget = Budget::of_depth(self.encoder.depth);
        charge(bytes, &[], &mut budget).map_err(|error| match error {
            DecodeError::Depth => EncodeError::Depth,
            other => ser::Error::custom(other),
        })?;
        put_bytes(self.encoder.out, bytes);
        Ok(())
    }

    fn serialize_u64(self, number: u64) -> Result<()> {
        let Encoder { out, table, depth } = self.encoder;
        if let Some(reference) = desk::look::<Reference>(number) {
            put_u64(out, index_in(table, &reference)?);
            return Ok(());
        }
        let entity = desk::look::<Entity>(number).ok_or_else(refused)?;
        let mut bytes = Vec::new();
        let mut output = Output { bytes: &mut bytes, references: table };
        encode_nested(&entity, *depth, &mut output)?;
        put_bytes(out, &bytes);
        Ok(())
    }

    never! {
        serialize_bool(bool);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
        serialize_seq(Option<usize>) -> Never;
        serialize_map(Option<usize>) -> Never;
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_struct(&'static str, usize) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<()> {
        Err(refused())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, _: &T) -> Result<()> {
        Err(refused())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<()> {
        Err(refused())
    }
}
