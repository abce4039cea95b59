//! Writing by the handles that users hold (group D of the behaviours, and G5).

use crate::{House, code, guarded, inner};
use farlens::{
    ByteStream, Code, Edge, FileData, Flags, MemData, OpenOptions, Pos, Position, Server, Streamer,
    Verb,
};
use farlens_tests::pattern;
use std::{io::SeekFrom, path::PathBuf};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

const EDIT: OpenOptions = OpenOptions::new().write(true);

fn at(n: u64) -> Position {
    Position::new(n).unwrap()
}

/// A file with this content that may be written, and the house that serves it at `/file`.
async fn with_file(content: &[u8]) -> (House, tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, content).unwrap();
    let house = House::open(Server::builder().publish("/file", FileData::read_write(&path))).await;
    (house, folder, path)
}

/// Ten digits in memory, served as `lens` makes it.
async fn with_digits(lens: impl FnOnce(Streamer) -> Streamer) -> (House, MemData) {
    let data = MemData::new(*b"0123456789");
    let streamer = lens(Streamer::new(data.clone()).writable());
    (House::open(Server::builder().publish("/digits", streamer)).await, data)
}

async fn edit(house: &House, path: &str) -> ByteStream {
    let link = house.link_to_write().await;
    guarded(link.open_with(path, EDIT)).await.unwrap()
}

#[tokio::test]
async fn d1_d16_a_written_file_is_what_was_written_here_and_there() {
    let (house, _folder, path) = with_file(b"").await;
    let mut stream = edit(&house, "/file").await;
    let all = pattern::bytes(7, 0, 1 << 20);
    guarded(stream.write_all(&all)).await.unwrap();
    assert_eq!(stream.position(), at(1 << 20));
    guarded(stream.seek(SeekFrom::Start(0))).await.unwrap();
    let mut read = Vec::new();
    guarded(stream.read_to_end(&mut read)).await.unwrap();
    assert_eq!(read, all);
    guarded(stream.sync()).await.unwrap();
    guarded(stream.close()).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), all);
    house.is_well().await;
}

#[tokio::test]
async fn d2_a_write_takes_some_and_all_of_it_arrives_in_order() {
    let (house, data) = with_digits(|lens| lens).await;
    let mut stream = edit(&house, "/digits").await;
    let all = pattern::bytes(7, 0, 700_000);
    let mut rest = &all[..];
    while !rest.is_empty() {
        let taken = guarded(stream.write(rest)).await.unwrap();
        assert!((1..=64 << 10).contains(&taken));
        rest = &rest[taken..];
    }
    guarded(stream.flush()).await.unwrap();
    assert_eq!(data.to_vec(), all);
    drop(stream);
    house.is_well().await;
}

#[tokio::test]
async fn d5_d6_the_end_moves_where_it_may_and_else_the_rest_is_refused() {
    let (house, data) = with_digits(|lens| lens).await;
    let mut stream = edit(&house, "/digits").await;
    guarded(stream.seek(SeekFrom::End(-2))).await.unwrap();
    guarded(stream.write_all(b"abcd")).await.unwrap();
    guarded(stream.flush()).await.unwrap();
    assert_eq!(data.to_vec(), b"01234567abcd");
    let fixed =
        Flags::READABLE | Flags::WRITABLE | Flags::SEEK | Flags::START_BOUNDED | Flags::END_BOUNDED;
    let (house, data) = with_digits(|lens| lens.flags(fixed)).await;
    let mut stream = edit(&house, "/digits").await;
    guarded(stream.seek(SeekFrom::End(-2))).await.unwrap();
    guarded(stream.write_all(b"abcd")).await.unwrap();
    let error = guarded(stream.flush()).await.unwrap_err();
    assert_eq!((inner(&error).code(), inner(&error).applied()), (Code::END_OF_SPACE, Some(2)));
    assert_eq!((data.to_vec(), stream.position()), (b"01234567ab".to_vec(), at(10)));
    guarded(stream.seek(SeekFrom::Start(0))).await.unwrap();
    guarded(stream.write_all(b"x")).await.unwrap();
    guarded(stream.close()).await.unwrap();
    assert_eq!(data.to_vec(), b"x1234567ab", "the stream lives");
    house.is_well().await;
}

#[tokio::test]
async fn d8_d9_d10_places_are_changed_and_ends_are_moved() {
    let (house, data) = with_digits(|lens| lens).await;
    let mut stream = edit(&house, "/digits").await;
    assert_eq!(guarded(stream.write_at(at(3), "abc")).await.unwrap(), at(3));
    assert_eq!(data.to_vec(), b"012abc6789");
    assert_eq!(guarded(stream.truncate(Edge::After, at(6))).await.unwrap(), at(6));
    assert_eq!(data.to_vec(), b"012abc");
    assert_eq!(guarded(stream.append("END")).await.unwrap(), at(6));
    assert_eq!(guarded(stream.truncate(Edge::Before, at(2))).await.unwrap(), at(2));
    assert_eq!(data.to_vec(), b"2abcEND");
    assert_eq!(guarded(stream.read_at(3..6)).await.unwrap(), "abc", "positions stay");
    assert_eq!(code(guarded(stream.read_at(0..1)).await), Code::OUT_OF_RANGE);
    assert_eq!(code(guarded(stream.seek_to(at(1))).await), Code::OUT_OF_RANGE);
    assert_eq!(guarded(stream.seek_to(Pos::START)).await.unwrap(), at(2));
    let mut all = Vec::new();
    guarded(stream.read_to_end(&mut all)).await.unwrap();
    assert_eq!(all, b"2abcEND");
    drop(stream);
    house.is_well().await;
}

#[tokio::test]
async fn d14_g5_a_full_storage_is_reported_and_what_was_stored_is_counted() {
    let full = MemData::new(*b"0123456789").capacity(16);
    let streamer = Streamer::new(full.clone()).writable();
    let house = House::open(Server::builder().publish("/small", streamer)).await;
    let mut stream = edit(&house, "/small").await;
    guarded(stream.seek(SeekFrom::End(0))).await.unwrap();
    guarded(stream.write_all(&[7; 100])).await.unwrap();
    let error = guarded(stream.flush()).await.unwrap_err();
    assert_eq!((inner(&error).code(), inner(&error).applied()), (Code::STORAGE_FULL, Some(6)));
    assert_eq!((full.to_vec().len(), stream.bounds().len()), (16, Some(16)));
    assert_eq!(code(guarded(stream.append("x")).await), Code::STORAGE_FULL);
    guarded(stream.write_at(at(0), "x")).await.unwrap();
    drop(stream);
    house.is_well().await;
}

#[tokio::test]
async fn d17_a_write_of_nothing_does_nothing() {
    let (house, data) = with_digits(|lens| lens).await;
    let mut stream = edit(&house, "/digits").await;
    let version = stream.version();
    assert_eq!(guarded(stream.write(b"")).await.unwrap(), 0);
    assert_eq!(guarded(stream.write_at(at(4), "")).await.unwrap(), at(4));
    guarded(stream.flush()).await.unwrap();
    assert_eq!((stream.position(), stream.version()), (at(0), version));
    assert_eq!(data.to_vec(), b"0123456789");
    drop(stream);
    house.is_well().await;
}

#[tokio::test]
async fn d11_d18_a_stream_for_reading_refuses_every_change_and_reads_on() {
    let (house, data) = with_digits(|lens| lens).await;
    let link = house.link_to_write().await;
    let mut stream = guarded(link.open("/digits")).await.unwrap();
    let error = guarded(stream.write_all(b"x")).await.unwrap_err();
    assert_eq!(inner(&error).code(), Code::MODE_FORBIDS);
    assert_eq!(code(guarded(stream.append("x")).await), Code::MODE_FORBIDS);
    assert_eq!(code(guarded(stream.truncate(Edge::After, at(1))).await), Code::MODE_FORBIDS);
    assert_eq!(code(guarded(stream.sync()).await), Code::MODE_FORBIDS);
    let mut all = Vec::new();
    guarded(stream.read_to_end(&mut all)).await.unwrap();
    assert_eq!((all, data.to_vec()), (b"0123456789".to_vec(), b"0123456789".to_vec()));
    drop((stream, link));
    house.is_well().await;
}

#[tokio::test]
async fn b15_a_stream_for_writing_refuses_to_read_and_writes_on() {
    let (house, data) = with_digits(|lens| lens).await;
    let link = house.link_to_write().await;
    let mut stream = guarded(link.open_with("/digits", EDIT.read(false))).await.unwrap();
    assert_eq!(code(guarded(stream.next_chunk()).await), Code::MODE_FORBIDS);
    let error = guarded(stream.read(&mut [0; 4])).await.unwrap_err();
    assert_eq!(inner(&error).code(), Code::MODE_FORBIDS);
    assert_eq!(code(guarded(stream.read_at(0..1)).await), Code::MODE_FORBIDS);
    guarded(stream.write_all(b"ab")).await.unwrap();
    guarded(stream.close()).await.unwrap();
    assert_eq!(data.to_vec(), b"ab23456789");
    drop(link);
    house.is_well().await;
}

#[tokio::test]
async fn d20_after_a_write_reading_goes_on_behind_it() {
    let (house, data) = with_digits(|lens| lens).await;
    let mut stream = edit(&house, "/digits").await;
    assert_eq!(guarded(stream.read_u8()).await.unwrap(), b'0');
    guarded(stream.write_all(b"abc")).await.unwrap();
    assert_eq!(guarded(stream.read_u8()).await.unwrap(), b'4');
    assert_eq!(data.to_vec(), b"0abc456789", "what had been read ahead did not move the cursor");
    drop(stream);
    house.is_well().await;
}

#[tokio::test]
async fn i7_i8_a_lost_server_is_an_error_for_who_writes() {
    let (house, _data) = with_digits(|lens| lens).await;
    let mut stream = edit(&house, "/digits").await;
    guarded(stream.write_all(b"abc")).await.unwrap();
    guarded(stream.flush()).await.unwrap();
    guarded(house.server.shutdown(crate::SECOND)).await;
    let outcome = async {
        loop {
            stream.write_all(&[7; 10_000]).await?;
            stream.flush().await?;
        }
    };
    let outcome: std::io::Result<()> = guarded(outcome).await;
    assert_eq!(inner(&outcome.unwrap_err()).code(), Code::GOING_AWAY);
    assert_eq!(code(guarded(stream.close()).await), Code::GOING_AWAY);
}

#[tokio::test]
async fn g3_what_a_lens_cannot_do_is_refused_when_it_is_published() {
    let (_house, _folder, path) = with_file(b"abc").await;
    let wanted = Flags::READABLE | Flags::START_BOUNDED | Flags::END_BOUNDED;
    let lens = |file: FileData, more| Streamer::from(file).flags(wanted | more);
    let read_only = || FileData::read_only(&path);
    let grows = Flags::END_CAN_INC | Flags::CAN_MOVE_END;
    for (streamer, fits) in [
        (lens(read_only(), Flags::SEEK), true),
        (lens(read_only(), Flags::WRITABLE), false),
        (lens(read_only(), Flags::START_CAN_INC), false),
        (lens(FileData::read_write(&path), Flags::WRITABLE | grows), true),
        (lens(FileData::read_write(&path), Flags::WRITABLE | Flags::CAN_MOVE_END), false),
        (lens(FileData::read_write(&path), Flags::FIXED_DATA | Flags::WRITABLE), false),
    ] {
        let mode = streamer.mode();
        assert_eq!(mode.is_ok(), fits, "{mode:?}");
        let builder = Server::builder().publish("/file", streamer);
        let bound = builder.identity(farlens::Identity::generate().unwrap()).bind("127.0.0.1:0");
        assert_eq!(bound.await.map(drop).map_err(|error| error.code()).is_ok(), fits);
        assert!(fits || code(mode) == Code::USAGE);
    }
    let nothing = FileData::read_write(path.with_file_name("none"));
    let builder = Server::builder().publish("/none", nothing);
    let bound = builder.identity(farlens::Identity::generate().unwrap()).bind("127.0.0.1:0");
    assert_eq!(code(bound.await), Code::NOT_FOUND);
}

#[tokio::test]
async fn d18_without_the_grant_a_writable_file_is_for_reading() {
    let (house, _folder, path) = with_file(b"abc").await;
    let link = house.link().await;
    assert_eq!(code(guarded(link.open_with("/file", EDIT)).await), Code::MODE_FORBIDS);
    let reader = guarded(link.open("/file")).await.unwrap();
    assert_eq!(code(guarded(reader.append("x")).await), Code::MODE_FORBIDS);
    assert_eq!(std::fs::read(&path).unwrap(), b"abc");
    let ticket = house.server.invite_to("/", &[Verb::Append]).unwrap().to_string();
    let client = farlens::Client::builder().identity(farlens::Identity::generate().unwrap());
    let adding = guarded(client.connect(&ticket)).await.unwrap();
    let log = OpenOptions::new().read(false).append(true);
    let stream = guarded(adding.open_with("/file", log)).await.unwrap();
    assert!(stream.appends_only());
    assert_eq!(guarded(stream.append("def")).await.unwrap(), at(3));
    assert_eq!(code(guarded(stream.write_at(at(0), "x")).await), Code::MODE_FORBIDS);
    assert_eq!(std::fs::read(&path).unwrap(), b"abcdef");
    drop((stream, reader, link, adding));
    house.is_well().await;
}
