//! Whether a stream is opened or goes where its peer wants it to.

use super::Accepted;
use farlens_wire::{
    Code, Delivery, Flags, Kind, Mode, Operation, Pos, Position,
    frame::{
        Fault,
        stream::{Open, Seek, State},
    },
};
use std::cmp::Ordering;

/// Whether the stream can be opened as asked, and where it begins.
pub(super) fn judge_open(open: &Open, accepted: &Accepted) -> Result<Position, Fault> {
    if open.kind.is_some_and(|kind| kind != accepted.kind) {
        let what = match accepted.kind {
            Kind::Bytes => "this is a byte stream, not entities",
            Kind::Items => "this is an entity stream, not bytes",
        };
        return Err(Fault::new(Code::WRONG_KIND, what));
    }
    let missing = Flags::from_bits(open.flags).without(accepted.mode.flags());
    if missing != Flags::NONE {
        let what = format!("the stream does not offer {missing}");
        return Err(Fault::new(Code::MODE_FORBIDS, what));
    }
    if open.delivery == Delivery::Latest && !(accepted.live && accepted.kind == Kind::Items) {
        let what = "only the latest can be had of entities that are pushed or kept, not of this";
        return Err(Fault::new(Code::MODE_FORBIDS, what));
    }
    if let Some(what) = accepted.state.fault() {
        return Err(Fault::new(Code::INTERNAL, what));
    }
    let bounds = accepted.state.bounds;
    let at = open
        .start
        .resolve(bounds)
        .map_err(|out| Fault::new(Code::OUT_OF_RANGE, out.to_string()))?;
    if bounds.start.is_some_and(|start| start != at) && !accepted.mode.flags().has_any(Flags::SEEK)
    {
        let what = "this stream cannot seek: it begins at its start";
        return Err(Fault::new(Code::MODE_FORBIDS, what));
    }
    Ok(at)
}

/// Whether a seek is allowed, judged against the consumer's position, and where it leads.
pub(super) fn judge_seek(mode: Mode, seek: Seek, state: &State) -> Result<Position, Fault> {
    let at = seek
        .to
        .resolve(state.bounds)
        .map_err(|out| Fault::new(Code::OUT_OF_RANGE, out.to_string()))?;
    direction_allowed(mode, seek.from, at)?;
    Ok(at)
}

/// Whether `mode` allows going from one place to another.
pub(crate) fn direction_allowed(mode: Mode, from: Position, to: Position) -> Result<(), Fault> {
    let allowed = match to.cmp(&from) {
        Ordering::Less => mode.allows(Operation::SeekBackward),
        Ordering::Greater => mode.allows(Operation::SeekForward),
        Ordering::Equal => return may_seek(mode),
    };
    allowed.map_err(|forbidden| {
        Fault::new(Code::MODE_FORBIDS, format!("{forbidden} (from {from} to {to})"))
    })
}

/// Whether a wish leads anywhere that `mode` allows, as far as that is known before it is resolved.
pub(crate) fn wish_allowed(mode: Mode, from: Position, to: Pos) -> Result<(), Fault> {
    match to {
        Pos::Abs(to) => direction_allowed(mode, from, to),
        Pos::FromStart(_) | Pos::FromEnd(_) => may_seek(mode),
    }
}

fn may_seek(mode: Mode) -> Result<(), Fault> {
    if mode.flags().has_any(Flags::SEEK) {
        return Ok(());
    }
    Err(Fault::new(Code::MODE_FORBIDS, "this stream cannot seek"))
}
