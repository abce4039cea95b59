//! Generates what tonic and capnp-rpc call code generation for, without `protoc` and `capnp`.

use std::{env, error::Error, fs::File};
use tonic_build::manual::{Builder, Method, Service};

/// Where tonic's messages are, seen from the modules of the generated code.
const MESSAGES: &str = "crate::systems::tonic::messages";
/// What `capnp` makes of `bench.capnp`.
const REQUEST: &str = "bench.capnp.request";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={REQUEST}");
    Builder::new().compile(&[service()]);
    capnpc::codegen::CodeGenerationCommand::new()
        .output_directory(env::var("OUT_DIR")?)
        .default_parent_module(vec!["systems".to_owned(), "capnp".to_owned()])
        .run(File::open(REQUEST)?)?;
    Ok(())
}

/// tonic's service, with messages that are written by hand.
fn service() -> Service {
    let method = |name: &str, route: &str, request: &str, response: &str| {
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type(format!("{MESSAGES}::{request}"))
            .output_type(format!("{MESSAGES}::{response}"))
            .codec_path("tonic_prost::ProstCodec")
    };
    Service::builder()
        .package("bench")
        .name("Bench")
        .method(method("echo", "Echo", "Chunk", "Chunk").build())
        .method(method("piece", "Piece", "Pair", "Chunk").build())
        .method(method("bulk", "Bulk", "Origin", "Chunk").server_streaming().build())
        .method(method("quiet", "Quiet", "Nothing", "Chunk").server_streaming().build())
        .method(method("log", "Log", "Nothing", "Chunk").server_streaming().build())
        .method(method("write", "Write", "Chunk", "Sum").client_streaming().build())
        .method(method("entities", "Entities", "Count", "Sample").server_streaming().build())
        .method(method("batches", "Batches", "Count", "Batch").server_streaming().build())
        .build()
}
