//! Unary calls, and streams in one direction.

use crate::{
    client::Tester,
    service::{Echo, Message, Summary},
};
use farlens::Result;
use farlens_examples::check;
use futures::{StreamExt, TryStreamExt, stream};

/// A call and its answer.
pub(crate) async fn unary(tester: &Tester) -> Result<()> {
    let greeting = tester.echo.hello("Ada".into()).await?;
    tester.saw("unary", &greeting);
    check(greeting == "hello, Ada", "the server greets by name")
}

/// A parameter is a stream: three messages go, one summary comes.
pub(crate) async fn client_streaming(tester: &Tester) -> Result<()> {
    let texts = ["one", "two", "three"];
    let messages = stream::iter(texts).zip(stream::iter(1..));
    let messages = messages.map(|(text, number)| Ok(Message { number, text: text.into() }));
    let summary = tester.echo.gather(messages).await?;
    tester.saw("client streaming", &format!("{summary:?}"));
    check(summary == Summary { messages: 3, letters: 11 }, "three messages of eleven letters")
}

/// The answer is a stream: one message goes, five echoes come.
pub(crate) async fn server_streaming(tester: &Tester) -> Result<()> {
    let message = Message { number: 7, text: "again".into() };
    let echoes = tester.echo.repeat(message.clone(), 5, 10);
    let echoes = echoes.inspect_ok(|echo| tester.detail(|| format!("{echo:?}")));
    let echoes: Vec<Message> = echoes.try_collect().await?;
    tester.saw("server streaming", &format!("{} echoes", echoes.len()));
    check(echoes == vec![message; 5], "five echoes of the message")
}
