//! Bytes: which stream to open for them, and writing them to it.

use super::{Action, Done, Put, in_other_words, source::Source, with_progress};
use crate::connect;
use bytes::Bytes;
use farlens::{
    ByteStream, Code, Edge, Error, Kind, Link, OpenOptions, Pos, Position, RemotePath, Result,
};
use tokio::io::AsyncWriteExt;

/// Writes all of the source.
pub(super) async fn write(
    args: &Put,
    link: &Link,
    path: &RemotePath,
    source: Source,
) -> Result<Done> {
    let opened = match args.action() {
        Action::Replace => replacing(link, path, !args.no_create).await,
        Action::Write => in_place(link, path, OpenOptions::new().write(true), args).await,
        Action::Append => in_place(link, path, OpenOptions::new().append(true), args).await,
    };
    let (stream, way) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            return Err(connect::explain_write(link, path.as_str(), Kind::Bytes, error).await);
        }
    };
    let at = match way {
        Action::Append => stream.bounds().end.unwrap_or_default(),
        Action::Write | Action::Replace => stream.position(),
    };
    let mut upload = Upload { stream, way, at, count: 0, sure: 0 };
    if let Some(at) = args.at {
        upload.go_to(at).await?;
    }
    let mut pieces = source.pieces()?;
    while let Some(piece) = pieces.recv().await {
        match piece {
            Ok(piece) => upload.add(piece).await?,
            Err(error) => return Err(upload.give_up(error).await),
        }
    }
    let (at, count) = upload.finish().await?;
    Ok(Done { action: args.action(), at: Some(at), count })
}

/// Bytes on their way into a stream.
struct Upload {
    stream: ByteStream,
    /// How they get there: what is no file is not replaced but written.
    way: Action,
    /// Where the first one is.
    at: Position,
    /// Those that were handed over.
    count: u64,
    /// Those that had been applied before the rest was handed over.
    sure: u64,
}

impl Upload {
    async fn go_to(&mut self, at: u64) -> Result<()> {
        let at = Position::new(at).ok_or_else(|| {
            Error::new(Code::OUT_OF_RANGE, "a place is a whole number below 2^63")
        })?;
        self.at = self.stream.seek_to(at).await?;
        Ok(())
    }

    async fn add(&mut self, piece: Bytes) -> Result<()> {
        let length = piece.len() as u64;
        if self.way == Action::Append && self.count == 0 {
            // Only the answer tells where the end was.
            let appended = self.stream.append(piece).await;
            self.at = appended.map_err(|error| self.told(error))?;
            self.sure = length;
        } else {
            let written = self.stream.write_all(&piece).await;
            written.map_err(|error| self.told(error.into()))?;
        }
        self.count += length;
        Ok(())
    }

    /// The input failed: what has been written in place is kept, a replacement is not.
    async fn give_up(mut self, error: Error) -> Error {
        if self.way == Action::Replace {
            return self.told(error);
        }
        match self.stream.flush().await {
            Ok(()) => {
                let text = format!("{error}; {} bytes were written before", self.count);
                in_other_words(&error, text)
            }
            Err(failed) => self.told(failed.into()),
        }
    }

    /// Waits until all is durable; gives where it begins, and how much it is.
    async fn finish(self) -> Result<(Position, u64)> {
        let Self { stream, way, at, count, sure } = self;
        stream.close().await.map_err(|error| with_progress(error, way, "bytes", sure))?;
        Ok((at, count))
    }

    fn told(&self, error: Error) -> Error {
        with_progress(error, self.way, "bytes", self.sure)
    }
}

/// A stream whose bytes take the place of the whole content: of a file when it is closed, of
/// anything else from now on.
async fn replacing(link: &Link, path: &RemotePath, create: bool) -> Result<(ByteStream, Action)> {
    let options = OpenOptions::new().read(false);
    let whole = link.open_with(path.as_str(), options.replace(true).create(create)).await;
    let refusal = match whole {
        Err(error) if error.code() == Code::MODE_FORBIDS => error,
        opened => return opened.map(|stream| (stream, Action::Replace)),
    };
    let stream = link.open_with(path.as_str(), options.write(true)).await?;
    if stream.appends_only() {
        let text = format!("{path} can only be added to: {refusal}");
        return Err(Error::new(Code::MODE_FORBIDS, text).with_hint("add at the end with --append"));
    }
    stream.truncate(Edge::After, Pos::START).await?;
    Ok((stream, Action::Write))
}

/// A stream on what is there, or on a new file.
async fn in_place(
    link: &Link,
    path: &RemotePath,
    options: OpenOptions,
    args: &Put,
) -> Result<(ByteStream, Action)> {
    let options = options.read(false);
    let stream = match link.open_with(path.as_str(), options).await {
        Err(error) if error.code() == Code::NOT_FOUND && !args.no_create => {
            let created = link.open_with(path.as_str(), options.create(true)).await;
            // Who may not make a file hears that there is none.
            created.map_err(|new| if new.code() == Code::MODE_FORBIDS { error } else { new })?
        }
        opened => opened?,
    };
    if args.at.is_some() && stream.appends_only() {
        let text = format!("{path} can be added to at its end and nowhere else");
        return Err(Error::new(Code::MODE_FORBIDS, text).with_hint("use --append"));
    }
    Ok((stream, args.action()))
}
