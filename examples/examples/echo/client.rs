//! The client: which tests it runs, and how many testers do so at a time.

use crate::{
    both, in_one_line, large, one_way,
    server::DRAIN,
    service::{Echo, EchoRef, LARGEST, Message},
};
use clap::ValueEnum;
use farlens::{Client, Code, Identity, Limits, Link, Result, Server};
use farlens_examples::check;
use futures::{FutureExt, StreamExt, future::try_join_all, stream};
use std::{sync::Arc, time::Duration};
use tokio::{signal, sync::Notify, time::sleep};

/// Testers of `--test all`, each with a link of its own.
const TESTERS: u32 = 4;
/// How long one call may take, unless its answer is a stream.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a client waits before it tests again.
const PAUSE: Duration = Duration::from_secs(1);

/// Test a server.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The URL of a server that knows this user's key, or the ticket that it printed.
    #[arg(long, value_name = "URL_OR_TICKET")]
    server: String,
    /// What to test.
    #[arg(long, value_enum, default_value_t = Test::All)]
    test: Test,
    /// Test once, not again and again until Ctrl-C.
    #[arg(long)]
    once: bool,
    /// Say more.
    #[arg(long)]
    verbose: bool,
}

/// A pattern.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Test {
    /// One message each way.
    Unary,
    /// Three messages, one summary.
    Client,
    /// One message, five echoes.
    Server,
    /// Each message is answered before the next is sent.
    Sync,
    /// Messages are received and processed apart.
    Async,
    /// Each of them and messages of up to 50 MB, by four testers at a time.
    All,
}

/// Someone who tests.
pub(crate) struct Tester {
    number: u32,
    verbose: bool,
    pub(crate) link: Link,
    pub(crate) echo: EchoRef,
}

impl Tester {
    /// Opens a link, and asks for the object that is published there.
    async fn new(number: u32, verbose: bool, client: Start<'_>) -> Result<Self> {
        let link = client.connect().await?;
        let echo: EchoRef = link.object("/echo").await?;
        Ok(Self { number, verbose, link, echo: echo.with_timeout(PATIENCE) })
    }

    /// Says what was seen.
    pub(crate) fn saw(&self, test: &str, text: &str) {
        println!("tester {}: {test}: {text}", self.number);
    }

    /// Says a detail, if details are wanted.
    pub(crate) fn detail(&self, text: impl FnOnce() -> String) {
        if self.verbose {
            println!("tester {}:   {}", self.number, text());
        }
    }

    async fn run(&self, test: Test) -> Result<()> {
        match test {
            Test::Unary => one_way::unary(self).await,
            Test::Client => one_way::client_streaming(self).await,
            Test::Server => one_way::server_streaming(self).await,
            Test::Sync => both::at_once(self).await,
            Test::Async => both::apart(self).await,
            Test::All => {
                one_way::unary(self).await?;
                one_way::client_streaming(self).await?;
                one_way::server_streaming(self).await?;
                both::at_once(self).await?;
                both::apart(self).await?;
                large::messages(self).await
            }
        }
    }
}

/// Where to connect to, and as whom.
#[derive(Clone, Copy)]
struct Start<'a> {
    target: &'a str,
    /// None is this user's own key.
    identity: Option<&'a Identity>,
}

impl Start<'_> {
    /// Both sides say how long a message may be that they take.
    async fn connect(self) -> Result<Link> {
        let mut client = Client::builder().limits(Limits::default().message(LARGEST));
        if let Some(identity) = self.identity {
            client = client.identity(identity.clone());
        }
        client.connect(self.target).await
    }
}

/// Tests as the command line says.
pub(crate) async fn test(options: &Options) -> Result<()> {
    let start = Start { target: &options.server, identity: None };
    let again = async {
        loop {
            run(options.test, options.verbose, start).await?;
            if options.once {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    };
    tokio::select! {
        done = again => done,
        interrupted = signal::ctrl_c() => Ok(interrupted?),
    }
}

/// Tests everything, with a key that is used for this alone.
pub(crate) async fn test_all(ticket: &str) -> Result<()> {
    let identity = Identity::generate()?;
    run(Test::All, false, Start { target: ticket, identity: Some(&identity) }).await
}

async fn run(test: Test, verbose: bool, start: Start<'_>) -> Result<()> {
    let testers = if matches!(test, Test::All) { TESTERS } else { 1 };
    let work = (1..=testers).map(async |number| {
        let tester = Tester::new(number, verbose, start).await?;
        tester.run(test).await
    });
    try_join_all(work).await.map(drop)
}

/// A call that runs when the server is told to stop is answered all the same.
pub(crate) async fn is_drained(server: &Server, ticket: &str) -> Result<()> {
    let identity = Identity::generate()?;
    let start = Start { target: ticket, identity: Some(&identity) };
    let tester = Tester::new(1, false, start).await?;
    let began = Arc::new(Notify::new());
    let begins = Arc::clone(&began);
    let messages = stream::iter(0..5).then(move |number| {
        begins.notify_one();
        sleep(Duration::from_millis(50)).map(move |()| Ok(Message { number, text: "slow".into() }))
    });
    let stops = async {
        began.notified().await;
        server.shutdown(DRAIN).await;
        Ok(())
    };
    let (summary, ()) = tokio::try_join!(tester.echo.gather(messages), stops)?;
    println!("while the server stops: {summary:?}");
    check(summary.messages == 5, "the call that runs is answered")
}

/// Who comes when the server is gone is told so in a line.
pub(crate) async fn is_refused(ticket: &str) -> Result<()> {
    let identity = Identity::generate()?;
    let refused = Start { target: ticket, identity: Some(&identity) }.connect().await.err();
    let text = refused.as_ref().map(in_one_line).unwrap_or_default();
    println!("without a server: {text}");
    check(refused.is_some_and(|error| error.code() == Code::CANNOT_CONNECT), "it is refused")
}
