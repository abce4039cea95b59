//! Bytes: which stream to open for them, and writing them to it.

use super::{Action, Done, Put, source::Source, with_progress};
use crate::connect;
use bytes::Bytes;
use farlens::{
    ByteStream, Code, Edge, Error, Kind, Link, OpenOptions, Pos, Position, RemotePath, Result,
};
use tokio::{io::AsyncWriteExt, sync::mpsc};

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
    let mut stream = match opened {
        Ok(stream) => stream,
        Err(error) => {
            return Err(connect::explain_write(link, path.as_str(), Kind::Bytes, error).await);
        }
    };
    let pieces = source.pieces()?;
    let written = match args.action() {
        Action::Append => append(&mut stream, pieces).await,
        Action::Replace | Action::Write => {
            go_on(&mut stream, args.at, pieces).await.map(|count| (stream.position(), count))
        }
    };
    let told = |error| with_progress(error, args.action(), "bytes");
    let (at, count) = written.map_err(told)?;
    stream.close().await.map_err(told)?;
    let at = match args.action() {
        Action::Append => at,
        Action::Write | Action::Replace => Position::new(at.get() - count).unwrap_or_default(),
    };
    Ok(Done { action: args.action(), at: Some(at), count })
}

/// A stream whose bytes take the place of the whole content: of a file when it is closed, of
/// anything else from now on.
async fn replacing(link: &Link, path: &RemotePath, create: bool) -> Result<ByteStream> {
    let options = OpenOptions::new().read(false);
    let whole = link.open_with(path.as_str(), options.replace(true).create(create)).await;
    let refusal = match whole {
        Err(error) if error.code() == Code::MODE_FORBIDS => error,
        opened => return opened,
    };
    let stream = match link.open_with(path.as_str(), options.write(true)).await {
        Err(error) if error.code() == Code::MODE_FORBIDS => return Err(error),
        opened => opened?,
    };
    if stream.appends_only() {
        let text = format!("{path} can only be added to: {refusal}");
        return Err(Error::new(Code::MODE_FORBIDS, text).with_hint("add at the end with --append"));
    }
    stream.truncate(Edge::After, Pos::START).await?;
    Ok(stream)
}

/// A stream on what is there, or on a new file.
async fn in_place(
    link: &Link,
    path: &RemotePath,
    options: OpenOptions,
    args: &Put,
) -> Result<ByteStream> {
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
    Ok(stream)
}

/// Writes from a place on, and gives how much.
async fn go_on(
    stream: &mut ByteStream,
    at: Option<u64>,
    mut pieces: mpsc::Receiver<Result<Bytes>>,
) -> Result<u64> {
    if let Some(at) = at {
        let at = Position::new(at).ok_or_else(|| {
            Error::new(Code::OUT_OF_RANGE, "a place is a whole number below 2^63")
        })?;
        stream.seek_to(at).await?;
    }
    let mut count = 0;
    while let Some(piece) = pieces.recv().await {
        let piece = piece?;
        stream.write_all(&piece).await?;
        count += piece.len() as u64;
    }
    Ok(count)
}

/// Adds at the end, and gives the place of the first byte. Only that one is waited for.
async fn append(
    stream: &mut ByteStream,
    mut pieces: mpsc::Receiver<Result<Bytes>>,
) -> Result<(Position, u64)> {
    let Some(first) = pieces.recv().await.transpose()? else {
        return Ok((stream.bounds().end.unwrap_or_default(), 0));
    };
    let mut count = first.len() as u64;
    let at = stream.append(first).await?;
    let add = async {
        while let Some(piece) = pieces.recv().await {
            let piece = piece?;
            stream.write_all(&piece).await?;
            count += piece.len() as u64;
        }
        Ok(())
    };
    match add.await {
        Ok(()) => Ok((at, count)),
        Err(error) => Err(error),
    }
}
