//! How a stream is opened.

use crate::{Error, Result};
use farlens_proto::{Ahead, Credit, Kind, OpenOn, OpenRequest, Purpose};
use farlens_wire::{AtEnd, Code, Delivery, Flags, Pos, Urgency};

/// How a stream is opened: what for, from where, and what happens at its end.
///
/// ```
/// use farlens::{AtEnd, OpenOptions, Pos};
///
/// let tail = OpenOptions::new().start(Pos::END).at_end(AtEnd::Follow);
/// let edit = OpenOptions::new().write(true);
/// let log = OpenOptions::new().read(false).append(true);
/// let upload = OpenOptions::new().read(false).replace(true).create(true);
/// # let _ = (tail, edit, log, upload);
/// ```
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own, as in std::fs")]
pub struct OpenOptions {
    read: bool,
    write: bool,
    append: bool,
    create: bool,
    replace: bool,
    start: Pos,
    at_end: AtEnd,
    delivery: Delivery,
    window: Option<Credit>,
    lazy: bool,
    urgency: Urgency,
}

/// Entities that are granted to a reader that wants the latest: one in its hands, one behind it.
const LATEST_WINDOW: u64 = 2;

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl OpenOptions {
    /// To read from the first element to the end as it is when it is reached.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            read: true,
            write: false,
            append: false,
            create: false,
            replace: false,
            start: Pos::START,
            at_end: AtEnd::Stop,
            delivery: Delivery::Lossless,
            window: None,
            lazy: false,
            urgency: Urgency::USUAL,
        }
    }

    /// Whether to read. Default: yes.
    #[must_use]
    pub const fn read(mut self, read: bool) -> Self {
        self.read = read;
        self
    }

    /// Whether to write. Default: no.
    #[must_use]
    pub const fn write(mut self, write: bool) -> Self {
        self.write = write;
        self
    }

    /// Whether to write, each time at the end as it is then. Default: no.
    #[must_use]
    pub const fn append(mut self, append: bool) -> Self {
        self.append = append;
        self
    }

    /// Whether to begin with an empty file where nothing is, in a directory that can be written.
    /// Goes with writing. Default: no.
    #[must_use]
    pub const fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Whether what is written takes the place of a file's whole content, at once and only when
    /// the stream is closed in good order. Default: no.
    #[must_use]
    pub const fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// Where to begin. Default: the first element that exists. Should that be dropped before any
    /// element has come, the stream begins at the one that is first then.
    #[must_use]
    pub fn start(mut self, start: impl Into<Pos>) -> Self {
        self.start = start.into();
        self
    }

    /// What to do at the end of data that may grow. Default: [`AtEnd::Stop`].
    #[must_use]
    pub const fn at_end(mut self, at_end: AtEnd) -> Self {
        self.at_end = at_end;
        self
    }

    /// Whether elements may be left out, so that a slow reader gets the newest there are. Only
    /// entities that are pushed or kept can be had that way. Default: [`Delivery::Lossless`].
    #[must_use]
    pub const fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// How many encoded bytes and entities the streamer may send ahead, and never more. Default:
    /// what the link's limits say, growing as long as that helps; two entities with
    /// [`Delivery::Latest`], where the one that the reader took last counts until it comes for the
    /// next: with a window of `n` what it gets was the newest at most `n` of its own periods ago.
    /// Either way a reader of bytes that seeks on again and again after a little is sent about as
    /// much as it reads.
    #[must_use]
    pub const fn window(mut self, bytes: u64, entities: u64) -> Self {
        self.window = Some(Credit { bytes, elements: entities });
        self
    }

    /// Whether nothing is sent before the first read or seek, which takes a round trip then. A
    /// stream that is kept for later takes the least memory so, and none of the link's budget.
    /// Default: no.
    ///
    /// ```
    /// use farlens::OpenOptions;
    ///
    /// let for_later = OpenOptions::new().lazy(true);
    /// # let _ = for_later;
    /// ```
    #[must_use]
    pub const fn lazy(mut self, lazy: bool) -> Self {
        self.lazy = lazy;
        self
    }

    /// How soon elements go out, either way, while other streams of the link have some, too.
    /// Default: [`Urgency::USUAL`]; places that are read beside the cursor go two classes before.
    ///
    /// ```
    /// use farlens::{OpenOptions, Urgency};
    ///
    /// let backup = OpenOptions::new().urgency(Urgency::BACKGROUND);
    /// # let _ = backup;
    /// ```
    #[must_use]
    pub const fn urgency(mut self, urgency: Urgency) -> Self {
        self.urgency = urgency;
        self
    }

    pub(crate) const fn end_policy(&self) -> AtEnd {
        self.at_end
    }

    /// Elements that a reader takes over at once. What it holds of the latest grows old.
    pub(crate) const fn at_once(&self) -> u64 {
        match self.delivery {
            Delivery::Lossless => u64::MAX,
            Delivery::Latest => 1,
        }
    }

    /// Whether writes go to the end by themselves.
    pub(crate) const fn appends(&self) -> bool {
        self.append
    }

    /// Whether the stream is written at all.
    pub(crate) const fn writes(&self) -> bool {
        self.write || self.append || self.create || self.replace
    }

    /// Where it begins.
    pub(crate) const fn first(&self) -> Pos {
        self.start
    }

    /// What the stream must allow.
    pub(crate) fn flags(&self) -> Result<Flags> {
        let read = if self.read { Flags::READABLE } else { Flags::NONE };
        let write = if self.writes() { Flags::WRITABLE } else { Flags::NONE };
        if !(self.read || self.writes()) {
            let text = "a stream is opened to read, to write or both";
            return Err(Error::new(Code::USAGE, text));
        }
        Ok(read | write)
    }

    fn ahead(&self) -> Ahead {
        match (self.window, self.delivery) {
            (Some(most), _) => Ahead::AtMost(most),
            (None, Delivery::Lossless) => Ahead::Auto,
            (None, Delivery::Latest) => {
                Ahead::AtMost(Credit { bytes: 256 << 10, elements: LATEST_WINDOW })
            }
        }
    }

    pub(crate) fn request(&self, on: OpenOn, kind: Kind) -> Result<OpenRequest> {
        Ok(OpenRequest {
            on,
            flags: self.flags()?,
            kind: Some(kind),
            start: self.start,
            at_end: self.at_end,
            delivery: self.delivery,
            purpose: match (self.replace, self.create) {
                (true, create) => Purpose::Replace { create },
                (false, true) => Purpose::Create,
                (false, false) => Purpose::Use,
            },
            ahead: if self.read { self.ahead() } else { Ahead::Nothing },
            lazy: self.lazy,
            fingerprint: None,
            urgency: self.urgency,
        })
    }
}
