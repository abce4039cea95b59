//! A parameter that serde knows and that does not describe itself.

#[derive(serde::Serialize, serde::Deserialize)]
struct Gain(f32);

#[farlens::remote]
trait Probe {
    async fn set(&self, gain: Gain) -> farlens::Result<()>;
}

fn main() {}
