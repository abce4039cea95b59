//! Who is at the other end: keys, TLS 1.3 with a key on both sides, and the files of trust.

mod key_id;

pub use key_id::KeyId;

#[cfg(test)]
pub(crate) mod tests {
    pub(crate) use super::key_id::tests::any_key_id;
}
