//! Who the other end is.

use std::fmt;

/// The SHA-256 of the public key (SubjectPublicKeyInfo) that the peer proved to hold.
///
/// A [`crate::Link`] cannot exist without one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerIdentity([u8; 32]);

impl PeerIdentity {
    /// The identity with this hash.
    #[must_use]
    pub const fn new(key_hash: [u8; 32]) -> Self {
        Self(key_hash)
    }

    /// The hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PeerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerIdentity(")?;
        for byte in self.0.iter().take(4) {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…)")
    }
}
