//! The README shows programs that compile: its text holds them to the letter.

#[path = "../examples/probe/object.rs"]
mod object;

use farlens::schema::SchemaDoc;

const README: &str = include_str!("../../README.md");

fn is_shown(program: &str) {
    assert!(program.lines().count() < 15, "short enough to be read at a glance");
    assert!(README.contains(&format!("```rust\n{program}```\n")), "README.md lacks:\n{program}");
}

#[test]
fn the_server_is_shown() {
    is_shown(include_str!("../examples/readme_server.rs"));
}

#[test]
fn the_client_is_shown() {
    is_shown(include_str!("../examples/readme_client.rs"));
}

#[test]
fn the_two_commands_are_shown() {
    for command in ["cargo run --release -- demo", "cargo xtask test"] {
        assert!(README.contains(&format!("\n{command}")), "{command}");
    }
}

#[test]
fn the_object_is_shown_as_it_describes_itself() {
    let doc = SchemaDoc::of::<object::ProbeRef>();
    let head = format!("object /probe : Probe  (schema {}…)", &doc.fingerprint().to_string()[..8]);
    assert!(README.contains(&format!("\n{head}\n")), "{head}");
    let probe = doc.interface_of(doc.root()).expect("it is an interface");
    for method in &probe.methods {
        let signature = doc.signature(method).to_string();
        assert!(README.contains(&format!("\n  {signature}")), "{signature}");
        assert!(README.contains(&format!("  {}\n", method.doc)), "{}", method.doc);
    }
}
