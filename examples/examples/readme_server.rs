//! Publishes one file and prints a ticket for it.
use farlens::{FileData, Server};

#[tokio::main]
async fn main() -> farlens::Result<()> {
    let server = Server::builder()
        .publish("/ct.raw", FileData::read_only("ct.raw")) // or a directory, bytes, a sequence
        .bind("0.0.0.0:5367")
        .await?;
    println!("{}", server.invite("/ct.raw")?); // address, key, and an invite for one client
    server.run().await // Ctrl-C lets transfers finish
}
