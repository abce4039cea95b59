//! From what the wire says to what the user reads.

use crate::Error;
use farlens_proto::Fault;
use farlens_wire::{Code, frame::printable};

/// The error for a failure that a machine or the peer reported.
pub(crate) fn to_error(fault: &Fault) -> Error {
    let text = if fault.text.is_empty() { fault.code.meaning() } else { &fault.text };
    // The text may be the peer's: it must not reach a terminal as it is.
    let error = Error::new(fault.code, printable(text));
    match hint(fault.code) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn hint(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::NOT_FOUND => "list what there is, or ask for a ticket that covers it",
        Code::NOT_AUTHORIZED | Code::BAD_INVITE => {
            "ask the server's owner for a new ticket, or to add your key to authorized_clients"
        }
        Code::REVOKED => "ask the server's owner to hand it out again",
        Code::LINK_LOST | Code::GOING_AWAY | Code::STALLED => {
            "connect again; what arrived is good, but it may not be all there is"
        }
        Code::BUSY => "wait until the other reader is done",
        Code::DATA_CHANGED | Code::TRUNCATED => {
            "what arrived is good as far as it goes; read again"
        }
        Code::CONFLICT => "look at what is there now, and decide again",
        Code::END_OF_SPACE => "write less, or have the end of what is published made to move",
        Code::TOO_LARGE => "send less at once, or as a stream; who receives it sets the limit",
        Code::TOO_LONG => "its publisher says how long it may become: `Streamer::reach`",
        Code::STORAGE_FULL => "make room on the server, then write what was not applied again",
        Code::WRONG_KIND => "read entities as entities and bytes as bytes",
        Code::SCHEMA_MISMATCH => "read it as `Entity`, or with the type that was published",
        Code::TOO_MANY_STREAMS | Code::TOO_MANY_CALLS => "close some, or wait for them",
        Code::TOO_MANY_REFERENCES => {
            "drop handles that are not needed, or pass fewer; each lives until both sides drop it"
        }
        Code::TOO_DEEP => "two objects may be calling each other without an end",
        Code::NO_SUCH_OBJECT => {
            "make a call that others wait for without `pipeline()` to see what it answers"
        }
        Code::DEADLINE_EXCEEDED => "give it more time, or look at what keeps the other side busy",
        Code::NOT_RUN => "make the call again",
        Code::UNKNOWN => "see whether it took effect before it is made again",
        _ => return None,
    })
}
