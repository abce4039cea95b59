//! Logs over real TLS on loopback: files that are rotated while they are read.

use farlens::{
    AtEnd, Client, Code, Entity, Identity, Link, LogFile, LogLines, OpenOptions, Server,
    ServerBuilder, schema::Type,
};
use futures::{StreamExt, TryStreamExt};
use std::{fs, io::Write, path::Path};
use tokio::io::AsyncReadExt;

async fn start(builder: ServerBuilder) -> (Server, Link) {
    let builder = builder.identity(Identity::generate().unwrap());
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    let ticket = server.invite("/").unwrap().to_string();
    let client = Client::builder().identity(Identity::generate().unwrap());
    (server, client.connect(&ticket).await.unwrap())
}

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_follows_a_log_through_a_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    append(&path, "one\ntwo\n");
    let builder = Server::builder()
        .publish("/bytes", LogFile::follow(&path))
        .publish("/lines", LogLines::follow(&path))
        .publish("/fixed", LogLines::read_only(&path));
    let (_server, link) = start(builder).await;
    let options = OpenOptions::new().at_end(AtEnd::Follow);
    let mut bytes = link.open_with("/bytes", options).await.unwrap();
    let mut lines = link.entities_with::<Entity>("/lines", options).await.unwrap();
    assert_eq!(*lines.published_type().unwrap().root(), Type::Text);
    assert_eq!(lines.version().len(), 16);
    let mut got = vec![0; 8];
    bytes.read_exact(&mut got).await.unwrap();
    assert_eq!(got, b"one\ntwo\n");
    for expected in ["one", "two"] {
        assert_eq!(lines.next().await.unwrap().unwrap(), Entity::from(expected));
    }
    append(&path, "three\nfo");
    fs::rename(&path, folder.path().join("log.1")).unwrap();
    append(&folder.path().join("log.1"), "ur");
    append(&path, "five\n");
    let mut got = vec![0; 15];
    bytes.read_exact(&mut got).await.unwrap();
    assert_eq!(got, b"three\nfourfive\n");
    for expected in ["three", "four", "five"] {
        assert_eq!(lines.next().await.unwrap().unwrap(), Entity::from(expected));
    }
    let fixed: Vec<String> = link.entities("/fixed").await.unwrap().try_collect().await.unwrap();
    assert_eq!(fixed, ["one", "two"]);
    assert_eq!(link.stat("/lines").await.unwrap().entry.len, Some(5));
}

#[tokio::test]
async fn a_log_that_is_not_there_is_published_only_if_it_may_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let builder = Server::builder()
        .identity(Identity::generate().unwrap())
        .publish("/log", LogFile::follow(&path));
    assert_eq!(builder.bind("127.0.0.1:0").await.unwrap_err().code(), Code::NOT_FOUND);
    let builder = Server::builder().publish("/log", LogFile::follow(&path).wait(true));
    let (_server, link) = start(builder).await;
    let options = OpenOptions::new().at_end(AtEnd::Follow);
    let mut bytes = link.open_with("/log", options).await.unwrap();
    append(&path, "x");
    assert_eq!(bytes.read_u8().await.unwrap(), b'x');
}
