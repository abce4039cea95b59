//! Data that never changes.

use super::*;
use crate::data::FixedData;
use farlens_proto::BatchBuilder;

pub(super) struct Fixed(pub(super) Kind);

impl Subject for Fixed {
    type Data = FixedData;
    type Keep = ();

    async fn make(&self, elements: u64) -> (FixedData, ()) {
        let data = match self.0 {
            Kind::Bytes => FixedData::bytes((0..elements).map(byte_at).collect::<Vec<_>>()),
            Kind::Items => {
                let mut batch = BatchBuilder::default();
                (0..elements).for_each(|n| batch.push(&entity_at(n)));
                FixedData::encoded(batch.finish())
            }
        };
        (data, ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        element(self.0, n)
    }
}

#[tokio::test(start_paused = true)]
async fn fixed_data_conforms() {
    for kind in [Kind::Bytes, Kind::Items] {
        assert!(passed(&check(&Fixed(kind)).await) >= 20);
    }
}

/// Numbers with a schema.
struct Numbers;

impl Subject for Numbers {
    type Data = FixedData;
    type Keep = ();

    async fn make(&self, elements: u64) -> (FixedData, ()) {
        (FixedData::items(0..elements).expect("numbers can be encoded"), ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        let mut encoded = Vec::new();
        farlens_wire::Element::encode(&n, &mut encoded).expect("numbers can be encoded");
        encoded
    }
}

#[tokio::test(start_paused = true)]
async fn typed_data_conforms() {
    assert!(passed(&check(&Numbers).await) >= 20);
}
