//! What a link does, one small story each: alone with a hand-made peer, or with another link.

mod behaviours;
mod calls;
mod cancels;
mod closing;
mod deadlines;
mod exchanges;
mod faults;
mod framing;
mod gaps;
mod gathering;
mod interfaces;
mod modes;
mod nesting;
mod objects;
mod one_way;
mod parts;
mod pipelining;
mod ranges;
mod reading;
mod references;
mod schedule;
mod seeking;
mod simulated;
mod write_faults;
mod write_noise;
mod writing;
