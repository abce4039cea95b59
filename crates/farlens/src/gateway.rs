//! What a peer reaches without having been given a reference: the root object of the other side.

use crate::{Entry, Remote, RemoteStreamer, Result, Schema, Stat};

use serde::{Deserialize, Serialize};
use std::{panic::AssertUnwindSafe, sync::Arc};

/// Names what lies on one side of a link: paths lead to streams, directories and objects.
///
/// Every side of every link has one object of this kind, which its peer can call at once. The
/// standard one knows what was published, and shows of it what the peer has grants for. A server
/// can have gateways of its own, one for each peer: [`crate::ServerBuilder::gateway`].
///
/// The paths that a gateway gets are well-formed, as [`crate::RemotePath`] has them. What a peer
/// may not see should look to it like what is absent: `NOT_FOUND`, with the same text.
///
/// ```
/// use farlens::{
///     Bounds, Code, Entry, EntryKind, Error, FixedData, Gateway, GatewayRef, KeyId, Listing,
///     Remote, RemoteStreamer, Result, Server, Stat, Streamer,
/// };
///
/// /// Shows every peer one stream, which greets it by its key.
/// struct Greeter(KeyId);
///
/// impl Greeter {
///     fn greeting(&self) -> Streamer {
///         Streamer::new(FixedData::bytes(format!("hello, {}\n", self.0)))
///     }
/// }
///
/// fn absent(path: &str) -> Error {
///     Error::new(Code::NOT_FOUND, format!("nothing is published at {path}"))
/// }
///
/// impl Gateway for Greeter {
///     async fn list(&self, path: String, after: Option<String>) -> Result<Listing> {
///         let stat = match path.as_str() {
///             "/" => self.greeting().stat("hello").await?,
///             _ => self.stat(path).await?,
///         };
///         Ok(Listing::page([stat.entry], after.as_deref()))
///     }
///
///     async fn stat(&self, path: String) -> Result<Stat> {
///         match path.as_str() {
///             "/" => {
///                 let entry = Entry::new("", EntryKind::Directory, None);
///                 Ok(Stat::new(entry, None, Bounds::default(), None))
///             }
///             "/hello" => self.greeting().stat("hello").await,
///             path => Err(absent(path)),
///         }
///     }
///
///     async fn object(&self, path: String) -> Result<Remote> {
///         Err(absent(&path))
///     }
///
///     async fn streamer(&self, path: String) -> Result<RemoteStreamer> {
///         if path == "/hello" { RemoteStreamer::new(self.greeting()) } else { Err(absent(&path)) }
///     }
/// }
///
/// let server = Server::builder().gateway(|peer| Some(GatewayRef::new(Greeter(peer))));
/// ```
#[crate::remote]
pub trait Gateway {
    /// What lies at a path, by name, beginning behind a name; the one entry itself where a stream
    /// or an object lies.
    async fn list(&self, path: String, after: Option<String>) -> Result<Listing>;

    /// What is known of a path without opening it.
    async fn stat(&self, path: String) -> Result<Stat>;

    /// The object at a path.
    async fn object(&self, path: String) -> Result<Remote>;

    /// The stream at a path, with what the caller may do with it.
    async fn streamer(&self, path: String) -> Result<RemoteStreamer>;
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct Listing {
    /// What lies there, in the order of the names.
    pub entries: Vec<Entry>,
    /// Where the next page begins: behind this name. None behind the last page.
    pub next: Option<String>,
}

impl Listing {
    /// Entries of one page: with the longest names they fit into one frame.
    pub(crate) const PAGE: usize = 200;

    /// The page of all `entries` that begins behind `after`, in the order of the names.
    #[must_use]
    pub fn page(entries: impl IntoIterator<Item = Entry>, after: Option<&str>) -> Self {
        let behind = |entry: &Entry| after.is_none_or(|after| entry.name.as_str() > after);
        let mut entries: Vec<_> = entries.into_iter().filter(behind).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Self { entries, next: None }.cut()
    }

    /// The same with no more than a page.
    pub(crate) fn cut(mut self) -> Self {
        if self.entries.len() > Self::PAGE {
            self.entries.truncate(Self::PAGE);
            self.next = self.entries.last().map(|entry| entry.name.clone());
        }
        self
    }
}

/// What makes the gateway of a peer.
#[derive(Clone)]
pub(crate) struct Gateways(Arc<Make>);

type Make = dyn Fn(crate::KeyId) -> Option<GatewayRef> + Send + Sync;

impl Gateways {
    pub(crate) fn new(
        make: impl Fn(crate::KeyId) -> Option<GatewayRef> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(make))
    }

    /// The gateway of a peer. None for the standard one.
    ///
    /// # Errors
    /// `INTERNAL` when what makes it panics.
    pub(crate) fn of(&self, peer: crate::KeyId) -> Result<Option<GatewayRef>> {
        let made = std::panic::catch_unwind(AssertUnwindSafe(|| (self.0)(peer)));
        made.map_err(|_| crate::Error::new(crate::Code::INTERNAL, "the gateway failed inside"))
    }
}

impl std::fmt::Debug for Gateways {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gateways")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        EntryKind,
        host::{decode, encode},
    };
    use farlens_wire::schema::SchemaDoc;

    #[derive(Serialize, Deserialize)]
    struct Args {
        path: String,
        after: Option<String>,
    }

    #[test]
    fn parameters_by_name_are_encoded_as_they_were_without_names() {
        let (path, after) = ("/a".to_owned(), Some("b".to_owned()));
        let named = encode(&Args { path: path.clone(), after: after.clone() }).expect("plain");
        assert_eq!(named, encode(&(path, after)).expect("plain"));
        assert_eq!(named, b"\x02/a\x01\x01b");
    }

    #[test]
    fn a_listing_is_what_a_peer_without_its_type_expects() {
        let listing = Listing::page([Entry::new("a", EntryKind::Object, None)], None);
        let encoded = encode(&listing).expect("plain");
        assert_eq!(encoded, b"\x01\x01a\x03\x00\x00");
        assert_eq!(decode::<Listing>(&encoded).expect("the same"), listing);
    }

    #[test]
    fn pages_follow_one_another_without_a_gap() {
        let entry = |n: usize| Entry::new(format!("{n:04}"), EntryKind::Bytes, None);
        let all = || (0..450).rev().map(entry);
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let page = Listing::page(all(), after.as_deref());
            seen.extend(page.entries);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..450).map(entry).collect::<Vec<_>>());
    }

    #[test]
    fn the_interface_names_its_methods() {
        let shown = SchemaDoc::of::<GatewayRef>().to_string();
        for method in ["list", "stat", "object", "streamer"] {
            assert!(shown.contains(method), "{shown}");
        }
    }
}
