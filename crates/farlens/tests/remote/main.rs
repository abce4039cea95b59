//! Traits with `#[farlens::remote]`, called within one process.

mod calls;
mod context;
mod interface;
mod pipeline;
mod probe;
mod streams;
mod versions;
