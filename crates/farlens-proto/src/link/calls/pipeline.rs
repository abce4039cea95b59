//! Calls and opens on the answer of a call: what they find there.

use super::Answer;
use farlens_wire::{Code, Reference, frame::Fault};

/// The object that an answer stands for: its first reference, if that is the callee's own.
pub(super) fn found(
    answer: &Answer,
    is_callees: impl Fn(&Reference) -> bool,
) -> Result<Reference, Fault> {
    let no_object = |text: &str| Fault::new(Code::NO_SUCH_OBJECT, text);
    let first = answer.table.first();
    let first = first
        .ok_or_else(|| no_object("the call that this one waited for answered without an object"))?;
    if is_callees(first) {
        return Ok(first.clone());
    }
    Err(no_object("the call that this one waited for answered with an object of its caller"))
}
