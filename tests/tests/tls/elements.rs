//! Elements that refer to objects, through every sort of data and in both directions.

use crate::{House, guarded};
use farlens::{
    AtEnd, Code, Entity, FixedData, IterData, Link, OpenOptions, Reference, Server, Streamer, Verb,
    data::{Topic, channel},
};
use futures::{SinkExt, StreamExt};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

#[farlens::remote]
pub trait Lamp {
    async fn number(&self) -> farlens::Result<u32>;
}

/// Says its number, and counts those of its kind.
struct Numbered(u32, Arc<AtomicUsize>);

impl Lamp for Numbered {
    async fn number(&self) -> farlens::Result<u32> {
        Ok(self.0)
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Clone, Debug, farlens::Schema, serde::Serialize, serde::Deserialize)]
struct Room {
    name: String,
    lamps: Vec<LampRef>,
}

/// Rooms 0, 1, 2 … with as many lamps each, numbered from tenfold its own number on.
fn rooms(count: u32, living: &Arc<AtomicUsize>) -> Vec<Room> {
    let lamp = |n| {
        living.fetch_add(1, Ordering::SeqCst);
        LampRef::new(Numbered(n, Arc::clone(living)))
    };
    let room =
        |n: u32| Room { name: format!("room {n}"), lamps: (10 * n..11 * n).map(lamp).collect() };
    (0..count).map(room).collect()
}

async fn assert_room(n: u32, room: &Room) {
    assert_eq!((room.name.clone(), room.lamps.len()), (format!("room {n}"), n as usize));
    for (lamp, number) in room.lamps.iter().zip(10 * n..) {
        assert_eq!(guarded(lamp.number()).await.unwrap(), number);
    }
}

async fn gone(living: &AtomicUsize) {
    guarded(async {
        while living.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn open(house: &House) -> Link {
    house.link_to(&[Verb::Read, Verb::Write, Verb::Append, Verb::Call]).await
}

#[tokio::test]
async fn f2_an_object_inside_an_element_can_be_called() {
    let living = Arc::new(AtomicUsize::new(0));
    let topic = Topic::keep_last(100);
    for room in rooms(5, &living) {
        topic.send(room).unwrap();
    }
    let (publisher, channelled) = channel(100);
    for room in rooms(5, &living) {
        publisher.try_send(room).unwrap();
    }
    drop(publisher);
    let builder = Server::builder()
        .publish("/fixed", FixedData::items(rooms(5, &living)).unwrap())
        .publish("/iter", IterData::new(rooms(5, &living)))
        .publish("/channel", channelled)
        .publish("/topic", topic.clone());
    drop(topic);
    let house = House::open(builder).await;
    for path in ["/fixed", "/iter", "/channel", "/topic"] {
        let link = open(&house).await;
        let mut stream = guarded(link.entities::<Room>(path)).await.unwrap();
        for n in 0..5 {
            let room = guarded(stream.next()).await.unwrap().unwrap();
            assert_room(n, &room).await;
        }
    }
    house.is_well().await;
    drop(house);
    gone(&living).await;
}

#[tokio::test]
async fn f2_an_object_lives_while_its_element_waits_for_its_reader() {
    let living = Arc::new(AtomicUsize::new(0));
    let topic = Topic::keep_last(1);
    let house = House::open(Server::builder().publish("/topic", topic.clone())).await;
    let link = open(&house).await;
    let follow = OpenOptions::new().at_end(AtEnd::Follow);
    let mut stream = guarded(link.entities_with::<Room>("/topic", follow)).await.unwrap();
    for (n, room) in (0..5).zip(rooms(5, &living)) {
        topic.send(room).unwrap();
        guarded(async {
            while stream.bounds().end.is_none_or(|end| end.get() <= n) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    // The topic has only the last one left; the others wait here.
    for n in 0..5 {
        let room = guarded(stream.next()).await.unwrap().unwrap();
        assert_room(n, &room).await;
    }
    topic.send(Room { name: String::new(), lamps: Vec::new() }).unwrap();
    gone(&living).await;
    drop((stream, link));
    house.is_well().await;
}

#[tokio::test]
async fn what_a_peer_writes_refers_to_objects_of_that_peer() {
    let living = Arc::new(AtomicUsize::new(0));
    let topic = Topic::<Room>::keep_last(100);
    let streamer = Streamer::new(topic.clone()).writable();
    let house = House::open(Server::builder().publish("/topic", streamer)).await;
    let writer = open(&house).await;
    let append = OpenOptions::new().append(true);
    let mut stream = guarded(writer.entities_with::<Room>("/topic", append)).await.unwrap();
    for room in rooms(4, &living) {
        guarded(stream.send(room)).await.unwrap();
    }
    assert_eq!(topic.len(), 4);
    let mut back = guarded(writer.entities::<Room>("/topic")).await.unwrap();
    for n in 0..4 {
        let room = guarded(back.next()).await.unwrap().unwrap();
        assert_room(n, &room).await;
    }
    drop((back, stream));
    topic.close();
    drop(topic);
    drop(house);
    drop(writer);
    gone(&living).await;
}

/// Sends to a topic as it goes, which takes the topic's lock.
struct Last(Topic<Wake>);

impl Lamp for Last {
    async fn number(&self) -> farlens::Result<u32> {
        Ok(0)
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        self.0.send(Wake { lamp: None }).unwrap();
    }
}

#[derive(Clone, Debug, farlens::Schema, serde::Serialize, serde::Deserialize)]
struct Wake {
    lamp: Option<LampRef>,
}

#[test]
fn an_object_that_a_topic_lets_go_of_may_use_the_topic() {
    let topic = Topic::keep_last(1);
    topic.send(Wake { lamp: Some(LampRef::new(Last(topic.clone()))) }).unwrap();
    topic.send(Wake { lamp: None }).unwrap();
    assert_eq!(topic.bounds().end.map(farlens::Position::get), Some(3));
}

#[tokio::test]
async fn a_reference_that_no_peer_may_have_fails_what_is_written_and_what_is_read() {
    let topic = Topic::<Entity>::keep_last(10);
    let streamer = Streamer::new(topic.clone()).writable();
    let house = House::open(Server::builder().publish("/topic", streamer)).await;
    let link = open(&house).await;
    let append = OpenOptions::new().append(true);
    let mut stream = guarded(link.entities_with::<Entity>("/topic", append)).await.unwrap();
    guarded(stream.feed(Entity::Int(1))).await.unwrap();
    guarded(stream.feed(Entity::Reference(Reference::new("private")))).await.unwrap();
    let error = guarded(SinkExt::<Entity>::flush(&mut stream)).await.unwrap_err();
    assert_eq!(error.code(), Code::UNSUPPORTED);
    assert_eq!(topic.len(), 1, "what came before it is stored");
    topic.send(Entity::Reference(Reference::new("private"))).unwrap();
    let mut reader = guarded(link.entities::<Entity>("/topic")).await.unwrap();
    assert_eq!(guarded(reader.next()).await.unwrap().unwrap(), Entity::Int(1));
    let error = guarded(reader.next()).await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::UNSUPPORTED);
    drop((stream, reader, link));
    house.is_well().await;
}
