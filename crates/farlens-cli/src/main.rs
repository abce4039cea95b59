//! The farlens command.

#[cfg(test)]
mod json;

fn main() {}
