//! The two frames of which every call consists, written and read at once, without looking field by
//! field for how that is done.
//!
//! The bytes are those that postcard gives. What is not quite plain, such as a table or whatever is
//! malformed, is left to the general way.

use super::{Call, CallTarget, Return};
use crate::{
    CallId, ObjectId, Page,
    frame::{Control, put_header},
    read::Reader,
    varint,
};
use bytes::BufMut;

/// What bytes take with their length before them.
const fn bytes_len(bytes: &[u8]) -> usize {
    varint::len(bytes.len() as u64).saturating_add(bytes.len())
}

fn put_bytes(out: &mut impl BufMut, bytes: &[u8]) {
    varint::put(out, bytes.len() as u64);
    out.put_slice(bytes);
}

/// One byte of which only the last bit may be set.
fn bit(input: &mut Reader<'_>) -> Option<bool> {
    match input.byte().ok()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// Appends a call; says whether it was plain.
pub(super) fn put_call(call: &Call, out: &mut impl BufMut, id: u64) -> bool {
    if !call.table.is_empty() {
        return false;
    }
    let (variant, target) = match call.target {
        CallTarget::Object(ObjectId(object)) => (0, object),
        CallTarget::Answer(CallId(call)) => (1, call),
    };
    // What is one byte each: the variant, two marks, whether there are two options, and the table.
    let fixed: usize = 6;
    let length = fixed
        .saturating_add(varint::len(target))
        .saturating_add(bytes_len(call.method.as_bytes()))
        .saturating_add(call.deadline_ms.map_or(0, varint::len))
        .saturating_add(varint::len(u64::from(call.depth)))
        .saturating_add(call.interface.map_or(0, |interface| interface.len()))
        .saturating_add(varint::len(call.length))
        .saturating_add(bytes_len(&call.args));
    put_header(out, Call::KIND, id, length);
    out.put_u8(variant);
    varint::put(out, target);
    put_bytes(out, call.method.as_bytes());
    out.put_u8(u8::from(call.deadline_ms.is_some()));
    if let Some(deadline) = call.deadline_ms {
        varint::put(out, deadline);
    }
    varint::put(out, u64::from(call.depth));
    out.put_u8(u8::from(call.one_way));
    out.put_u8(u8::from(call.pipelined));
    out.put_u8(u8::from(call.interface.is_some()));
    if let Some(interface) = &call.interface {
        out.put_slice(interface);
    }
    out.put_u8(0);
    varint::put(out, call.length);
    put_bytes(out, &call.args);
    true
}

/// A plain call, and what stands behind it.
pub(super) fn take_call<'a>(payload: &'a [u8], page: &mut Page) -> Option<(Call, &'a [u8])> {
    let mut input = Reader::new(payload);
    let target = match (input.byte().ok()?, input.u64().ok()?) {
        (0, object) => CallTarget::Object(ObjectId(object)),
        (1, call) => CallTarget::Answer(CallId(call)),
        _ => return None,
    };
    let method = input.text().ok()?;
    let deadline_ms = if bit(&mut input)? { Some(input.u64().ok()?) } else { None };
    let depth = u32::try_from(input.u64().ok()?).ok()?;
    let (one_way, pipelined) = (bit(&mut input)?, bit(&mut input)?);
    let interface = if bit(&mut input)? { Some(input.array().ok()?) } else { None };
    if input.byte().ok()? != 0 {
        return None;
    }
    let length = input.u64().ok()?;
    let args = page.copied(input.bytes().ok()?);
    let (method, table) = (method.into(), Vec::new());
    let call = Call {
        target,
        method,
        deadline_ms,
        depth,
        one_way,
        pipelined,
        interface,
        table,
        length,
        args,
    };
    Some((call, input.rest()))
}

/// Appends a result; says whether it was plain.
pub(super) fn put_return(frame: &Return, out: &mut impl BufMut, id: u64) -> bool {
    let Return { table, length, value } = frame;
    if !table.is_empty() {
        return false;
    }
    let payload = varint::len(*length).saturating_add(bytes_len(value)).saturating_add(1);
    put_header(out, Return::KIND, id, payload);
    out.put_u8(0);
    varint::put(out, *length);
    put_bytes(out, value);
    true
}

/// A plain result, and what stands behind it.
pub(super) fn take_return<'a>(payload: &'a [u8], page: &mut Page) -> Option<(Return, &'a [u8])> {
    let mut input = Reader::new(payload);
    if input.byte().ok()? != 0 {
        return None;
    }
    let length = input.u64().ok()?;
    let value = page.copied(input.bytes().ok()?);
    Some((Return { table: Vec::new(), length, value }, input.rest()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0u32..64).prop_map(|(number, shift)| number >> shift)
    }

    fn call() -> impl Strategy<Value = Call> {
        let head = (any::<bool>(), number(), ".{0,40}", proptest::option::of(number()));
        let marks = (any::<u32>(), any::<bool>(), any::<bool>(), any::<Option<[u8; 16]>>());
        let args = (number(), proptest::collection::vec(any::<u8>(), 0..400));
        (head, marks, args).prop_map(|((answer, target, method, deadline_ms), marks, args)| {
            let target = if answer {
                CallTarget::Answer(CallId(target))
            } else {
                CallTarget::Object(ObjectId(target))
            };
            let ((depth, one_way, pipelined, interface), (length, args)) = (marks, args);
            Call {
                target,
                method: method.into(),
                deadline_ms,
                depth,
                one_way,
                pipelined,
                interface,
                table: Vec::new(),
                length,
                args: args.into(),
            }
        })
    }

    /// A frame with that payload.
    fn framed(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        put_header(&mut frame, kind, 3, payload.len());
        frame.extend_from_slice(payload);
        frame
    }

    proptest! {
        #[test]
        fn calls_are_what_postcard_writes(call in call()) {
            let payload = postcard::to_stdvec(&call).unwrap();
            let mut out = Vec::new();
            prop_assert!(put_call(&call, &mut out, 3));
            prop_assert_eq!(out, framed(Call::KIND, &payload));
            prop_assert_eq!(take_call(&payload, &mut Page::default()), Some((call, &[][..])));
        }

        #[test]
        fn results_are_what_postcard_writes(
            length in number(),
            value in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let frame = Return { table: Vec::new(), length, value: value.into() };
            let payload = postcard::to_stdvec(&frame).unwrap();
            let mut out = Vec::new();
            prop_assert!(put_return(&frame, &mut out, 3));
            prop_assert_eq!(out, framed(Return::KIND, &payload));
            prop_assert_eq!(take_return(&payload, &mut Page::default()), Some((frame, &[][..])));
        }

        #[test]
        fn what_is_taken_is_canonical(
            call in call(),
            noise in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut payload = postcard::to_stdvec(&call).unwrap();
            for (place, byte) in noise {
                *place.get_mut(&mut payload) = byte;
            }
            if let Some((call, rest)) = take_call(&payload, &mut Page::default()) {
                let mut again = postcard::to_stdvec(&call).unwrap();
                again.extend_from_slice(rest);
                prop_assert_eq!(&again, &payload);
            }
            if let Some((frame, rest)) = take_return(&payload, &mut Page::default()) {
                let mut again = postcard::to_stdvec(&frame).unwrap();
                again.extend_from_slice(rest);
                prop_assert_eq!(again, payload);
            }
        }
    }
}
