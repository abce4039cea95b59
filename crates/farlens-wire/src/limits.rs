//! Every bound of a link, with its default, unit and cost.

use std::fmt;

/// The bounds that one side of a link keeps.
///
/// Those marked *announced* travel in the hello and bind the peer; the others are local. A link
/// whose streams are filled to every bound holds about 29 MiB, or 77 MiB where readers were quick on a
/// long line. Calls may hold
/// [`Limits::argument_bytes`] and one message more for each level, once with answers and once one
/// way, and as many answers as there are calls.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one frame's payload that this side accepts. *Announced.* Default 64 KiB, from 4 KiB
    /// to 1 MiB. It bounds how long a small frame waits behind a large one.
    pub frame_bytes: usize,
    /// Bytes of one message: an entity, or the arguments or the result of a call. *Announced.*
    /// Default 1 MiB, from 16 KiB to 64 MiB. Bigger things are streams.
    pub message_bytes: usize,
    /// Streams that the peer may have open on this link. *Announced.* Default 256.
    pub streams: u32,
    /// Calls that the peer may have running on this link, on each level of nesting, and as many that
    /// are one way. *Announced.* Default 128.
    pub calls: u32,
    /// Levels of calls: a call that a handler makes is one level below the one that it serves.
    /// *Announced.* Default 16, up to 64.
    pub call_depth: u32,
    /// Bytes of the arguments of calls that run, on each level of nesting; a single call may have
    /// more. *Announced.* Default 4 MiB.
    pub argument_bytes: usize,
    /// Different references that are held on this link, in each direction. *Announced.* Default
    /// 65,536, at least 128. Each costs about 64 bytes.
    pub references: u32,
    /// Credit that a stream starts with, in encoded bytes. Default 256 KiB.
    pub stream_window_bytes: u64,
    /// Credit that a stream may grow to, in encoded bytes. Default 64 MiB. It grows only while the
    /// sender was seen blocked by it, and leaves an eighth of the free budget to others.
    pub stream_window_max_bytes: u64,
    /// Entities that a stream may have granted and not consumed while its window is as wide as at
    /// first; in proportion when that is wider. Default 65,536.
    pub stream_window_items: u64,
    /// Sum of the credit granted and not consumed on a link, unless much moves over a long line.
    /// Default 16 MiB. When it is used up each stream still gets [`Limits::MIN_WINDOW_BYTES`].
    pub receive_budget_bytes: u64,
    /// What that sum may grow to. Default 64 MiB, at most 256 MiB. It is twice what readers took in
    /// the last round trip, beside what is granted to those that stand still, where that is more
    /// than `receive_budget_bytes`; no line with a short round trip comes near. What is granted is
    /// under way, and in memory when a reader stops.
    pub receive_budget_max_bytes: u64,
    /// Data fetched from sources and not yet handed to the transport, and what is being fetched.
    /// Default 1 MiB a link. When it is used up each stream that has none still gets 16 KiB.
    pub send_queue_bytes: usize,
    /// Depth of lists, maps and structures in one value. Default 64.
    pub depth: u32,
    /// Elements of one message, counted over all its lists and maps. Default 65,536.
    pub elements: u32,
    /// Memory that decoding one message may take, in bytes. Default 8 MiB.
    pub cost_bytes: usize,
    /// Milliseconds without traffic after which a ping goes out. Default 15,000, at least 200.
    pub ping_idle_ms: u64,
    /// Milliseconds of silence after which the link is dead. Default 45,000, at least 1,000.
    pub dead_after_ms: u64,
    /// Milliseconds that the peer's hello may take. Default 5,000.
    pub hello_ms: u64,
    /// Milliseconds in which the socket takes no byte while some are queued. Default 30,000.
    pub stall_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 64 << 10,
            message_bytes: 1 << 20,
            streams: 256,
            calls: 128,
            call_depth: 16,
            argument_bytes: 4 << 20,
            references: 65_536,
            stream_window_bytes: 256 << 10,
            stream_window_max_bytes: 64 << 20,
            stream_window_items: 65_536,
            receive_budget_bytes: 16 << 20,
            receive_budget_max_bytes: 64 << 20,
            send_queue_bytes: 1 << 20,
            depth: 64,
            elements: 65_536,
            cost_bytes: 8 << 20,
            ping_idle_ms: 15_000,
            dead_after_ms: 45_000,
            hello_ms: 5_000,
            stall_ms: 30_000,
        }
    }
}

/// A limit outside its range or at odds with another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitsError {
    /// The name of the field.
    pub field: &'static str,
    /// What it must satisfy.
    pub rule: &'static str,
}

impl fmt::Display for LimitsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limits::{} must be {}", self.field, self.rule)
    }
}

impl std::error::Error for LimitsError {}

impl Limits {
    /// The same for messages of up to `bytes`, with what goes with them: the memory that decoding
    /// one may take, and the arguments of calls that may be under way.
    ///
    /// ```
    /// let limits = farlens_wire::Limits::default().message(50_000_000);
    /// assert_eq!(limits.message_bytes, 50_000_000);
    /// assert!(limits.validate().is_ok());
    /// ```
    #[must_use]
    pub fn message(self, bytes: usize) -> Self {
        Self {
            message_bytes: bytes,
            cost_bytes: self.cost_bytes.max(bytes.saturating_mul(4)),
            argument_bytes: self.argument_bytes.max(bytes),
            ..self
        }
    }

    /// The largest payload of a hello frame, in bytes: nothing big before trust is settled.
    pub const HELLO_BYTES: usize = 4 << 10;
    /// The largest payload of a control frame, in bytes. Calls, results and data may be larger.
    pub const CONTROL_BYTES: usize = 8 << 10;
    /// The credit that every stream gets even when the budget is used up, in bytes.
    pub const MIN_WINDOW_BYTES: u64 = 16 << 10;
    /// The longest path, in bytes.
    pub const PATH_BYTES: usize = 4096;
    /// The longest component of a path, in bytes.
    pub const NAME_BYTES: usize = 255;
    /// The most components of a path.
    pub const PATH_COMPONENTS: usize = 64;
    /// The longest error text that crosses the link, in bytes.
    pub const TEXT_BYTES: usize = 1 << 10;
    /// The most levels of calls.
    pub const MAX_DEPTH: u32 = 64;
    /// The most references that one message carries.
    pub const REFERENCES: usize = 128;
    /// What credit and bounds count for a reference of an element, in bytes.
    pub const REFERENCE_BYTES: usize = 32;
    /// Unknown ignorable frames that a link tolerates.
    pub const IGNORED_FRAMES: u32 = 100;

    /// What holds for a peer whose hello has not come: the minimum of every announced limit.
    #[must_use]
    pub fn minimum() -> Self {
        Self {
            frame_bytes: 4 << 10,
            message_bytes: 16 << 10,
            streams: 1,
            calls: 1,
            call_depth: 1,
            argument_bytes: 16 << 10,
            references: 128,
            ..Self::default()
        }
    }

    /// Checks ranges and relations.
    ///
    /// # Errors
    /// The first field that is out of range.
    pub fn validate(&self) -> Result<(), LimitsError> {
        let rules = [
            ("frame_bytes", (4 << 10..=1 << 20).contains(&self.frame_bytes), "4 KiB to 1 MiB"),
            (
                "message_bytes",
                (16 << 10..=64 << 20).contains(&self.message_bytes),
                "16 KiB to 64 MiB",
            ),
            ("streams", (1..=65_536).contains(&self.streams), "1 to 65,536"),
            ("calls", (1..=65_536).contains(&self.calls), "1 to 65,536"),
            ("call_depth", (1..=Self::MAX_DEPTH).contains(&self.call_depth), "1 to 64"),
            (
                "argument_bytes",
                (16 << 10..=256 << 20).contains(&self.argument_bytes),
                "16 KiB to 256 MiB",
            ),
            ("references", (128..=1 << 20).contains(&self.references), "128 to 1,048,576"),
            (
                "stream_window_bytes",
                self.stream_window_bytes >= Self::MIN_WINDOW_BYTES,
                "at least 16 KiB",
            ),
            (
                "stream_window_max_bytes",
                (self.stream_window_bytes..=self.receive_budget_max_bytes)
                    .contains(&self.stream_window_max_bytes),
                "between stream_window_bytes and receive_budget_max_bytes",
            ),
            ("stream_window_items", self.stream_window_items >= 1, "at least 1"),
            (
                "receive_budget_bytes",
                (self.stream_window_bytes..=256 << 20).contains(&self.receive_budget_bytes),
                "between stream_window_bytes and 256 MiB",
            ),
            (
                "receive_budget_max_bytes",
                (self.receive_budget_bytes..=256 << 20).contains(&self.receive_budget_max_bytes),
                "between receive_budget_bytes and 256 MiB",
            ),
            (
                "send_queue_bytes",
                self.send_queue_bytes >= 2 * self.frame_bytes,
                "at least two frames",
            ),
            ("depth", (8..=128).contains(&self.depth), "8 to 128"),
            ("elements", (1_000..=1_000_000).contains(&self.elements), "1,000 to 1,000,000"),
            (
                "cost_bytes",
                self.cost_bytes >= 4 * self.message_bytes && self.cost_bytes <= 256 << 20,
                "4 × message_bytes to 256 MiB",
            ),
            ("ping_idle_ms", self.ping_idle_ms >= 200, "at least 200"),
            (
                "dead_after_ms",
                self.dead_after_ms >= 1_000 && self.dead_after_ms > self.ping_idle_ms,
                "at least 1,000 and more than ping_idle_ms",
            ),
            ("hello_ms", self.hello_ms >= 1, "at least 1"),
            ("stall_ms", self.stall_ms >= 1_000, "at least 1,000"),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            Some((field, _, rule)) => Err(LimitsError { field, rule }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(Limits::default().validate(), Ok(()));
    }

    #[test]
    fn each_edge_is_where_it_is_said_to_be() {
        type Case = (fn(&mut Limits), bool);
        let cases: [Case; 6] = [
            (|l| l.frame_bytes = 4 << 10, true),
            (|l| l.frame_bytes = (4 << 10) - 1, false),
            (|l| l.frame_bytes = (1 << 20) + 1, false),
            (|l| l.depth = 128, true),
            (|l| l.depth = 129, false),
            (|l| l.cost_bytes = 4 * l.message_bytes - 1, false),
        ];
        for (index, (change, valid)) in cases.into_iter().enumerate() {
            let mut limits = Limits { send_queue_bytes: 4 << 20, ..Limits::default() };
            change(&mut limits);
            assert_eq!(limits.validate().is_ok(), valid, "case {index}");
        }
    }
}
