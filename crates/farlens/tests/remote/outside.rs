//! Calls within one process, where no runtime runs.

use farlens::{Code, Result};
use futures::{FutureExt, Stream, StreamExt, stream};
use std::{panic::AssertUnwindSafe, time::Duration};

#[farlens::remote]
trait Counter {
    async fn one(&self) -> Result<u8>;
    #[farlens(one_way)]
    async fn note(&self) -> Result<()>;
    fn count(&self) -> impl Stream<Item = Result<u8>>;
    async fn itself(&self) -> Result<CounterRef>;
}

struct Plain;

impl Counter for Plain {
    async fn one(&self) -> Result<u8> {
        Ok(1)
    }

    async fn note(&self) -> Result<()> {
        Ok(())
    }

    fn count(&self) -> impl Stream<Item = Result<u8>> {
        stream::iter([Ok(1)])
    }

    async fn itself(&self) -> Result<CounterRef> {
        Ok(CounterRef::new(Self))
    }
}

/// What comes of something that is polled once, on a thread without a runtime.
fn code_of<T>(work: impl Future<Output = Result<T>>) -> Option<Code> {
    let polled = AssertUnwindSafe(work).catch_unwind().now_or_never();
    polled.expect("it waits for nothing").expect("it does not panic").err().map(|e| e.code())
}

#[test]
fn what_needs_a_runtime_and_has_none_says_so() {
    let counter = CounterRef::new(Plain);
    assert_eq!(code_of(counter.one()), None);
    assert_eq!(code_of(counter.with_timeout(Duration::from_secs(1)).one()), Some(Code::USAGE));
    assert_eq!(code_of(counter.note()), Some(Code::USAGE));
    assert_eq!(code_of(counter.pipeline().itself().one()), Some(Code::USAGE));
}

#[test]
fn a_stream_of_this_process_needs_no_runtime() {
    let counter = CounterRef::new(Plain);
    let mut counted = Box::pin(counter.count());
    assert_eq!(code_of(counted.next().map(|item| item.expect("there is one"))), None);
    assert!(counted.next().now_or_never().is_some_and(|end| end.is_none()));
}
