//! What of the requests of a peer is logged, and how much.

use farlens::{Client, Code, Dispatch, Identity, Incoming, Link, Outcome, Remote, Server};
use futures::future::BoxFuture;
use std::{
    cell::RefCell,
    fmt::{Debug, Write},
    sync::{Arc, Mutex},
    time::Instant,
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// Everything that was logged, in words.
#[derive(Clone, Default)]
struct Log {
    spans: Arc<Mutex<Vec<String>>>,
    lines: Arc<Mutex<Vec<String>>>,
}

thread_local! {
    /// The spans in which this thread is.
    static INSIDE: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("farlens") && *metadata.level() <= Level::DEBUG
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(span.metadata().name().to_owned());
        span.record(&mut fields);
        let outer = INSIDE.with_borrow(|inside| inside.last().copied());
        let mut spans = self.spans.lock().unwrap();
        if let Some(outer) = outer.and_then(|id| spans.get(id as usize - 1)) {
            let name = outer.split(' ').next().unwrap();
            fields.0 = format!("{} in {name}", fields.0);
        }
        spans.push(fields.0);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(event.metadata().level().to_string());
        event.record(&mut fields);
        self.lines.lock().unwrap().push(fields.0);
    }

    fn enter(&self, span: &Id) {
        INSIDE.with_borrow_mut(|inside| inside.push(span.into_u64()));
    }

    fn exit(&self, _: &Id) {
        INSIDE.with_borrow_mut(Vec::pop);
    }
}

/// Has one method, which keeps what it is told to itself, and one that falls over.
struct Vault;

impl Dispatch for Vault {
    fn interface(&self) -> Arc<farlens::schema::SchemaDoc> {
        farlens::schema::SchemaDoc::of::<()>()
    }

    fn call(self: Arc<Self>, call: Incoming) -> BoxFuture<'static, farlens::Result<Outcome>> {
        assert_ne!(call.method, "fall", "on purpose");
        Box::pin(async { Ok(Outcome::new(Vec::new(), Vec::new())) })
    }
}

async fn link_to(server: &Server) -> Link {
    let url = format!("farlens://{}/#{}", server.local_addr(), server.key());
    let client = Client::builder().identity(Identity::generate().unwrap());
    client.connect(&url).await.unwrap()
}

#[tokio::test]
async fn requests_are_logged_with_their_names_and_never_with_what_they_carry() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let identity = Identity::generate().unwrap();
    let server = Server::builder()
        .identity(identity)
        .open_to_all(true)
        .publish("/data", &b"abc"[..])
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let peer = link_to(&server).await;
    peer.stat("/data").await.unwrap();
    drop(peer.open("/data").await.unwrap());
    tell_a_vault(&log).await;

    let started = Instant::now();
    let before = log.lines.lock().unwrap().len();
    for n in 0..500 {
        let absent = peer.open(&format!("/absent\u{1b}[31m{n}")).await.unwrap_err();
        assert_eq!(absent.code(), Code::NOT_FOUND);
    }
    let mut lines = log.lines.lock().unwrap()[before..].to_vec();
    lines.retain(|line| line.contains("a request failed"));
    let allowed = 10 * (1 + started.elapsed().as_secs() as usize);
    assert!(!lines.is_empty() && lines.len() <= allowed, "{} lines", lines.len());
    assert!(lines.iter().all(|line| line.contains("E0301")), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains('\u{1b}')), "{lines:?}");

    let spans = log.spans.lock().unwrap().join("\n");
    assert!(spans.contains("link peer=k"), "{spans}");
    assert!(
        spans.contains("call object=the root object method=\"stat\" depth=1 in link"),
        "{spans}"
    );
    assert!(spans.contains("stream path=/data id=1 in link"), "{spans}");
    assert!(spans.contains("call object=/vault method=\"keep\" depth=1 in link"), "{spans}");
    let everything = spans + &log.lines.lock().unwrap().join("\n");
    assert!(!everything.contains("hunter2"), "{everything}");
}

/// Tells a vault a secret, and has it fall over.
async fn tell_a_vault(log: &Log) {
    let identity = Identity::generate().unwrap();
    let server = Server::builder()
        .identity(identity)
        .publish("/vault", Remote::new(Vault))
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let ticket = server.invite_to("/", &[farlens::Verb::Call]).unwrap().to_string();
    let client = Client::builder().identity(Identity::generate().unwrap());
    let link = client.connect(&ticket).await.unwrap();
    let vault: Remote = link.object("/vault").await.unwrap();
    vault.call::<_, ()>("keep", "hunter2").await.unwrap();
    let failed = vault.call::<_, ()>("fall", "hunter2").await.unwrap_err();
    assert_eq!(failed.code(), Code::INTERNAL);
    let lines = log.lines.lock().unwrap();
    let warned = |line: &String| line.starts_with("WARN") && line.contains("E1101");
    assert!(lines.iter().any(warned), "{lines:?}");
}
