//! Callers and objects that were built with different versions of a trait.

use farlens::{Code, Remote};

mod old {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, farlens::Schema)]
    pub(super) struct Reading {
        pub(super) value: f32,
    }

    #[farlens::remote]
    pub(super) trait Probe {
        async fn read(&self, channel: u8, gain: f32) -> farlens::Result<Reading>;
        async fn reset(&self, hard: bool) -> farlens::Result<()>;
        async fn gone(&self) -> farlens::Result<()>;
        async fn status(&self, channel: u8) -> Result<Status, Fault>;
    }

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, farlens::Schema)]
    pub(super) struct Status {
        pub(super) samples: u64,
    }

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, farlens::Schema)]
    pub(super) enum Fault {
        Unknown,
        Off { since: u64 },
    }

    impl From<farlens::Error> for Fault {
        fn from(_: farlens::Error) -> Self {
            Self::Unknown
        }
    }
}

mod new {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, farlens::Schema)]
    pub(super) struct Reading {
        pub(super) at: u64,
        pub(super) value: f64,
        #[serde(default)]
        pub(super) unit: Option<String>,
    }

    #[farlens::remote]
    pub(super) trait Probe {
        async fn fresh(&self) -> farlens::Result<()>;
        async fn read(
            &self,
            gain: f32,
            channel: u16,
            unit: Option<String>,
        ) -> farlens::Result<Reading>;
        async fn reset(&self, level: String) -> farlens::Result<()>;
        async fn status(&self, deep: Option<bool>, channel: u16) -> Result<Status, Fault>;
    }

    #[derive(serde::Serialize, serde::Deserialize, farlens::Schema)]
    pub(super) struct Status {
        pub(super) deep: bool,
        pub(super) samples: u32,
    }

    #[derive(serde::Serialize, serde::Deserialize, farlens::Schema)]
    pub(super) enum Fault {
        Off { by: String, since: u32 },
        Unknown,
    }

    impl From<farlens::Error> for Fault {
        fn from(_: farlens::Error) -> Self {
            Self::Unknown
        }
    }
}

struct Device;

impl new::Probe for Device {
    async fn fresh(&self) -> farlens::Result<()> {
        Ok(())
    }

    async fn read(
        &self,
        gain: f32,
        channel: u16,
        unit: Option<String>,
    ) -> farlens::Result<new::Reading> {
        Ok(new::Reading { at: 7, value: f64::from(gain) * f64::from(channel), unit })
    }

    async fn reset(&self, _: String) -> farlens::Result<()> {
        unreachable!("no call fits")
    }

    async fn status(&self, deep: Option<bool>, channel: u16) -> Result<new::Status, new::Fault> {
        if channel == 0 {
            return Err(new::Fault::Off { by: "hand".into(), since: 12 });
        }
        Ok(new::Status { deep: deep.unwrap_or(false), samples: u32::from(channel) * 100 })
    }
}

fn old_handle_of_a_new_object() -> old::ProbeRef {
    Remote::from(new::ProbeRef::new(Device)).into()
}

#[tokio::test]
async fn parameters_answers_and_errors_are_read_by_name() {
    let probe = old_handle_of_a_new_object();
    for _ in 0..2 {
        let status = old::Probe::status(&probe, 3).await;
        assert_eq!(status, Ok(old::Status { samples: 300 }));
        let fault = old::Probe::status(&probe, 0).await;
        assert_eq!(fault, Err(old::Fault::Off { since: 12 }));
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_named() {
    let probe = old_handle_of_a_new_object();
    let error = old::Probe::read(&probe, 3, 0.5).await.unwrap_err();
    assert_eq!(error.code(), Code::SCHEMA_MISMATCH);
    assert!(error.message().starts_with("the answer of `read` cannot be read"), "{error}");
}

#[tokio::test]
async fn what_does_not_fit_runs_nothing_and_is_named() {
    let probe = old_handle_of_a_new_object();
    let error = old::Probe::reset(&probe, true).await.unwrap_err();
    assert_eq!(error.code(), Code::SCHEMA_MISMATCH);
    assert!(error.message().starts_with("the arguments of `reset`"), "{error}");
    assert!(error.message().contains("Probe.reset"), "{error}");
    let error = old::Probe::gone(&probe).await.unwrap_err();
    assert_eq!(error.code(), Code::NO_SUCH_METHOD);
}
