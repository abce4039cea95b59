//! The farlens command.

fn main() {}
