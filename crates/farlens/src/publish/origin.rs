//! Where the data of a streamer comes from: made by a recipe, or given by another streamer.

use super::{Found, attenuated::Attenuated, recipe::Recipe};
use crate::{
    Error, Result,
    data::erased::{ErasedData, Held},
};
use farlens_proto::{Kind, Purpose, Reach};
use farlens_wire::{Bounds, Code, Flags, Mode, ModeOffer, Position, schema::SchemaDoc};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Where data comes from. Clones are the same.
#[derive(Clone)]
pub(super) enum Origin {
    Data {
        recipe: Arc<dyn Recipe>,
        /// The right to be the only writer.
        lock: Arc<Semaphore>,
    },
    Attenuated(Arc<Attenuated>),
}

/// Flags that let one stream at a time write.
pub(super) const LOCKS: Flags =
    Flags::from_bits(Flags::DATA_LOCK.bits() | Flags::START_LOCK.bits() | Flags::END_LOCK.bits());

/// Nothing that keeps a peer from making the data longer.
pub(super) const NO_BOUND: Reach = Reach { end: Position::MAX, gap: u64::MAX };

impl Origin {
    pub(super) fn data(recipe: impl Recipe + 'static) -> Self {
        Self::Data { recipe: Arc::new(recipe), lock: Arc::new(Semaphore::new(1)) }
    }

    /// What a mode must and may contain, before flags are chosen.
    pub(super) fn offers(&self) -> Result<ModeOffer> {
        match self {
            Self::Data { recipe, .. } => Ok(recipe.offers()),
            Self::Attenuated(attenuated) => attenuated.offers(),
        }
    }

    /// What its elements are, and their type.
    pub(super) fn form(&self) -> (Kind, Option<Arc<SchemaDoc>>) {
        match self {
            Self::Data { recipe, .. } => recipe.form(),
            Self::Attenuated(attenuated) => attenuated.source().form(),
        }
    }

    /// Whether it was made of a streamer that is only appended to.
    pub(super) fn is_append_only(&self) -> bool {
        match self {
            Self::Data { .. } => false,
            Self::Attenuated(attenuated) => attenuated.is_append_only(),
        }
    }

    /// Whether the data can be read at any place, whatever a mode over it says.
    pub(super) fn can_seek(&self) -> bool {
        match self {
            Self::Data { recipe, .. } => {
                let ModeOffer { required, possible } = recipe.offers();
                (required | possible).has(Flags::SEEK)
            }
            Self::Attenuated(attenuated) => attenuated.source().can_seek(),
        }
    }

    /// Whether what is published is there now. May block.
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Data { recipe, .. } => recipe.check(),
            Self::Attenuated(attenuated) => attenuated.source().check(),
        }
    }

    /// Whether opening it never blocks.
    pub(super) fn opens_at_once(&self) -> bool {
        match self {
            Self::Data { recipe, .. } => recipe.opens_at_once(),
            Self::Attenuated(_) => false,
        }
    }

    /// Opens the data for one stream with this mode, of a peer that may have these of `READABLE`
    /// and `WRITABLE`. May block.
    pub(super) fn open(&self, mode: Mode, wanted: Flags, purpose: Purpose) -> Result<Found> {
        match self {
            Self::Data { recipe, lock } => {
                let permit = mode.flags().has_any(LOCKS).then(|| take(lock)).transpose()?;
                let write = mode.has(Flags::WRITABLE);
                let data = open_data(&**recipe, write, purpose, permit)?;
                Ok(Found { reach: NO_BOUND, ..Found::new(data, mode) })
            }
            Self::Attenuated(attenuated) => attenuated.open(wanted, purpose),
        }
    }

    /// Whether it is a file that streams may change, and all of it.
    pub(super) fn is_whole_file(&self) -> bool {
        match self {
            Self::Data { recipe, .. } => recipe.writable_file().is_some(),
            Self::Attenuated(attenuated) => attenuated.is_whole_file(),
        }
    }

    /// The type and the bounds, where opening would take what only a reader may have.
    pub(super) fn glance(&self) -> Option<(Option<Arc<SchemaDoc>>, Bounds)> {
        match self {
            Self::Data { recipe, .. } => recipe.glance(),
            Self::Attenuated(attenuated) => attenuated.glance(),
        }
    }

    /// The data, to look at and not to write. May block.
    pub(super) fn look(&self) -> Result<Arc<dyn ErasedData>> {
        match self {
            Self::Data { recipe, .. } => open_data(&**recipe, false, Purpose::Use, None),
            Self::Attenuated(attenuated) => attenuated.look(),
        }
    }

    /// Whether it can be had at all by now.
    pub(super) fn check_lease(&self) -> Result<()> {
        match self {
            Self::Data { .. } => Ok(()),
            Self::Attenuated(attenuated) => attenuated.check_lease(),
        }
    }
}

fn take(lock: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
    let permit = Arc::clone(lock).try_acquire_owned();
    permit.map_err(|_| Error::new(Code::BUSY, "another stream writes there"))
}

/// Opens data; a permit is given back when that is dropped.
fn open_data(
    recipe: &dyn Recipe,
    write: bool,
    purpose: Purpose,
    permit: Option<OwnedSemaphorePermit>,
) -> Result<Arc<dyn ErasedData>> {
    if let Some(file) = recipe.writable_file() {
        return Ok(Arc::new(file.open_live(write, purpose)?.holding(permit)));
    }
    let data = recipe.open()?;
    Ok(match permit {
        Some(permit) => Arc::new(Held::new(data, permit)),
        None => data,
    })
}
