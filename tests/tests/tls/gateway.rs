//! The root object: the standard gateway, and gateways of a server's own, one for each peer.

use crate::{
    House, code, guarded,
    objects::{BellRef, Plain, Tower, TowerRef},
};
use farlens::{
    Bounds, Client, Code, Entry, EntryKind, Error, FixedData, Gateway, GatewayRef, KeyId, Link,
    Listing, MemData, OpenOptions, Remote, RemoteStreamer, Result, Server, Stat, Streamer, Verb,
};
use farlens_tests::certs::Key;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What one peer sees: its key at `/name`, a notebook at `/notes`, a tower at `/tower`.
struct World {
    name: Streamer,
    notes: MemData,
    tower: TowerRef,
    opened: Arc<Mutex<Vec<String>>>,
}

impl World {
    fn of(peer: KeyId, opened: &Arc<Mutex<Vec<String>>>) -> Self {
        Self {
            name: Streamer::new(FixedData::bytes(peer.to_string())),
            notes: MemData::new([]),
            tower: TowerRef::new(Plain(Arc::default())),
            opened: Arc::clone(opened),
        }
    }
}

fn absent(path: &str) -> Error {
    Error::new(Code::NOT_FOUND, format!("there is no {path} in this world"))
}

impl Gateway for World {
    async fn list(&self, path: String, after: Option<String>) -> Result<Listing> {
        let names: &[&str] = match path.as_str() {
            "/" => &["/name", "/notes", "/tower"],
            path => &[path],
        };
        let mut entries = Vec::new();
        for name in names {
            entries.push(self.stat((*name).to_owned()).await?.entry);
        }
        Ok(Listing::page(entries, after.as_deref()))
    }

    async fn stat(&self, path: String) -> Result<Stat> {
        match path.as_str() {
            "/name" => self.name.stat("name").await,
            "/notes" => Streamer::new(self.notes.clone()).stat("notes").await,
            "/tower" => {
                let entry = Entry::new("tower", EntryKind::Object, None);
                Ok(Stat::new(entry, None, Bounds::default(), None))
            }
            path => Err(absent(path)),
        }
    }

    async fn object(&self, path: String) -> Result<Remote> {
        match path.as_str() {
            "/tower" => Ok(self.tower.clone().into()),
            path => Err(absent(path)),
        }
    }

    async fn streamer(&self, path: String) -> Result<RemoteStreamer> {
        self.opened.lock().unwrap().push(path.clone());
        match path.as_str() {
            "/name" => RemoteStreamer::new(self.name.clone()),
            "/notes" => RemoteStreamer::new(Streamer::new(self.notes.clone()).writable()),
            path => Err(absent(path)),
        }
    }
}

async fn link(house: &House, key: &Key, verbs: &[Verb]) -> Link {
    let ticket = house.server.invite_to("/only-this", verbs).unwrap().to_string();
    guarded(Client::builder().identity(key.identity()).connect(&ticket)).await.unwrap()
}

async fn text(link: &Link, path: &str) -> Result<String> {
    let mut text = String::new();
    guarded(link.open(path)).await?.read_to_string(&mut text).await?;
    Ok(text)
}

/// A house in which these keys have worlds of their own.
async fn house(keys: &[KeyId]) -> (House, Arc<Mutex<Vec<String>>>) {
    let (keys, opened) = (keys.to_vec(), Arc::new(Mutex::default()));
    let record = Arc::clone(&opened);
    let make =
        move |peer: KeyId| keys.contains(&peer).then(|| GatewayRef::new(World::of(peer, &record)));
    let builder = Server::builder().gateway(make).publish("/only-this", &b"published"[..]);
    (House::open(builder).await, opened)
}

fn names(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.name.as_str()).collect()
}

#[tokio::test]
async fn every_peer_sees_the_world_of_its_own() {
    let (one, two, three) = (Key::fresh(), Key::fresh(), Key::fresh());
    let (house, opened) = house(&[one.id(), two.id()]).await;
    for key in [&one, &two] {
        let link = link(&house, key, &[Verb::Read]).await;
        let listed = guarded(link.list("/")).await.unwrap();
        assert_eq!(names(&listed), ["name", "notes", "tower"]);
        let stat = guarded(link.stat("/name")).await.unwrap();
        let name = key.id().to_string();
        assert_eq!(stat.entry.len, Some(name.len() as u64));
        assert_eq!(text(&link, "/name").await.unwrap(), name);
        assert_eq!(guarded(link.read_at("/name", 0..4)).await.unwrap(), &name[..4]);
        let tower: TowerRef = guarded(link.object("/tower")).await.unwrap();
        assert_eq!(guarded(tower.add(1, 2)).await.unwrap(), 3);
        let notes = guarded(link.streamer("/notes")).await.unwrap();
        let options = OpenOptions::new().write(true);
        let mut notes = guarded(notes.connect_with(options)).await.unwrap();
        guarded(notes.write_all(b"mine")).await.unwrap();
        guarded(notes.close()).await.unwrap();
        assert_eq!(text(&link, "/notes").await.unwrap(), "mine", "a world lasts for a link");
        assert_eq!(code(guarded(link.open("/only-this")).await), Code::NOT_FOUND);
        assert_eq!(code(guarded(link.stat("/data")).await), Code::NOT_FOUND);
    }
    let expected = ["/name", "/name", "/notes", "/notes", "/only-this"];
    assert_eq!(*opened.lock().unwrap(), [expected, expected].concat(), "opens go through it");
    let link = link(&house, &three, &[Verb::Read]).await;
    assert_eq!(names(&guarded(link.list("/")).await.unwrap()), ["only-this"]);
    assert_eq!(text(&link, "/only-this").await.unwrap(), "published");
    assert_eq!(code(guarded(link.open("/name")).await), Code::NOT_FOUND);
    drop(link);
    house.is_well().await;
}

#[tokio::test]
async fn what_a_gateway_hands_out_is_opened_by_its_mode_and_not_by_grants() {
    let key = Key::fresh();
    let (house, _) = house(&[key.id()]).await;
    let link = link(&house, &key, &[Verb::Read]).await;
    let write = || OpenOptions::new().read(false).write(true);
    let mut notes = guarded(link.open_with("/notes", write())).await.unwrap();
    guarded(notes.write_all(b"it says so")).await.unwrap();
    guarded(notes.close()).await.unwrap();
    assert_eq!(text(&link, "/notes").await.unwrap(), "it says so");
    assert_eq!(code(guarded(link.open_with("/name", write())).await), Code::MODE_FORBIDS);
    drop(link);
    house.is_well().await;
}

#[tokio::test]
async fn a_gateway_lets_nobody_in() {
    let key = Key::fresh();
    let (house, _) = house(&[key.id()]).await;
    let url = format!("farlens://{}/#{}", house.address(), house.server.key());
    let connect = Client::builder().identity(key.identity()).connect(&url);
    assert_eq!(code(guarded(connect).await), Code::NOT_AUTHORIZED);
    house.is_well().await;
}

#[tokio::test]
async fn the_root_object_describes_itself_and_is_called_like_any_other() {
    let house = House::open(
        Server::builder().publish("/tower", Remote::from(TowerRef::new(Plain(Arc::default())))),
    )
    .await;
    let link = house.link_to(&[Verb::Read, Verb::Call]).await;
    let root = link.gateway();
    let described = guarded(Remote::from(root.clone()).describe()).await.unwrap();
    let own = farlens::schema::SchemaDoc::of::<GatewayRef>();
    assert_eq!(described.fingerprint(), own.fingerprint());
    let listed = guarded(root.list("/".to_owned(), None)).await.unwrap();
    assert_eq!(listed.entries, guarded(link.list("/")).await.unwrap());
    let behind = guarded(root.list("/".to_owned(), Some("data".to_owned()))).await.unwrap();
    assert_eq!(names(&behind.entries), ["tower"]);
    let tower = TowerRef::from(root.pipeline().object("/tower".to_owned()));
    assert_eq!(guarded(tower.add(2, 2)).await.unwrap(), 4, "without waiting for the look-up");
    let mut data = guarded(root.pipeline().streamer("/data".to_owned()).connect()).await.unwrap();
    let mut all = Vec::new();
    guarded(data.read_to_end(&mut all)).await.unwrap();
    assert_eq!(all.len(), crate::LENGTH);
    for path in ["relative", "/a//b", "/.."] {
        assert_eq!(code(guarded(root.stat(path.to_owned())).await), Code::BAD_ADDRESS, "{path}");
    }
    drop((data, tower, root, link));
    house.is_well().await;
}

#[tokio::test]
async fn a_gateway_may_be_that_of_another_server() {
    let tower = TowerRef::new(Plain(Arc::default()));
    let behind = House::open(Server::builder().publish("/tower", tower)).await;
    let way = behind.link_to(&[Verb::Read, Verb::Call]).await;
    let (key, far) = (Key::fresh(), way.gateway());
    let own = key.id();
    let house =
        House::open(Server::builder().gateway(move |peer| (peer == own).then(|| far.clone())))
            .await;
    let link = link(&house, &key, &[Verb::Read]).await;
    assert_eq!(names(&guarded(link.list("/")).await.unwrap()), ["data", "tower"]);
    let mut data = guarded(link.open("/data")).await.unwrap();
    let mut all = Vec::new();
    guarded(data.read_to_end(&mut all)).await.unwrap();
    assert_eq!(all, farlens_tests::pattern::bytes(crate::SEED, 0, crate::LENGTH));
    let tower: TowerRef = guarded(link.object("/tower")).await.unwrap();
    assert_eq!(guarded(tower.add(20, 22)).await.unwrap(), 42);
    drop((data, tower, link));
    drop(house);
    drop(way);
    behind.is_well().await;
}

#[tokio::test]
async fn the_root_object_comes_home_from_where_it_belongs() {
    let tower = TowerRef::new(Plain(Arc::default()));
    let house = House::open(Server::builder().publish("/tower", tower)).await;
    let link = house.link_to(&[Verb::Read, Verb::Call]).await;
    let tower: TowerRef = guarded(link.object("/tower")).await.unwrap();
    let root = Remote::from(link.gateway());
    let kept = guarded(tower.keep(BellRef::from(root.clone()))).await.unwrap();
    assert_eq!(Remote::from(kept).reference(), root.reference());
    assert_eq!(guarded(link.list("/")).await.unwrap().len(), 2, "the link lives");
    drop((tower, root, link));
    house.is_well().await;
}

/// One in which everything falls over.
struct Ruin;

impl Gateway for Ruin {
    async fn list(&self, _: String, _: Option<String>) -> Result<Listing> {
        panic!("on purpose")
    }

    async fn stat(&self, _: String) -> Result<Stat> {
        panic!("on purpose")
    }

    async fn object(&self, _: String) -> Result<Remote> {
        panic!("on purpose")
    }

    async fn streamer(&self, _: String) -> Result<RemoteStreamer> {
        panic!("on purpose")
    }
}

#[tokio::test]
async fn a_gateway_that_panics_fails_what_was_asked_and_nobody_else() {
    let (ruin, none) = (Key::fresh(), Key::fresh());
    let keys = (ruin.id(), none.id());
    let make = move |peer| {
        assert!(peer != keys.1, "on purpose");
        (peer == keys.0).then(|| GatewayRef::new(Ruin))
    };
    let house = House::open(Server::builder().gateway(make)).await;
    for key in [ruin, none] {
        let link = link(&house, &key, &[Verb::Read]).await;
        for _ in 0..2 {
            assert_eq!(code(guarded(link.list("/")).await), Code::INTERNAL);
            assert_eq!(code(guarded(link.stat("/data")).await), Code::INTERNAL);
            assert_eq!(code(guarded(link.streamer("/data")).await), Code::INTERNAL);
            assert_eq!(code(guarded(link.open("/data")).await), Code::INTERNAL);
        }
        drop(link);
    }
    house.is_well().await;
}
