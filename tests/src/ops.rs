//! What users, sources and the wire do in the simulated world, and how that is chosen.

mod choose;

pub use choose::{User, View, choose};

use farlens_wire::{AtEnd, Delivery, Edge, Flags, Kind, Pos};

/// How the guard of a step is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There is none.
    None,
    /// The version of the moment.
    Version,
    /// Another version.
    OldVersion,
    /// The end of the moment.
    End,
    /// Another end.
    OtherEnd,
}

/// Where a run goes.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// Behind the one before.
    Here,
    /// To a place.
    At(Pos),
}

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// Somebody opens a stream.
    Open {
        /// The side that opens.
        node: usize,
        /// The source, which may not exist.
        source: usize,
        /// The flags that are asked for.
        flags: Flags,
        /// The kind that is asked for.
        kind: Option<Kind>,
        /// Where to begin.
        start: Pos,
        /// What to do at the end.
        at_end: AtEnd,
        /// Whether elements may be left out.
        delivery: Delivery,
        /// Whether elements are wanted.
        elements: bool,
    },
    /// A user takes elements.
    Read {
        /// Which user.
        user: usize,
        /// How many at most.
        max: u64,
    },
    /// A user goes elsewhere.
    Seek {
        /// Which user.
        user: usize,
        /// Where to.
        to: Pos,
        /// What to do at the end.
        at_end: AtEnd,
        /// Whether it gives back some of what it took last.
        gives_back: bool,
    },
    /// A user leaves.
    Close {
        /// Which user.
        user: usize,
    },
    /// A user begins a run of elements.
    Write {
        /// Which user.
        user: usize,
        /// Where to.
        to: Goal,
        /// On what condition.
        condition: Condition,
        /// Elements that are handed in at once.
        elements: u64,
    },
    /// A user hands in more elements for the latest run.
    Push {
        /// Which user.
        user: usize,
        /// How many.
        elements: u64,
    },
    /// A user moves an end.
    Truncate {
        /// Which user.
        user: usize,
        /// Which end.
        edge: Edge,
        /// Where to.
        to: Pos,
        /// On what condition.
        condition: Condition,
    },
    /// A user wants what it wrote to be durable.
    Sync {
        /// Which user.
        user: usize,
        /// Whether nothing follows.
        finish: bool,
    },
    /// A user begins many small steps at once.
    Burst {
        /// Which user.
        user: usize,
        /// How many.
        steps: u64,
    },
    /// A user reads a place.
    Range {
        /// Which user.
        user: usize,
        /// The first position.
        at: u64,
        /// Bytes from there.
        length: u64,
    },
    /// A user reads many places at once.
    Scatter {
        /// Which user.
        user: usize,
        /// How many.
        places: u64,
    },
    /// A user no longer waits for its latest range.
    Forget {
        /// Which user.
        user: usize,
    },
    /// The owner of a source adds elements.
    Grow {
        /// Which source.
        source: usize,
        /// How many.
        elements: u64,
    },
    /// The owner of a source drops its first elements.
    Evict {
        /// Which source.
        source: usize,
        /// How many.
        elements: u64,
    },
    /// The owner of a source drops its last elements.
    Shrink {
        /// Which source.
        source: usize,
        /// How many.
        elements: u64,
    },
    /// The owner of a source writes over some of its elements.
    Overwrite {
        /// Which source.
        source: usize,
        /// Where.
        at: u64,
        /// How many.
        elements: u64,
    },
    /// The end of a source becomes final.
    Finish {
        /// Which source.
        source: usize,
    },
    /// A source fails when it is read at this place.
    Break {
        /// Which source.
        source: usize,
        /// Where.
        at: u64,
    },
    /// The disk of a source takes so many more elements, or no change at all.
    Fill {
        /// Which source.
        source: usize,
        /// How many.
        room: Option<u64>,
    },
    /// A source works again.
    Repair {
        /// Which source.
        source: usize,
    },
    /// All disks get slower or faster.
    Slow {
        /// The longest that a request takes, in microseconds.
        micros: u64,
    },
    /// The serving side ends a stream.
    Fail {
        /// Which user loses it.
        user: usize,
    },
    /// Somebody calls.
    Call {
        /// The side that calls.
        node: usize,
        /// The length of the arguments, in bytes.
        length: usize,
    },
    /// Somebody gives up the latest call.
    Cancel {
        /// The side that called.
        node: usize,
    },
    /// A side shuts down.
    Drain {
        /// Which side.
        node: usize,
    },
    /// The connection breaks.
    Cut,
    /// One direction carries nothing for a while.
    Stall {
        /// The sender of that direction.
        node: usize,
        /// For how long, in microseconds.
        micros: u64,
    },
}
