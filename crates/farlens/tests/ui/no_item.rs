//! A stream whose items cannot fail.

use futures::Stream;

#[farlens::remote]
trait Probe {
    fn poses(&self) -> impl Stream<Item = u32>;
}

fn main() {}
