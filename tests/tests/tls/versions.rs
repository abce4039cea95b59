//! Objects over a link between programs that know different versions of a trait.

use crate::{House, guarded};
use farlens::{Code, Server, Verb};

mod old {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, farlens::Schema)]
    pub(super) struct Reading {
        pub(super) value: f64,
    }

    #[farlens::remote]
    pub(super) trait Probe {
        async fn read(&self, channel: u8) -> farlens::Result<Reading>;
        async fn other(&self) -> farlens::Result<ProbeRef>;
        async fn gone(&self) -> farlens::Result<()>;
    }
}

mod new {
    #[derive(serde::Serialize, serde::Deserialize, farlens::Schema)]
    pub(super) struct Reading {
        pub(super) unit: String,
        pub(super) value: f32,
    }

    #[farlens::remote]
    pub(super) trait Probe {
        async fn other(&self) -> farlens::Result<ProbeRef>;
        async fn read(&self, unit: Option<String>, channel: u32) -> farlens::Result<Reading>;
    }
}

struct Device;

impl new::Probe for Device {
    async fn other(&self) -> farlens::Result<new::ProbeRef> {
        Ok(new::ProbeRef::new(Self))
    }

    async fn read(&self, unit: Option<String>, channel: u32) -> farlens::Result<new::Reading> {
        Ok(new::Reading { unit: unit.unwrap_or_else(|| "mm".into()), value: channel as f32 / 2.0 })
    }
}

#[tokio::test]
async fn an_old_client_calls_a_new_object() {
    let device = new::ProbeRef::new(Device);
    let house = House::open(Server::builder().publish("/device", device)).await;
    let link = house.link_to(&[Verb::Read, Verb::Call]).await;
    let probe: old::ProbeRef = guarded(link.object("/device")).await.unwrap();
    for channel in [3, 5] {
        let reading = guarded(old::Probe::read(&probe, channel)).await.unwrap();
        assert_eq!(reading, old::Reading { value: f64::from(channel) / 2.0 });
    }
    let error = guarded(old::Probe::gone(&probe)).await.unwrap_err();
    assert_eq!(error.code(), Code::NO_SUCH_METHOD);
    let other = probe.pipeline().other();
    let reading = guarded(old::Probe::read(&other, 7)).await.unwrap();
    assert_eq!(reading, old::Reading { value: 3.5 });
    drop((probe, other, link));
    house.is_well().await;
}
