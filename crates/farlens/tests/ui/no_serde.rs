//! A parameter that does not describe itself and that serde does not know.

struct Gain(f32);

#[farlens::remote]
trait Probe {
    async fn set(&self, gain: Gain) -> farlens::Result<()>;
}

fn main() {}
