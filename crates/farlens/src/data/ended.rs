//! How a sequence that is produced comes to its end.

use super::Fetched;
use crate::{Error, Result};
use farlens_wire::Code;

/// How a sequence ended.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// Nothing follows.
    Finished,
    /// Its producer failed.
    Failed(Code, String),
}

impl Ended {
    /// With the failure that readers get after the last element.
    pub(super) fn failed(error: &Error) -> Self {
        Self::Failed(error.code(), error.message().to_owned())
    }

    /// What a read behind the last element gets.
    pub(super) fn answer(&self) -> Result<Fetched> {
        match self {
            Self::Finished => Ok(Fetched::Nothing),
            Self::Failed(code, text) => Err(Error::new(*code, text.clone())),
        }
    }

    /// Whether the end is final, which a failure is not.
    pub(super) const fn is_finished(&self) -> bool {
        matches!(self, Self::Finished)
    }
}
