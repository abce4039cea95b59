//! Traits with `#[farlens::remote]`, called within one process.

mod calls;
