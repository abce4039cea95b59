//! Streams in both directions at the same time.

use crate::{
    client::Tester,
    service::{Echo, Gate, GateRef, Message, QUEUE, WINDOW, answer, from_queue},
};
use farlens::Result;
use farlens_examples::{check, wrong};
use futures::{TryStreamExt, stream};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::timeout,
};

/// Messages of the conversation where each is answered at once.
const TURNS: u64 = 20;
/// Messages that are processed apart.
const MANY: u64 = 500;
/// When no message was taken for so long, the sender is held back.
const QUIET: Duration = Duration::from_millis(200);

fn message(number: u64) -> Message {
    Message { number, text: format!("message {number}") }
}

/// The next message is made of the answer to the last one, so nothing can be sent ahead.
pub(crate) async fn at_once(tester: &Tester) -> Result<()> {
    let (say, said) = mpsc::channel(1);
    let mut answers = pin!(tester.echo.converse(from_queue(said)));
    for number in 0..TURNS {
        say.send(message(number)).await.map_err(|_| wrong("nobody listens"))?;
        let heard = answers.try_next().await?;
        tester.detail(|| format!("{heard:?}"));
        check(heard == Some(answer(message(number))), "each message is answered at once")?;
    }
    drop(say);
    check(answers.try_next().await?.is_none(), "the answers end with the messages")?;
    tester.saw("bidirectional, sync", &format!("{TURNS} messages, each answered at once"));
    Ok(())
}

/// A gate that the client opens.
#[derive(Default)]
struct Barrier {
    reached: Notify,
    open: Notify,
}

/// What the server calls: a handle of the barrier.
struct Handle(Arc<Barrier>);

impl Gate for Handle {
    async fn pass(&self) -> Result<()> {
        self.0.reached.notify_one();
        self.0.open.notified().await;
        Ok(())
    }
}

/// While the processor is held, only so many messages are taken from the sender as fit in between.
/// Then all are answered, in their order.
pub(crate) async fn apart(tester: &Tester) -> Result<()> {
    let barrier = Arc::new(Barrier::default());
    let (count, mut taken) = watch::channel(0);
    let messages = stream::iter((0..MANY).map(move |number| {
        count.send_replace(number + 1);
        Ok(message(number))
    }));
    let answers = tester.echo.process(GateRef::new(Handle(Arc::clone(&barrier))), messages);
    let held = async {
        barrier.reached.notified().await;
        let ahead = quiet(&mut taken).await;
        barrier.open.notify_one();
        Ok(ahead)
    };
    let (ahead, answers) = tokio::try_join!(held, answers.try_collect::<Vec<_>>())?;
    let in_order = answers.iter().cloned().eq((0..MANY).map(|number| answer(message(number))));
    tester.saw(
        "bidirectional, async",
        &format!("{ahead} of {MANY} messages were taken while the processor was held"),
    );
    // On the way, in the hands of the receiver, in the queue, and one with each of the two.
    let room = 2 * WINDOW + QUEUE as u64 + 2;
    check(ahead <= room, format!("no more than {room} messages are taken ahead"))?;
    check(in_order, "all are answered in their order")
}

/// The count when it has stopped growing.
async fn quiet(count: &mut watch::Receiver<u64>) -> u64 {
    while let Ok(Ok(())) = timeout(QUIET, count.changed()).await {}
    *count.borrow()
}
