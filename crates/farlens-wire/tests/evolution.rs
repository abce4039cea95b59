//! What becomes of values when their type changes: old readers of new values, and new of old ones.
//!
//! Each case says what the type was, what it is, and what happens either way: the value is read, or
//! the types differ in words, or this one value is refused.

// Some variants and fields are there for one side only, and some are named to show a spelling.
#![allow(dead_code, unreachable_pub, non_snake_case, non_camel_case_types)]

#[path = "evolution/check.rs"]
mod check;
#[path = "evolution/enums.rs"]
mod enums;
#[path = "evolution/fields.rs"]
mod fields;
#[path = "evolution/numbers.rs"]
mod numbers;
#[path = "evolution/sequences.rs"]
mod sequences;
#[path = "evolution/wrappers.rs"]
mod wrappers;
