//! Calls that call back, level upon level.

use crate::{House, guarded};
use farlens::{CallContext, Client, Code, Identity, Limits, Link, Server, ServerBuilder, Verb};

#[farlens::remote]
pub trait Ladder {
    /// Climbs `left` rungs more, each at the other side, and says how deep that was.
    async fn climb(&self, here: LadderRef, there: LadderRef, left: u32) -> farlens::Result<u32>;
}

struct Rungs;

impl Ladder for Rungs {
    async fn climb(&self, here: LadderRef, there: LadderRef, left: u32) -> farlens::Result<u32> {
        if left == 0 {
            return Ok(CallContext::current().depth());
        }
        there.climb(there.clone(), here, left - 1).await
    }
}

async fn between(builder: ServerBuilder, limits: Limits) -> (House, Link, LadderRef) {
    let house = House::open(builder.publish("/ladder", LadderRef::new(Rungs))).await;
    let ticket = house.server.invite_to("/", &[Verb::Read, Verb::Call]).unwrap().to_string();
    let client = Client::builder().identity(Identity::generate().unwrap()).limits(limits);
    let link = client.connect(&ticket).await.unwrap();
    let ladder = guarded(link.object("/ladder")).await.unwrap();
    (house, link, ladder)
}

/// As deep as can be, and everything else as small as can be.
fn narrow() -> Limits {
    let mut limits = Limits::default();
    limits.frame_bytes = 4 << 10;
    limits.message_bytes = 16 << 10;
    limits.argument_bytes = 16 << 10;
    limits.cost_bytes = 64 << 10;
    limits.references = 128;
    (limits.streams, limits.calls, limits.call_depth) = (1, 1, 64);
    limits.stream_window_bytes = Limits::MIN_WINDOW_BYTES;
    limits.stream_window_max_bytes = Limits::MIN_WINDOW_BYTES;
    limits.receive_budget_bytes = Limits::MIN_WINDOW_BYTES;
    limits.receive_budget_max_bytes = Limits::MIN_WINDOW_BYTES;
    limits.stream_window_items = 1;
    limits.send_queue_bytes = 8 << 10;
    (limits.depth, limits.elements) = (8, 1_000);
    limits
}

#[tokio::test]
async fn sixty_four_levels_need_nothing_but_levels() {
    let (house, link, ladder) = between(Server::builder().limits(narrow()), narrow()).await;
    let mine = LadderRef::new(Rungs);
    let climb = |left| ladder.climb(ladder.clone(), mine.clone(), left);
    assert_eq!(guarded(climb(63)).await.unwrap(), 64);
    let error = guarded(climb(64)).await.unwrap_err();
    assert_eq!(error.code(), Code::TOO_DEEP);
    let both = async { tokio::join!(climb(63), climb(63), climb(63)) };
    let (a, b, c) = guarded(both).await;
    assert_eq!([a.unwrap(), b.unwrap(), c.unwrap()], [64; 3]);
    drop((ladder, link));
    house.is_well().await;
}

#[tokio::test]
async fn the_seventeenth_level_is_too_deep_by_default() {
    let (house, link, ladder) = between(Server::builder(), Limits::default()).await;
    let mine = LadderRef::new(Rungs);
    let climb = |left| ladder.climb(ladder.clone(), mine.clone(), left);
    assert_eq!(guarded(climb(15)).await.unwrap(), 16);
    let error = guarded(climb(16)).await.unwrap_err();
    assert_eq!(error.code(), Code::TOO_DEEP);
    assert_eq!(guarded(climb(15)).await.unwrap(), 16, "nothing is left of it");
    drop((ladder, link));
    house.is_well().await;
}

/// The same in another version.
mod other {
    #[farlens::remote]
    pub trait Ladder {
        async fn climb(
            &self,
            here: LadderRef,
            there: LadderRef,
            left: u32,
            note: Option<String>,
        ) -> farlens::Result<u32>;
    }
}

impl other::Ladder for Rungs {
    async fn climb(
        &self,
        here: other::LadderRef,
        there: other::LadderRef,
        left: u32,
        note: Option<String>,
    ) -> farlens::Result<u32> {
        if left == 0 {
            return Ok(CallContext::current().depth());
        }
        other::Ladder::climb(&there, there.clone(), here, left - 1, note).await
    }
}

#[tokio::test]
async fn asking_what_an_object_is_needs_nothing_but_the_level_of_its_call() {
    let mut limits = Limits::default();
    limits.calls = 1;
    let (house, link, ladder) = between(Server::builder().limits(limits.clone()), limits).await;
    let ladder = other::LadderRef::from(farlens::Remote::from(ladder));
    let mine = other::LadderRef::new(Rungs);
    // The third call is answered while the first is not, by an object that nobody has described.
    let depth = other::Ladder::climb(&ladder, ladder.clone(), mine.clone(), 2, None);
    assert_eq!(guarded(depth).await.unwrap(), 3);
    drop((ladder, mine, link));
    house.is_well().await;
}
