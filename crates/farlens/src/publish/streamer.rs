//! A stream as it is published: its data, its mode, and the one writer that a locked one has.

use super::{
    Found, Stat,
    attenuated::{Attenuated, Limit},
    origin::{NO_BOUND, Origin},
    recipe::{InDirectory, Recipe, Shared},
};
use crate::{
    Error, RemotePath, Result,
    data::{
        Channel, Directory, Entry, EntryKind, FileData, FixedData, IterData, LogFile, LogLines,
        SpoolData, StreamerData, Topic,
    },
};
use farlens_proto::{About, Kind, Purpose, Reach};
use farlens_wire::{Code, Element, Flags, Mode, ModeOffer, Operation};
use std::sync::Arc;

/// A lens to publish: data and what peers may do with it.
///
/// The mode is judged when the streamer is published, against itself and against the data. Clones
/// are the same publication: where its mode has a lock, there is one writer for all of them.
///
/// A streamer can be *attenuated*: [`Streamer::read_only`], [`Streamer::slice`],
/// [`Streamer::rate`], [`Streamer::expires`] and [`Streamer::revocable`] make of it another one
/// that gives less. What is set on that one can take away yet more, and nothing that is set on it
/// gives anything back.
#[derive(Clone)]
pub struct Streamer {
    origin: Origin,
    flags: Option<Flags>,
    writable: bool,
    append_only: bool,
    reach: Reach,
    sync_on_close: bool,
}

/// Flags that a streamer has unless it is told otherwise, where its data can honour them: what
/// reading can use, and what it has to reckon with.
const READ_FLAGS: Flags = Flags::from_bits(
    Flags::READABLE.bits()
        | Flags::SEEK.bits()
        | Flags::START_BOUNDED.bits()
        | Flags::START_CAN_INC.bits()
        | Flags::END_BOUNDED.bits()
        | Flags::END_CAN_INC.bits()
        | Flags::END_CAN_DEC.bits(),
);

/// Those that it has besides if it may be written.
const WRITE_FLAGS: Flags = Flags::from_bits(
    Flags::WRITABLE.bits() | Flags::CAN_MOVE_START.bits() | Flags::CAN_MOVE_END.bits(),
);

impl std::fmt::Debug for Streamer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("Streamer");
        out.field("flags", &self.flags).field("writable", &self.writable).finish_non_exhaustive()
    }
}

impl Streamer {
    /// A lens on data of any kind, shared by all streams, with everything that reading can use.
    pub fn new(data: impl StreamerData) -> Self {
        Self::from_recipe(Shared(Arc::new(data)))
    }

    pub(super) fn from_recipe(recipe: impl Recipe + 'static) -> Self {
        Self {
            origin: Origin::data(recipe),
            flags: None,
            writable: false,
            append_only: false,
            reach: Reach::default(),
            sync_on_close: true,
        }
    }

    /// A lens on what this one gives less what is taken, with everything that is left.
    pub(super) fn attenuated(self, limit: Limit) -> Self {
        let sync_on_close = self.sync_on_close;
        Self {
            origin: Origin::Attenuated(Arc::new(Attenuated::new(self, limit))),
            flags: None,
            writable: false,
            append_only: false,
            reach: NO_BOUND,
            sync_on_close,
        }
    }

    /// The same with exactly these flags. [`crate::ServerBuilder::bind`] fails if the data cannot
    /// honour them or they contradict themselves. With one of the locks one stream at a time may
    /// write, and who comes second gets `BUSY`; readers do not notice.
    #[must_use]
    pub const fn flags(mut self, flags: Flags) -> Self {
        self.flags = Some(flags);
        self
    }

    /// The same with everything that writing can use besides, unless [`Streamer::flags`] says which
    /// flags there are. Who may then write is up to the grants. An attenuated streamer can be
    /// written if the one that it was made of can, and this changes nothing about it.
    #[must_use]
    pub const fn writable(mut self) -> Self {
        self.writable = true;
        self
    }

    /// Whether elements that exist must stay: who may write adds at the end and does nothing else.
    /// What was so before it was attenuated stays so.
    #[must_use]
    pub const fn append_only(mut self, append_only: bool) -> Self {
        self.append_only = append_only;
        self
    }

    /// How long peers may make the data. Default: that of [`Reach`].
    #[must_use]
    pub const fn reach(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// Whether what was written is made durable before a writer's close has succeeded. Default: yes.
    /// What replaces a file always is.
    #[must_use]
    pub const fn sync_on_close(mut self, sync: bool) -> Self {
        self.sync_on_close = sync;
        self
    }

    pub(super) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The mode that streams of this lens have, for a peer with every right.
    ///
    /// # Errors
    /// `USAGE` when the flags contradict themselves or the data, or where it was attenuated in a
    /// way that makes no sense.
    pub fn mode(&self) -> Result<Mode> {
        let offer = self.origin.offers()?;
        match (self.flags, &self.origin) {
            (Some(flags), _) => judge(offer, flags),
            (None, Origin::Data { .. }) => default_mode(offer, self.writable),
            (None, Origin::Attenuated(_)) => judge(offer, offer.required | offer.possible),
        }
    }

    /// What a mode must and may contain that has no more than this one.
    pub(super) fn offers_at_most(&self) -> Result<ModeOffer> {
        let (required, flags) = (self.origin.offers()?.required, self.mode()?.flags());
        Ok(ModeOffer { required, possible: flags.without(required) })
    }

    /// What peers are told of it before they open it.
    pub(crate) fn about(&self) -> Result<About> {
        let (kind, schema) = self.origin.form();
        Ok(About::Stream {
            kind,
            mode: self.mode()?.flags().bits(),
            append_only: self.is_append_only(),
            schema: schema.map(|schema| schema.fingerprint().0),
        })
    }

    pub(super) fn is_append_only(&self) -> bool {
        self.append_only || self.origin.is_append_only()
    }

    /// Opens the data for one stream of a peer that may have these of `READABLE` and `WRITABLE`.
    /// May block.
    pub(crate) fn open(&self, wanted: Flags, purpose: Purpose) -> Result<Found> {
        Ok(self.open_at_once(wanted, purpose)?.throttled())
    }

    /// As [`Streamer::open`], on the pool for such work where it may block.
    pub(crate) async fn open_aside(self, wanted: Flags, purpose: Purpose) -> Result<Found> {
        if self.origin.opens_at_once() {
            return self.open(wanted, purpose);
        }
        super::blocking(move || self.open(wanted, purpose)).await
    }

    /// The same with nothing held back yet.
    pub(super) fn open_at_once(&self, wanted: Flags, purpose: Purpose) -> Result<Found> {
        let mode = limited(self.mode()?, wanted)?;
        let replaces = matches!(purpose, Purpose::Replace { .. });
        if replaces {
            self.check_replace(mode)?;
        }
        let found = self.origin.open(mode, wanted, purpose)?;
        let Reach { end, gap } = found.reach;
        Ok(Found {
            mode,
            append_only: self.append_only || found.append_only,
            reach: Reach { end: end.min(self.reach.end), gap: gap.min(self.reach.gap) },
            sync_on_close: self.sync_on_close || replaces,
            ..found
        })
    }

    /// Whether what is published may be replaced by a stream with this mode.
    fn check_replace(&self, mode: Mode) -> Result<()> {
        let forbidden = |text| Err(Error::new(Code::MODE_FORBIDS, text));
        if !mode.has(Flags::WRITABLE) {
            return Err(not_writable());
        }
        if !self.origin.is_whole_file() {
            let text = "what is published here is no file and cannot be replaced: truncate it \
                        and write instead";
            return forbidden(text);
        }
        if self.append_only {
            return Err(only_grows());
        }
        if mode.allows(Operation::Extend).is_err() {
            return forbidden("the length of what is published here is fixed");
        }
        Ok(())
    }

    /// What is known of it where it stands under this name. Takes nothing that only one stream can
    /// have.
    ///
    /// # Errors
    /// As [`Streamer::mode`]; whatever its source fails with.
    pub async fn stat(&self, name: &str) -> Result<Stat> {
        self.origin.check_lease()?;
        let flags = self.mode()?.flags();
        if let Some((schema, bounds)) = self.origin.glance() {
            let schema = schema.map(|schema| schema.to_string());
            let entry = Entry::new(name, EntryKind::Items, bounds.len());
            return Ok(Stat { entry, flags: flags.bits(), bounds, schema });
        }
        let origin = self.origin.clone();
        let data = super::blocking(move || origin.look()).await?;
        let bounds = data.state().await?.bounds;
        let kind = match data.kind() {
            Kind::Bytes => EntryKind::Bytes,
            Kind::Items => EntryKind::Items,
        };
        let schema = data.schema().map(|schema| schema.to_string());
        let entry = Entry::new(name, kind, bounds.len());
        Ok(Stat { entry, flags: flags.bits(), bounds, schema })
    }
}

impl From<FileData> for Streamer {
    /// Peers may write a file that was made for it, as far as their grants go.
    fn from(file: FileData) -> Self {
        let (writable, append_only) = (file.is_writable(), file.is_append_only());
        Self { writable, append_only, ..Self::from_recipe(file) }
    }
}

impl Streamer {
    /// A file of a directory, with what that allows.
    pub(super) fn in_directory(directory: &Arc<Directory>, path: RemotePath) -> Self {
        let (writable, append_only) = (directory.is_writable(), directory.is_append_only());
        let reach = directory.file_reach();
        let recipe = InDirectory { directory: Arc::clone(directory), path };
        Self { writable, append_only, reach, ..Self::from_recipe(recipe) }
    }
}

impl From<IterData> for Streamer {
    fn from(iter: IterData) -> Self {
        Self::from_recipe(iter)
    }
}

impl From<LogFile> for Streamer {
    fn from(log: LogFile) -> Self {
        Self::from_recipe(log)
    }
}

impl From<LogLines> for Streamer {
    fn from(lines: LogLines) -> Self {
        Self::from_recipe(lines)
    }
}

impl From<FixedData> for Streamer {
    fn from(data: FixedData) -> Self {
        Self::new(data)
    }
}

impl From<SpoolData> for Streamer {
    fn from(data: SpoolData) -> Self {
        Self::new(data)
    }
}

impl<T: Element + 'static> From<Topic<T>> for Streamer {
    fn from(topic: Topic<T>) -> Self {
        Self::new(topic)
    }
}

impl<T> From<Channel<T>> for Streamer {
    fn from(channel: Channel<T>) -> Self {
        Self::from_recipe(channel.outlet)
    }
}

/// Who publishes it lets nobody change what is there, whatever the grants say.
pub(super) fn only_grows() -> Error {
    Error::new(Code::MODE_FORBIDS, "what is published here can only be appended to")
}

/// The mode of data whose publisher names no flags.
pub(super) fn default_mode(offer: ModeOffer, writable: bool) -> Result<Mode> {
    let wanted = if writable { READ_FLAGS | WRITE_FLAGS } else { READ_FLAGS };
    let possible = Flags::from_bits(offer.possible.bits() & wanted.bits());
    judge(offer, offer.required | possible)
}

fn judge(offer: ModeOffer, flags: Flags) -> Result<Mode> {
    offer.mode(flags).map_err(|error| Error::new(Code::USAGE, format!("a mode is wrong: {error}")))
}

/// What is left of a mode for a peer that wants to read, to write or both.
pub(crate) fn limited(mode: Mode, wanted: Flags) -> Result<Mode> {
    if wanted.has(Flags::WRITABLE) && !mode.has(Flags::WRITABLE) {
        return Err(not_writable());
    }
    if wanted.has(Flags::READABLE) && !mode.has(Flags::READABLE) {
        let text = "what is published here can be written but not read";
        return Err(Error::new(Code::MODE_FORBIDS, text));
    }
    let nothing = || Error::new(Code::USAGE, "a stream is there to read, to write or for both");
    mode.limited_to(wanted).ok_or_else(nothing)
}

pub(super) fn not_writable() -> Error {
    Error::new(Code::MODE_FORBIDS, "what is published here cannot be written")
}
