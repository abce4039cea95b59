//! Messages of up to 50 MB, and one that is too large.

use crate::{
    client::Tester,
    service::{Echo, LARGEST, Message},
};
use farlens::{Code, Element, Result};
use farlens_examples::{check, wrong};

/// A message whose encoding has so many bytes.
fn of_size(bytes: usize) -> Result<Message> {
    // One byte for the number; the length of the text takes as many as it needs.
    let length = |text: usize| (usize::BITS - text.leading_zeros()).div_ceil(7) as usize;
    let text = (1..=5).map(|width| bytes.saturating_sub(1 + width));
    let fits = |text: &usize| 1 + length(*text) + text == bytes;
    let text = text.into_iter().find(fits).ok_or_else(|| wrong("no text is so long"))?;
    let message = Message { number: 0, text: "x".repeat(text) };
    let mut encoded = Vec::with_capacity(bytes);
    message.encode(&mut encoded).map_err(|error| wrong(error.to_string()))?;
    check(encoded.len() == bytes, format!("{} bytes, not {bytes}", encoded.len()))?;
    Ok(message)
}

/// The largest goes both ways; one byte more goes nowhere, and costs the link nothing.
pub(crate) async fn messages(tester: &Tester) -> Result<()> {
    for bytes in [1_000, 1_000_000, LARGEST] {
        let message = of_size(bytes)?;
        let echoed = tester.echo.echo(message.clone()).await?;
        check(echoed == message, format!("{bytes} bytes are echoed"))?;
        tester.saw("large", &format!("{bytes} bytes were echoed"));
    }
    let refused = tester.echo.echo(of_size(LARGEST + 1)?).await.err();
    let refused = refused.ok_or_else(|| wrong("one byte more is refused"))?;
    tester.saw("large", &format!("refused: {refused}"));
    check(refused.code() == Code::TOO_LARGE, "it is refused as too large")?;
    check(refused.message().contains("Limits::message_bytes"), "the bound has a name")?;
    check(!tester.link.is_closed(), "the link lives")?;
    tester.echo.hello("Ada".into()).await.map(drop)
}
