//! Two versions of a program that talk to each other, whichever is at which end:
//!
//! | from [`v1`] to [`v2`] | what it does to the other version |
//! |---|---|
//! | a field was added, with a default | nothing: who does not know it does not see it |
//! | a field was removed, which had a default | nothing: who looks for it finds the default |
//! | fields, parameters and variants stand in another order | nothing: they go by their names |
//! | a parameter was added that is an option | nothing: it is none |
//! | a method was added | an old server says that it has none |
//! | a number became wider | the new reads the old; the old is refused when it opens |
//! | a variant was added | the old reads everything until it meets one |
//!
//! Nobody numbers fields, and nothing is sent by name: both ends tell each other their types once,
//! and compare them before the first value. What does not fit is refused with the difference.
//! Checks itself: exits with 1 if something is read otherwise.
//!
//! ```sh
//! cargo run --release -p farlens-examples --example evolve
//! ```

mod calls;
mod streams;
mod v1;
mod v2;

use farlens::{FixedData, Identity, Result, Server, ServerBuilder};
use farlens_examples::connect;

async fn start(builder: ServerBuilder) -> Result<Server> {
    builder.identity(Identity::generate()?).bind("127.0.0.1:0").await
}

/// A server as it was before the change.
async fn old_server() -> Result<Server> {
    let builder = Server::builder()
        .publish("/tracker", v1::TrackerRef::new(v1::Device))
        .publish("/counter", v1::CounterRef::new(v1::Device))
        .publish("/poses", FixedData::items(v1::poses())?)
        .publish("/ticks", FixedData::items([v1::Tick { at: 7 }])?);
    start(builder).await
}

/// A server as it is now.
async fn new_server() -> Result<Server> {
    let builder = Server::builder()
        .publish("/tracker", v2::TrackerRef::new(v2::Device))
        .publish("/counter", v2::CounterRef::new(v2::Device))
        .publish("/poses", FixedData::items(v2::poses())?)
        .publish("/ticks", FixedData::items([v2::Tick { at: 7 }])?);
    start(builder).await
}

#[tokio::main]
async fn main() -> Result<()> {
    let (old_server, new_server) = (old_server().await?, new_server().await?);
    let (to_old, to_new) = (connect(&old_server).await?, connect(&new_server).await?);

    println!("an old client and a new server");
    calls::old_client(&to_new).await?;
    streams::old_reader(&to_new).await?;

    println!("a new client and an old server");
    calls::new_client(&to_old).await?;
    streams::new_reader(&to_old).await?;

    println!("all is as it should be");
    Ok(())
}
