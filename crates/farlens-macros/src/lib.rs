//! Derive macros of Farlens.
