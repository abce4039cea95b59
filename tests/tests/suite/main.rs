//! What a link does, one small story each: alone with a hand-made peer, or with another link.

mod closing;
mod reading;
mod seeking;
