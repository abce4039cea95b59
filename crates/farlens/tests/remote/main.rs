//! Traits with `#[farlens::remote]`, called within one process and over links.

mod by_hand;
mod calls;
mod context;
mod interface;
mod names;
mod outside;
mod pipeline;
mod probe;
mod streams;
mod versions;
