//! Generates tonic's client and server from a description in Rust, so that nobody needs `protoc`.

use tonic_build::manual::{Builder, Method, Service};

/// Where the messages are, seen from the modules of the generated code.
const MESSAGES: &str = "crate::systems::tonic::messages";

fn main() {
    let method = |name: &str, route: &str, request: &str, response: &str| {
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type(format!("{MESSAGES}::{request}"))
            .output_type(format!("{MESSAGES}::{response}"))
            .codec_path("tonic_prost::ProstCodec")
    };
    let service = Service::builder()
        .package("bench")
        .name("Bench")
        .method(method("add", "Add", "Pair", "Sum").build())
        .method(method("piece", "Piece", "Pair", "Chunk").build())
        .method(method("bulk", "Bulk", "Origin", "Chunk").server_streaming().build())
        .method(method("entities", "Entities", "Everything", "Sample").server_streaming().build())
        .method(method("batches", "Batches", "Everything", "Batch").server_streaming().build())
        .build();
    Builder::new().compile(&[service]);
}
