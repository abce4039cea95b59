//! What travels, as `prost` would generate it.

use crate::data;
use bytes::Bytes;

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Nothing {}

/// Two numbers: a place and a length.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Pair {
    #[prost(uint64, tag = "1")]
    pub(crate) a: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) b: u64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Sum {
    #[prost(uint64, tag = "1")]
    pub(crate) sum: u64,
}

/// Bytes of any kind, which are not copied once more when they are decoded.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Chunk {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) bytes: Bytes,
}

/// Where bulk bytes come from.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Origin {
    #[prost(bool, tag = "1")]
    pub(crate) file: bool,
}

/// How many entities.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Count {
    #[prost(uint64, tag = "1")]
    pub(crate) count: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Sample {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) time_ns: u64,
    #[prost(double, tag = "3")]
    pub(crate) value: f64,
    #[prost(string, tag = "4")]
    pub(crate) label: String,
    #[prost(bool, tag = "5")]
    pub(crate) valid: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Batch {
    #[prost(message, repeated, tag = "1")]
    pub(crate) samples: Vec<Sample>,
}

impl From<data::Sample> for Sample {
    fn from(sample: data::Sample) -> Self {
        let data::Sample { id, time_ns, value, label, valid } = sample;
        Self { id, time_ns, value, label, valid }
    }
}
