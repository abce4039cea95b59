//! Following a stream through everything that happens to it: growth, losses, lost links.

use super::source::Source;
use crate::{args::Global, connect, exit::Exit, output, signals::Signals, stdout};
use bytes::Bytes;
use farlens::{AtEnd, Code, Error, ErrorKind, Position, Result, Target};
use std::{collections::VecDeque, time::Duration};
use stdout::{DataOut, Piece};

/// How long to wait before the first new attempt to connect, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long what has arrived may take to be written after a signal.
const FAREWELL: Duration = Duration::from_millis(400);
/// About as much of what was printed last is remembered, to recognise a stream by.
const MEMORY_BYTES: usize = 4 << 10;
/// A stream whose positions have begun anew is searched for it up to this length.
const SEARCH_BYTES: u64 = 64 << 20;
/// With less than this it might be anything.
const LEAST_BYTES: usize = 16;

/// Prints from where the source stands until its end, a failure, a signal, or until nobody reads
/// any more.
pub(super) async fn run(
    global: &Global,
    target: Target,
    strict: bool,
    source: Source,
) -> Result<Exit> {
    let mut signals = Signals::listen()?;
    let out = DataOut::start()?;
    let mut follower = Follower {
        global,
        target,
        strict,
        version: source.version(),
        at: source.position(),
        source,
        printed: Printed::default(),
    };
    let (exit, within) = tokio::select! {
        biased;
        exit = signals.next() => (Ok(exit), Some(FAREWELL)),
        () = stdout::abandoned() => (Ok(Exit::OK), Some(FAREWELL)),
        outcome = follower.deliver(&out) => (outcome.map(|()| Exit::OK), None),
    };
    out.finish(within).await?;
    exit
}

/// A stream that is followed.
struct Follower<'a> {
    global: &'a Global,
    target: Target,
    strict: bool,
    source: Source,
    /// Behind the last element that was printed.
    at: Position,
    version: Bytes,
    printed: Printed,
}

impl Follower<'_> {
    async fn deliver(&mut self, out: &DataOut) -> Result<()> {
        loop {
            let Some(room) = out.room().await else { return Ok(()) };
            let Some(piece) = self.next().await? else { return Ok(()) };
            room.send(piece);
        }
    }

    async fn next(&mut self) -> Result<Option<Piece>> {
        loop {
            match self.source.next(u64::MAX).await {
                Ok(None) => return Ok(None),
                Ok(Some(piece)) => {
                    self.at = self.source.position();
                    self.printed.add(&piece);
                    return Ok(Some(piece));
                }
                Err(error) if error.kind() == ErrorKind::Link => self.reconnect(&error).await?,
                Err(error) if error.code() == Code::TRUNCATED => self.go_on_at_cut(error).await?,
                Err(error) => match error.skipped().filter(|_| !self.strict) {
                    Some(lost) => self.tell_lost(lost),
                    None => return Err(error),
                },
            }
        }
    }

    fn tell_lost(&mut self, lost: u64) {
        self.at = self.source.position();
        // What is remembered ends at `at`, without a gap.
        self.printed = Printed::default();
        output::gap(self.global, lost, self.source.unit());
    }

    /// The data was cut before the place where it stood: what comes behind the cut is new.
    async fn go_on_at_cut(&mut self, error: Error) -> Result<()> {
        let cut = self.source.bounds().end.filter(|end| *end < self.at);
        let Some(cut) = cut else { return Err(error) };
        output::note(self.global, &format!("cut at {}; going on there", cut.get()));
        self.at = cut;
        self.printed = Printed::default();
        match self.resume().await {
            Err(error) if error.kind() == ErrorKind::Link => self.reconnect(&error).await,
            outcome => outcome,
        }
    }

    /// Connects again and goes on where it stood, if that is possible.
    async fn reconnect(&mut self, why: &Error) -> Result<()> {
        let seen = self.source.version();
        if !seen.is_empty() {
            self.version = seen;
        }
        output::note(
            self.global,
            &format!("{}; connecting again", output::printable(&why.to_string())),
        );
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            match self.resume().await {
                Ok(()) => {
                    output::note(self.global, &format!("connected again, at {}", self.at.get()));
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Link || error.is_retryable() => {}
                Err(error) => return Err(error),
            }
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// Opens the stream anew and finds its place.
    async fn resume(&mut self) -> Result<()> {
        let link = connect::link(self.global, &self.target).await?;
        let path = self.target.path().as_str();
        let mut source = Source::open(self.global, &link, path, AtEnd::Follow).await?;
        let bounds = source.bounds();
        let start = bounds.start.unwrap_or_default();
        let version = source.version();
        let same = !version.is_empty() && version == self.version;
        if same && self.at < start {
            let lost = start.since(self.at);
            if self.strict {
                let text = format!("{lost} {} were lost while the link was", source.unit());
                return Err(Error::new(Code::EVICTED, text));
            }
            output::gap(self.global, lost, source.unit());
            self.printed = Printed::default();
            source.seek(start).await?;
        } else if same || self.is_known(&mut source).await? {
            source.seek(self.at).await?;
        } else if let Some(place) = self.find_place(&mut source).await? {
            source.seek(place).await?;
        } else {
            // Nothing of it was printed yet, which the next link has to know.
            self.printed = Printed::default();
            source.seek(start).await?;
            let text = "what is published there now is another stream, printed from its start";
            output::note(self.global, text);
        }
        self.at = source.position();
        self.version = version;
        self.source = source;
        Ok(())
    }

    /// Whether the elements before the place where it stood are those that were printed last: then
    /// it is the same stream, published again.
    async fn is_known(&self, source: &mut Source) -> Result<bool> {
        let bounds = source.bounds();
        let (start, end) = (bounds.start.unwrap_or_default(), bounds.end.unwrap_or_default());
        let units = i64::try_from(self.printed.units()).unwrap_or(i64::MAX);
        let from = self.at.offset(units.saturating_neg()).filter(|from| *from >= start);
        let Some(from) = from.filter(|_| self.at <= end) else { return Ok(false) };
        source.seek(from).await?;
        let mut seen = Vec::new();
        while source.position() < self.at {
            let left = self.at.since(source.position());
            match source.next(left).await? {
                Some(piece) => seen.extend_from_slice(&piece.bytes),
                None => return Ok(false),
            }
        }
        Ok(self.printed.begins(&seen))
    }

    /// Where what was printed last ends in a stream whose positions have begun anew, as those of a
    /// log do when its server is started again after a rotation.
    async fn find_place(&self, source: &mut Source) -> Result<Option<Position>> {
        let start = source.bounds().start.unwrap_or_default();
        let end = source.bounds().end.unwrap_or_default();
        let Source::Bytes(_) = source else { return Ok(None) };
        if end.since(start) > SEARCH_BYTES {
            return Ok(None);
        }
        source.seek(start).await?;
        let mut content = Vec::new();
        while source.position() < end {
            match source.next(end.since(source.position())).await? {
                Some(piece) => content.extend_from_slice(&piece.bytes),
                None => break,
            }
        }
        let place = self.printed.end_in(&content);
        Ok(place.and_then(|bytes| start.forward(bytes as u64)))
    }
}

/// What was printed last.
#[derive(Default)]
struct Printed {
    pieces: VecDeque<Piece>,
    bytes: usize,
}

impl Printed {
    fn add(&mut self, piece: &Piece) {
        self.bytes += piece.bytes.len();
        self.pieces.push_back(Piece { bytes: piece.bytes.clone(), items: piece.items });
        while let Some(first) = self.pieces.front()
            && self.bytes - first.bytes.len() >= MEMORY_BYTES
        {
            self.bytes -= first.bytes.len();
            self.pieces.pop_front();
        }
    }

    /// Elements: a piece of bytes has no entities.
    fn units(&self) -> u64 {
        let units = |piece: &Piece| match piece.items {
            0 => piece.bytes.len() as u64,
            items => items,
        };
        self.pieces.iter().map(units).sum()
    }

    /// Where it ends in `content`, or as much of its end as `content` begins with.
    fn end_in(&self, content: &[u8]) -> Option<usize> {
        let printed: Vec<u8> = self.pieces.iter().flat_map(|piece| piece.bytes.to_vec()).collect();
        if printed.len() < LEAST_BYTES {
            return None;
        }
        if let Some(at) = content.windows(printed.len()).position(|window| window == printed) {
            return Some(at + printed.len());
        }
        let longest = printed.len().min(content.len());
        let ends_with = |length: &usize| printed.ends_with(&content[..*length]);
        (LEAST_BYTES..=longest).rev().find(ends_with)
    }

    /// Whether `seen` begins with all of it.
    fn begins(&self, seen: &[u8]) -> bool {
        let mut rest = seen;
        self.pieces.iter().all(|piece| match rest.strip_prefix(&piece.bytes[..]) {
            Some(behind) => {
                rest = behind;
                true
            }
            None => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(bytes: &'static str, items: u64) -> Piece {
        Piece { bytes: Bytes::from_static(bytes.as_bytes()), items }
    }

    #[test]
    fn a_stream_is_known_by_what_was_printed_last() {
        let mut printed = Printed::default();
        assert!(printed.begins(b"anything"));
        printed.add(&piece("one\n", 0));
        printed.add(&piece("two\n", 0));
        assert_eq!(printed.units(), 8);
        assert!(printed.begins(b"one\ntwo\nthree\n"));
        assert!(!printed.begins(b"one\ntw"));
        assert!(!printed.begins(b"one\nten\n"));
    }

    #[test]
    fn the_place_is_found_in_a_file_that_was_begun_while_it_was_followed() {
        let mut printed = Printed::default();
        printed.add(&piece("the last line of the old file\n", 0));
        printed.add(&piece("the first line of the new file\n", 0));
        let new = b"the first line of the new file\nand the second\n";
        assert_eq!(printed.end_in(new), Some(31));
        let both = b"before\nthe last line of the old file\nthe first line of the new file\nmore\n";
        assert_eq!(printed.end_in(both), Some(7 + 30 + 31));
        assert_eq!(printed.end_in(b"something else, of the same length, roughly\n"), None);
        assert_eq!(Printed::default().end_in(new), None);
    }

    #[test]
    fn little_is_remembered_and_entities_are_counted() {
        let mut printed = Printed::default();
        for _ in 0..1_000 {
            printed.add(&piece("0123456789\n", 1));
        }
        let least = (MEMORY_BYTES / 11) as u64;
        assert!((least..least + 3).contains(&printed.units()), "{}", printed.units());
    }
}
