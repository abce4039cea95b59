//! The README shows programs that compile: its text holds them to the letter.

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
