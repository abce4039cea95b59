//! The traits of the tests, and an object that implements them.

use farlens::{CallContext, Client, Entity, Identity, Link, Server, Verb};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::Notify;

#[derive(Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub struct Pose {
    pub n: u16,
    pub x: f32,
}

impl Pose {
    pub fn at(n: u16) -> Self {
        Self { n, x: f32::from(n) / 4.0 }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub enum ProbeError {
    NoSuchSet { name: String },
    System { code: u16, text: String },
}

impl From<farlens::Error> for ProbeError {
    fn from(error: farlens::Error) -> Self {
        Self::System { code: error.code().number(), text: error.message().to_owned() }
    }
}

/// Hears of things.
#[farlens::remote]
pub trait Alarm {
    async fn fired(&self, what: String) -> farlens::Result<()>;
}

#[farlens::remote]
pub trait Dataset {
    async fn size(&self) -> farlens::Result<u64>;
    async fn part(&self, from: u64) -> farlens::Result<DatasetRef>;
    fn halves(&self) -> impl Stream<Item = farlens::Result<DatasetRef>>;
    async fn total(
        &self,
        others: impl Stream<Item = farlens::Result<DatasetRef>>,
    ) -> farlens::Result<u64>;
}

/// Measures what is
/// before it.
#[farlens::remote]
pub trait Probe {
    /// Takes n samples and returns the RMS error.
    async fn calibrate(&self, n: u32) -> farlens::Result<f64>;
    /// Has an alarm told of everything, which it is told of at once.
    async fn watch(&self, cb: AlarmRef) -> farlens::Result<()>;
    async fn dataset(&self, name: String) -> Result<DatasetRef, ProbeError>;
    fn poses(&self, hz: u16) -> impl Stream<Item = farlens::Result<Pose>> + Send;
    fn untyped(&self) -> impl Stream<Item = farlens::Result<Entity>>;
    async fn sum(
        &self,
        items: impl Stream<Item = farlens::Result<u64>> + Send + 'static,
    ) -> farlens::Result<u64>;
    #[farlens(one_way)]
    async fn note(&self, text: String) -> farlens::Result<()>;
    async fn notes(&self) -> farlens::Result<Vec<String>>;
    async fn version(&self) -> farlens::Result<u32> {
        let version = async { 1 }.await;
        Ok(version)
    }
    /// Waits for ever.
    async fn stuck(&self) -> farlens::Result<()>;
    /// How deep it was called, by way of `others`.
    async fn depth(&self, others: Vec<ProbeRef>) -> farlens::Result<u32>;
    async fn burst(&self) -> farlens::Result<()>;
    /// Names that generated code might use for itself.
    async fn names(&self, call: u8, request: u8, r#type: u8, f: u8) -> farlens::Result<u8>;
}

/// What happened to the handlers of a [`TestProbe`].
#[derive(Default)]
pub(crate) struct Events {
    pub notes: Mutex<Vec<String>>,
    pub stuck: Notify,
    pub unstuck: Notify,
    pub noted: Notify,
}

#[derive(Default)]
pub(crate) struct TestProbe {
    pub events: Arc<Events>,
}

/// Tells that it was dropped.
struct Drops(Arc<Events>);

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.unstuck.notify_one();
    }
}

impl Probe for TestProbe {
    async fn calibrate(&self, n: u32) -> farlens::Result<f64> {
        if n == 0 {
            return Err(farlens::Error::new(farlens::Code::USAGE, "nothing to measure"));
        }
        Ok(1.0 / f64::from(n))
    }

    async fn watch(&self, cb: AlarmRef) -> farlens::Result<()> {
        cb.fired("watching".into()).await
    }

    async fn dataset(&self, name: String) -> Result<DatasetRef, ProbeError> {
        match name.as_str() {
            "lost" => Err(ProbeError::NoSuchSet { name }),
            _ => Ok(DatasetRef::new(Numbers { from: 0, until: 100 })),
        }
    }

    fn poses(&self, hz: u16) -> impl Stream<Item = farlens::Result<Pose>> + Send {
        self.events.notes.lock().push(format!("poses at {hz}"));
        let drops = Drops(Arc::clone(&self.events));
        // It borrows the probe as long as it lasts.
        stream::iter(0..hz).map(move |n| {
            let _ = &drops;
            self.events.notes.lock().push(format!("pose {n}"));
            Ok(Pose::at(n))
        })
    }

    fn untyped(&self) -> impl Stream<Item = farlens::Result<Entity>> {
        let failure = farlens::Error::new(farlens::Code::BUSY, "no more");
        stream::iter([Ok(Entity::Int(1)), Ok(Entity::from("two")), Err(failure)])
    }

    async fn sum(
        &self,
        items: impl Stream<Item = farlens::Result<u64>> + Send + 'static,
    ) -> farlens::Result<u64> {
        items.try_fold(0, async |sum, item| Ok(sum + item)).await
    }

    async fn note(&self, text: String) -> farlens::Result<()> {
        self.events.notes.lock().push(text);
        tokio::task::yield_now().await;
        self.events.noted.notify_one();
        Ok(())
    }

    async fn notes(&self) -> farlens::Result<Vec<String>> {
        Ok(self.events.notes.lock().clone())
    }

    async fn stuck(&self) -> farlens::Result<()> {
        let _drops = Drops(Arc::clone(&self.events));
        self.events.stuck.notify_one();
        std::future::pending().await
    }

    async fn depth(&self, mut others: Vec<ProbeRef>) -> farlens::Result<u32> {
        match others.pop() {
            Some(next) => next.depth(others).await,
            None => Ok(CallContext::current().depth()),
        }
    }

    async fn burst(&self) -> farlens::Result<()> {
        panic!("a secret of the handler")
    }

    async fn names(&self, call: u8, request: u8, r#type: u8, f: u8) -> farlens::Result<u8> {
        Ok(call + request + r#type + f)
    }
}

/// The numbers from one to another.
struct Numbers {
    from: u64,
    until: u64,
}

impl Dataset for Numbers {
    async fn size(&self) -> farlens::Result<u64> {
        Ok(self.until - self.from)
    }

    async fn part(&self, from: u64) -> farlens::Result<DatasetRef> {
        if from > self.until - self.from {
            return Err(farlens::Error::new(farlens::Code::OUT_OF_RANGE, "there are fewer"));
        }
        Ok(DatasetRef::new(Self { from: self.from + from, until: self.until }))
    }

    fn halves(&self) -> impl Stream<Item = farlens::Result<DatasetRef>> {
        let middle = self.from.midpoint(self.until);
        let halves = [(self.from, middle), (middle, self.until)];
        stream::iter(halves.map(|(from, until)| Ok(DatasetRef::new(Self { from, until }))))
    }

    async fn total(
        &self,
        others: impl Stream<Item = farlens::Result<DatasetRef>> + Send,
    ) -> farlens::Result<u64> {
        let own = self.size().await?;
        others.try_fold(own, async |sum, other| Ok(sum + other.size().await?)).await
    }
}

pub(crate) fn probe() -> (ProbeRef, Arc<Events>) {
    let probe = TestProbe::default();
    let events = Arc::clone(&probe.events);
    (ProbeRef::new(probe), events)
}

/// What a probe at the other end of a link needs around it.
pub(crate) type Home = Option<(Server, Link)>;

/// A new probe in this process, and one at the other end of a link.
pub(crate) async fn everywhere() -> [(ProbeRef, Arc<Events>, Home); 2] {
    let (here, heard_here) = probe();
    let (there, heard_there) = probe();
    let server = Server::builder().identity(Identity::generate().unwrap());
    let server = server.publish("/probe", there).bind("127.0.0.1:0").await.unwrap();
    let ticket = server.invite_to("/", &[Verb::Read, Verb::Call]).unwrap().to_string();
    let client = Client::builder().identity(Identity::generate().unwrap());
    let link = client.connect(&ticket).await.unwrap();
    let there = link.object("/probe").await.unwrap();
    [(here, heard_here, None), (there, heard_there, Some((server, link)))]
}
