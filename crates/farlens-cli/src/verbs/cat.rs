//! `farlens cat`: bytes as they are, entities as lines.

use crate::{
    args::Global,
    connect::{self, TargetArg},
    exit::Exit,
    lines::{Reader, Style},
    pump::{self, Unit},
    range::Range,
    stdout::Piece,
};
use farlens::{Bounds, ByteStream, Code, Entity, EntityStream, Link, OpenOptions, Pos, Result};
use futures::Stream;

/// Print bytes as they are, and entities as lines.
///
/// All of a stream or a part of it, up to the end as it is when it is reached. Lines of text that
/// are published as such are printed as they were, other entities and with --json all as JSON.
#[derive(clap::Args, Debug)]
pub(crate) struct Cat {
    #[command(flatten)]
    target: TargetArg,
    /// The part to print: A..B, A.., ..B, or -N.. for the last N, or all there is. 8K is 8192,
    /// 8KB is 8000.
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    range: Option<String>,
}

pub(crate) async fn run(global: &Global, args: &Cat) -> Result<Exit> {
    let range: Range = args.range.as_deref().unwrap_or("..").parse()?;
    let (link, target) = connect::open(global, &args.target).await?;
    let path = target.path().as_str();
    let open = |start| link.open_with(path, OpenOptions::new().start(start));
    match open_at(range, open, ByteStream::bounds).await {
        Ok(stream) => {
            let length = range.length(stream.position(), stream.bounds())?;
            pump::run(&link, Unit::Bytes, pieces(stream, length)).await
        }
        Err(error) if error.code() == Code::WRONG_KIND => {
            print_entities(global, &link, path, &Entities { range, ..Entities::default() }).await
        }
        Err(error) => Err(connect::explain(&link, path, error).await),
    }
}

/// Which entities to print, and how.
#[derive(Default)]
pub(crate) struct Entities {
    pub(crate) range: Range,
    /// How many at most.
    pub(crate) count: Option<u64>,
    /// Whether a NaN or an infinity is an error.
    pub(crate) strict: bool,
    /// How they are asked for, but for the start.
    pub(crate) options: OpenOptions,
}

/// Prints entities of a part of a sequence.
pub(crate) async fn print_entities(
    global: &Global,
    link: &Link,
    path: &str,
    wanted: &Entities,
) -> Result<Exit> {
    let Entities { range, count, strict, options } = *wanted;
    let open = |start| link.entities_with::<Entity>(path, options.start(start));
    let stream = match open_at(range, open, EntityStream::bounds).await {
        Ok(stream) => stream,
        Err(error) => return Err(connect::explain(link, path, error).await),
    };
    let length = range.length(stream.position(), stream.bounds())?;
    let most = count.map_or(length, |count| Some(length.map_or(count, |len| len.min(count))));
    let style = Style::of(global, &stream, strict);
    pump::run(link, Unit::Entities, Reader::new(stream, style).pieces(global, most)).await
}

/// Opens a stream where a range begins.
async fn open_at<S, F: Future<Output = Result<S>>>(
    range: Range,
    open: impl Fn(Pos) -> F,
    bounds: impl Fn(&S) -> Bounds,
) -> Result<S> {
    let outcome = open(range.start()).await;
    let Err(error) = &outcome else { return outcome };
    if error.code() == Code::OUT_OF_RANGE
        && let Some(start) = range.clamped_start()
    {
        let stream = open(start).await?;
        // Data whose end is not known has no last elements.
        if bounds(&stream).end.is_some() {
            return Ok(stream);
        }
    }
    outcome
}

/// The bytes of a stream as they arrive, `length` of them at most.
pub(crate) fn pieces(stream: ByteStream, length: Option<u64>) -> impl Stream<Item = Result<Piece>> {
    let left = length.unwrap_or(u64::MAX);
    futures::stream::try_unfold((stream, left), |(mut stream, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let Some(mut bytes) = stream.next_chunk().await? else { return Ok(None) };
        bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let left = left - bytes.len() as u64;
        Ok(Some((Piece { bytes, items: 0 }, (stream, left))))
    })
}
