//! An error type of one's own that cannot hold a failure of the link.

#[derive(serde::Serialize, serde::Deserialize, farlens::Schema)]
enum ProbeError {
    Broken,
}

#[farlens::remote]
trait Probe {
    async fn set(&self) -> Result<(), ProbeError>;
}

fn main() {}
