//! What a stream needs from the scheduler, and where it stands.

use crate::stream::hunger::Hunger;
use farlens_wire::Urgency;

/// What one stream needs from the scheduler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::link) struct Needs {
    /// The class of its elements.
    pub(in crate::link) urgency: Urgency,
    /// Control frames wait.
    pub(in crate::link) control: bool,
    /// Elements, or what follows them, wait and may go.
    pub(in crate::link) data: bool,
    /// Bytes of places beside the cursor wait.
    pub(in crate::link) ranges: bool,
    /// What it wants to ask its source for.
    pub(in crate::link) hunger: Hunger,
    /// Encoded bytes that wait.
    pub(in crate::link) queued: usize,
    /// Encoded bytes that were asked for and have not come.
    pub(in crate::link) reserved: usize,
}

impl Needs {
    /// Whether nothing is needed.
    pub(super) fn are_none(&self) -> bool {
        *self == Self { urgency: self.urgency, ..Self::default() }
    }

    /// Whether the stream has elements, or is about to.
    pub(super) const fn has_elements(&self) -> bool {
        self.queued > 0 || self.reserved > 0
    }

    /// Whether it wants more of what it has, which can wait until there is room.
    pub(super) fn can_wait(&self) -> bool {
        self.hunger == Hunger::Elements && self.has_elements()
    }
}

/// Which of its machines a stream sends elements from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::link) enum Flow {
    /// What is read on, or written.
    Cursor,
    /// Places beside the cursor.
    Ranges,
}

impl Flow {
    /// Who reads a place waits for that alone, so it goes before what is read on.
    pub(super) const fn class(self, urgency: Urgency) -> Urgency {
        match self {
            Self::Cursor => urgency,
            Self::Ranges => urgency.sooner(2),
        }
    }
}

/// A stream that needs something, and the queues in which it stands.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) needs: Needs,
    pub(super) in_control: bool,
    pub(super) in_hungry: bool,
    pub(super) in_held: bool,
    pub(super) in_cursor: bool,
    pub(super) in_ranges: bool,
}

impl Entry {
    /// Whether it says nothing.
    pub(super) fn is_idle(&self) -> bool {
        let asks = self.in_control || self.in_hungry || self.in_held;
        self.needs.are_none() && !(asks || self.in_cursor || self.in_ranges)
    }

    pub(super) fn is_ready(&self, flow: Flow) -> bool {
        match flow {
            Flow::Cursor => self.needs.data,
            Flow::Ranges => self.needs.ranges,
        }
    }

    pub(super) fn is_inside(&mut self, flow: Flow) -> &mut bool {
        match flow {
            Flow::Cursor => &mut self.in_cursor,
            Flow::Ranges => &mut self.in_ranges,
        }
    }
}
