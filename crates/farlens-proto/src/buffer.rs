//! What waits between a link and its user.

pub(crate) mod chunk;
