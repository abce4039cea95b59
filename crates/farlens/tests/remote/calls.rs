//! Methods that are awaited.

use crate::probe::{Alarm, AlarmRef, Dataset, Probe, ProbeError, ProbeRef, everywhere};
use farlens::{Code, Remote};
use parking_lot::Mutex;
use serde::Serialize;
use std::sync::Arc;

#[tokio::test]
async fn a_method_gives_what_the_handler_returns() {
    for (probe, _, _home) in everywhere().await {
        assert_eq!(probe.calibrate(4).await.unwrap(), 0.25);
        assert_eq!(probe.version().await.unwrap(), 1);
        assert_eq!(probe.names(1, 2, 3, 4).await.unwrap(), 10);
    }
}

#[tokio::test]
async fn an_error_of_a_handler_is_that_of_the_call() {
    for (probe, _, _home) in everywhere().await {
        let error = probe.calibrate(0).await.unwrap_err();
        assert_eq!(error.code(), Code::USAGE);
        assert_eq!(error.message(), "nothing to measure");
    }
}

#[tokio::test]
async fn j2_an_error_type_of_ones_own_travels_as_it_is() {
    for (probe, _, _home) in everywhere().await {
        let error = probe.dataset("lost".into()).await.map(drop).unwrap_err();
        assert_eq!(error, ProbeError::NoSuchSet { name: "lost".into() });
        let data = probe.dataset("all".into()).await.unwrap();
        assert_eq!(data.size().await.unwrap(), 100);
    }
}

struct Bell(Arc<Mutex<Vec<String>>>);

impl Alarm for Bell {
    async fn fired(&self, what: String) -> farlens::Result<()> {
        self.0.lock().push(what);
        Ok(())
    }
}

#[tokio::test]
async fn objects_are_passed_by_reference() {
    for (probe, _, _home) in everywhere().await {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let bell = AlarmRef::new(Bell(Arc::clone(&heard)));
        probe.watch(bell.clone()).await.unwrap();
        assert_eq!(*heard.lock(), ["watching"]);
        drop(bell);
        assert_eq!(Arc::strong_count(&heard), 1, "nobody has the bell any more");
    }
}

#[tokio::test]
async fn nobody_waits_for_a_one_way_method_and_its_order_is_kept() {
    for (probe, events, _home) in everywhere().await {
        for n in 0..3 {
            probe.note(format!("note {n}")).await.unwrap();
        }
        assert_eq!(probe.notes().await.unwrap(), ["note 0", "note 1", "note 2"]);
        events.noted.notified().await;
    }
}

#[tokio::test]
async fn j2_a_panic_is_an_error_without_its_text() {
    for (probe, _, _home) in everywhere().await {
        let error = probe.burst().await.unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::INTERNAL, "a handler failed inside"));
        assert_eq!(probe.calibrate(1).await.unwrap(), 1.0, "the object is still there");
    }
}

#[tokio::test]
async fn j1_a_method_that_there_is_not_runs_nothing() {
    for (probe, events, _home) in everywhere().await {
        let remote = Remote::from(probe);
        let error = remote.call::<_, ()>("recalibrate", &()).await.unwrap_err();
        assert_eq!(error.code(), Code::NO_SUCH_METHOD);
        assert_eq!(error.message(), "Probe has no method `recalibrate`");
        assert!(events.notes.lock().is_empty());
    }
}

#[derive(Serialize)]
struct Note {
    text: u8,
}

#[tokio::test]
async fn wrong_arguments_run_nothing_and_name_the_method() {
    for (probe, events, _home) in everywhere().await {
        let remote = Remote::from(probe);
        let error = remote.call::<_, ()>("calibrate", &Note { text: 200 }).await.unwrap_err();
        assert_eq!(error.code(), Code::MALFORMED);
        assert!(error.message().contains("`calibrate`"), "{error}");
        assert!(events.notes.lock().is_empty());
    }
}

#[tokio::test]
async fn an_untyped_handle_calls_by_name() {
    #[derive(Serialize)]
    struct Arguments {
        n: u32,
    }
    for (probe, _, _home) in everywhere().await {
        let remote = Remote::from(probe);
        let value: f64 = remote.call("calibrate", &Arguments { n: 8 }).await.unwrap();
        assert_eq!(value, 0.125);
        assert_eq!(ProbeRef::from(remote).calibrate(2).await.unwrap(), 0.5);
    }
}

#[tokio::test]
async fn who_passes_too_much_at_once_is_told_what_to_do() {
    let [_, (probe, _, _home)] = everywhere().await;
    let error = probe.dataset("x".repeat(2 << 20)).await.map(drop).unwrap_err();
    assert!(matches!(error, ProbeError::System { code, .. } if code == Code::TOO_LARGE.number()));
    let error = probe.note("x".repeat(2 << 20)).await.unwrap_err();
    assert_eq!(error.code(), Code::TOO_LARGE);
    assert!(error.hint().is_some_and(|hint| hint.contains("as a stream")), "{error:?}");
}
