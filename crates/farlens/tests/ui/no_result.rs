//! A call can fail on its way, and its answer says so.

#[farlens::remote]
trait Probe {
    async fn version(&self) -> u32;
}

fn main() {}
