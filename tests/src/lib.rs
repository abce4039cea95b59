//! The second opinion: links in memory, a reference model and a seeded world that break them.
//!
//! * [`pattern`]: test data as a function of its position.
//! * [`source`]: data that lives in memory and answers like a shell would.
//! * [`store`]: the same that can be changed.
//! * [`refs`]: the references of a link without a shell.
//! * [`exchange`]: two links that make, pass, return and drop objects at random.
//! * [`calling`]: calls and what became of them.
//! * [`pair`]: two links and a perfect wire.
//! * [`script`]: one link and a hand-made peer.
//! * [`model`] and [`ops`]: what a reader must see, and what can be done to it.
//! * [`sim`]: a world with virtual time in which the wire, the sources and the users misbehave.
//! * [`certs`]: TLS without the library, for peers that break its rules.
//! * [`hostile`]: a hand-made peer over real TLS.
//! * [`fault_io`]: a connection that hesitates, lies and breaks.

pub mod calling;
pub mod certs;
pub mod exchange;
pub mod fault_io;
pub mod hostile;
pub mod model;
pub mod ops;
pub mod pair;
pub mod pattern;
pub mod refs;
pub mod rng;
pub mod script;
pub mod sim;
pub mod source;
pub mod store;
mod wire;
