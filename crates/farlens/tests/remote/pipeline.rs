//! Calls on what an earlier call will answer.

use crate::probe::{Dataset, everywhere};
use farlens::Code;

#[tokio::test]
async fn what_is_not_there_yet_can_be_called() {
    for (probe, _, _home) in everywhere().await {
        let data = probe.pipeline().dataset("all".into());
        let part = data.pipeline().part(10).pipeline().part(20);
        assert_eq!(part.size().await.unwrap(), 70);
        assert_eq!(data.size().await.unwrap(), 100);
    }
}

#[tokio::test]
async fn what_comes_to_nothing_fails_whatever_is_called_on_it() {
    for (probe, _, _home) in everywhere().await {
        let data = probe.pipeline().dataset("all".into()).pipeline().part(101);
        for _ in 0..2 {
            let error = data.size().await.unwrap_err();
            assert_eq!((error.code(), error.message()), (Code::OUT_OF_RANGE, "there are fewer"));
        }
        let lost = probe.pipeline().dataset("lost".into());
        assert_eq!(lost.size().await.unwrap_err().code(), Code::NO_SUCH_OBJECT);
    }
}

/// Data that is called like a reference and is none.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, farlens::Schema)]
struct PageRef {
    number: u8,
}

#[farlens::remote]
trait Book {
    async fn page(&self) -> farlens::Result<PageRef>;
}

struct Short;

impl Book for Short {
    async fn page(&self) -> farlens::Result<PageRef> {
        Ok(PageRef { number: 1 })
    }
}

#[tokio::test]
async fn data_may_be_called_like_a_reference() {
    assert_eq!(BookRef::new(Short).page().await.unwrap(), PageRef { number: 1 });
}
