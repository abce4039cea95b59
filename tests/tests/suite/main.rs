//! What a link does, one small story each: alone with a hand-made peer, or with another link.

mod behaviours;
mod calls;
mod closing;
mod faults;
mod framing;
mod gaps;
mod modes;
mod ranges;
mod reading;
mod references;
mod schedule;
mod seeking;
mod simulated;
mod write_faults;
mod write_noise;
mod writing;
