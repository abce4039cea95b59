//! What has no form that travels, refused by the macro itself: all of it at once, each at its place.

use futures::Stream;

#[farlens::remote]
trait Probe {
    const N: u8;
    type Reading;
    async fn reset(&mut self) -> farlens::Result<()>;
    async fn make() -> farlens::Result<()>;
    fn now(&self) -> farlens::Result<u64>;
    async fn any<T>(&self, value: T) -> farlens::Result<()>;
    async fn life<'a>(&'a self) -> farlens::Result<()>;
    async fn name(&self, text: &str) -> farlens::Result<()>;
    async fn names(&self, all: Vec<&str>) -> farlens::Result<()>;
    async fn call(&self, back: impl Fn(u8)) -> farlens::Result<()>;
    async fn pair(&self, (a, b): (u8, u8)) -> farlens::Result<()>;
    async fn forget(&self);
    async fn poses(&self) -> impl Stream<Item = farlens::Result<u8>>;
    async fn like(&self, other: Self) -> farlens::Result<()>;
    #[farlens(one_way)]
    async fn note(&self) -> farlens::Result<u8>;
    async unsafe fn raw(&self) -> farlens::Result<()>;
    async extern "C" fn c(&self) -> farlens::Result<()>;
    async fn with_timeout(&self) -> farlens::Result<()>;
}

#[farlens::remote]
trait Any<T> {}

#[farlens::remote]
trait Shown: std::fmt::Debug {}

#[farlens::remote(fast)]
trait Fast {}

#[farlens::remote]
struct Thing;

fn main() {}
