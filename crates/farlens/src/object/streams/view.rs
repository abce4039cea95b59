//! A part of what can be done with a stream that lives elsewhere.

use super::remote::about;
use crate::{OpenOptions, Result};
use farlens_proto::About;
use farlens_wire::{Flags, Mode, Pos, Position, Reference};

/// A streamer of which less is given away, as it lies inside a reference of this process.
pub(crate) struct View {
    /// What it is a view of: a streamer of this process or of a peer.
    origin: Reference,
    /// What lies before is not shown.
    from: Option<Position>,
    about: About,
}

impl View {
    /// What is left of `origin` for somebody who may begin at `from` and may do what `mode` says.
    /// It is `origin` itself where that is all of it.
    pub(crate) fn of(origin: Reference, from: Option<Position>, mode: Mode) -> Reference {
        let Some(About::Stream { kind, mode: whole, append_only, schema }) = about(&origin) else {
            return origin;
        };
        let uses = Flags::READABLE | Flags::WRITABLE;
        let wanted = Flags::from_bits(mode.flags().bits() & uses.bits());
        let left = Mode::try_from(whole).ok().and_then(|whole| whole.limited_to(wanted));
        let Some(left) = left.map(|left| left.flags().bits()) else { return origin };
        if from.is_none() && left == whole {
            return origin;
        }
        // A view of a view is one of what that is of.
        let (origin, from) = match origin.get::<Self>() {
            Some(view) => (view.origin.clone(), from.max(view.from)),
            None => (origin, from),
        };
        let about = About::Stream { kind, mode: left, append_only, schema };
        Reference::new(Self { origin, from, about })
    }

    pub(crate) const fn origin(&self) -> &Reference {
        &self.origin
    }

    pub(crate) const fn from(&self) -> Option<Position> {
        self.from
    }

    /// What a peer is told of it.
    pub(crate) const fn about(&self) -> About {
        self.about
    }

    /// Whether its owner may have the whole instead: who has everything anyway.
    pub(crate) const fn is_whole_for_owner(&self) -> bool {
        self.from.is_none()
    }

    /// How it is opened in this process, where `options` are meant of the view.
    pub(crate) fn narrow(&self, options: OpenOptions) -> Result<OpenOptions> {
        self.check(options.flags()?)?;
        let start = match (options.first(), self.from) {
            (Pos::FromStart(by), Some(from)) => {
                from.offset(by).map_or(Pos::FromStart(by), Pos::Abs)
            }
            (start, _) => start,
        };
        Ok(options.start(start))
    }

    /// Whether a stream with these flags may be opened on it.
    pub(crate) fn check(&self, wanted: Flags) -> Result<()> {
        match self.about {
            About::Stream { mode, .. } => {
                let mode = Mode::try_from(mode).unwrap_or(Mode::READ_FILE);
                crate::publish::limited(mode, wanted).map(drop)
            }
            _ => Ok(()),
        }
    }
}
