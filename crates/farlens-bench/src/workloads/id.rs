//! What is measured: a name for each, its unit, and which way is better.

use clap::{ValueEnum, builder::PossibleValue};

/// Whether more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// A workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// Bytes from memory.
    BulkReadMemory,
    /// Bytes from a file in the page cache.
    BulkReadFile,
    /// Bytes into a file, up to where the server has written all of them.
    BulkWriteFile,
    /// Entities that are sent and taken one by one.
    EntitiesOne,
    /// Entities in batches of 256.
    EntitiesBatch,
    /// One small call after another.
    CallP50,
    /// Small calls, 64 of them under way.
    Calls64,
    /// The same, and each caller is a task of its own.
    Calls64Apart,
    /// The same in step, without callers.
    Calls64Lockstep,
    /// One read of 4 KiB after another.
    Random4kP50,
    /// Reads of 4 KiB, 64 of them under way.
    Random4k64,
    /// From nothing to the first byte: TCP, TLS, the system's own greeting, and a read.
    FirstByte,
    /// Memory of a stream on which nothing comes.
    IdleStreamBytes,
    /// Entities in a thousand streams at a time.
    Items1000Streams,
    /// Bytes from memory in 63 streams.
    StalledReaderWithout,
    /// The same beside one more, whose reader stands still.
    StalledReader,
    /// A live log that is read 64 times at once.
    Fanout64,
    /// A call each millisecond while bulk data flows the same way as its answers.
    CallP99BesideBulk,
    /// What these calls leave of the bulk rate.
    BulkBesideCalls,
    /// Bytes over a line of a gigabit: so many milliseconds there and back, in so many streams.
    Wan { name: &'static str, ms: u64, streams: u64 },
}

const fn wan(name: &'static str, ms: u64, streams: u64) -> Workload {
    Workload::Wan { name, ms, streams }
}

/// The one that every system takes part in; the others of its kind are for those that stream.
const WAN_OF_ALL: &str = "wan_100_1";

/// All, in the order in which they run.
const ALL: [Workload; 37] = [
    Workload::BulkReadMemory,
    Workload::BulkReadFile,
    Workload::BulkWriteFile,
    Workload::EntitiesOne,
    Workload::EntitiesBatch,
    Workload::CallP50,
    Workload::Calls64,
    Workload::Calls64Apart,
    Workload::Calls64Lockstep,
    Workload::Random4kP50,
    Workload::Random4k64,
    Workload::FirstByte,
    Workload::IdleStreamBytes,
    Workload::Items1000Streams,
    Workload::StalledReaderWithout,
    Workload::StalledReader,
    Workload::Fanout64,
    Workload::CallP99BesideBulk,
    Workload::BulkBesideCalls,
    wan("wan_0_1", 0, 1),
    wan("wan_0_8", 0, 8),
    wan("wan_0_64", 0, 64),
    wan("wan_1_1", 1, 1),
    wan("wan_1_8", 1, 8),
    wan("wan_1_64", 1, 64),
    wan("wan_10_1", 10, 1),
    wan("wan_10_8", 10, 8),
    wan("wan_10_64", 10, 64),
    wan("wan_50_1", 50, 1),
    wan("wan_50_8", 50, 8),
    wan("wan_50_64", 50, 64),
    wan(WAN_OF_ALL, 100, 1),
    wan("wan_100_8", 100, 8),
    wan("wan_100_64", 100, 64),
    wan("wan_200_1", 200, 1),
    wan("wan_200_8", 200, 8),
    wan("wan_200_64", 200, 64),
];

impl ValueEnum for Workload {
    fn value_variants<'a>() -> &'a [Self] {
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl Workload {
    /// As it is named on the command line and in the output.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BulkReadMemory => "bulk_read_memory",
            Self::BulkReadFile => "bulk_read_file",
            Self::BulkWriteFile => "bulk_write_file",
            Self::EntitiesOne => "entities_one",
            Self::EntitiesBatch => "entities_batch",
            Self::CallP50 => "call_p50",
            Self::Calls64 => "calls_64",
            Self::Calls64Apart => "calls_64_apart",
            Self::Calls64Lockstep => "calls_64_lockstep",
            Self::Random4kP50 => "random_4k_p50",
            Self::Random4k64 => "random_4k_64",
            Self::FirstByte => "first_byte",
            Self::IdleStreamBytes => "idle_stream_bytes",
            Self::Items1000Streams => "items_1000_streams",
            Self::StalledReaderWithout => "stalled_reader_without",
            Self::StalledReader => "stalled_reader",
            Self::Fanout64 => "fanout_64",
            Self::CallP99BesideBulk => "call_p99_beside_bulk",
            Self::BulkBesideCalls => "bulk_beside_calls",
            Self::Wan { name, .. } => name,
        }
    }

    /// The unit of its figure.
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::BulkReadMemory
            | Self::BulkReadFile
            | Self::BulkWriteFile
            | Self::BulkBesideCalls
            | Self::StalledReaderWithout
            | Self::StalledReader
            | Self::Fanout64
            | Self::Wan { .. } => "MB/s",
            Self::EntitiesOne | Self::EntitiesBatch | Self::Items1000Streams => "M items/s",
            Self::Calls64 | Self::Calls64Apart | Self::Calls64Lockstep => "calls/s",
            Self::Random4k64 => "reads/s",
            Self::IdleStreamBytes => "B",
            Self::CallP50 | Self::Random4kP50 | Self::FirstByte | Self::CallP99BesideBulk => "us",
        }
    }

    /// Whether more of that is better.
    pub(crate) fn better(self) -> Better {
        if matches!(self.unit(), "us" | "B") { Better::Lower } else { Better::Higher }
    }

    /// Whether every system is measured over this line.
    pub(crate) fn is_wan_of_some(self) -> bool {
        matches!(self, Self::Wan { name, .. } if name != WAN_OF_ALL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_named_as_it_is() {
        for workload in ALL {
            if let Workload::Wan { name, ms, streams } = workload {
                assert_eq!(name, format!("wan_{ms}_{streams}"));
            }
        }
    }
}
