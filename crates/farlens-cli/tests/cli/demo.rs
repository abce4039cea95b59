//! `demo`: one process without configuration, which leaves nothing behind.

use crate::process::{Home, finished, stderr};
use serde_json::Value;

#[test]
fn the_demo_passes_and_cleans_up() {
    let home = Home::new();
    let folder = home.path("tmp");
    std::fs::create_dir(&folder).expect("a folder");
    let mut command = home.command("nobody");
    command.args(["demo", "--json"]).env("TMPDIR", &folder);
    let output = finished(&mut command);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).expect("text");
    let steps: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for name in ["ranges", "seek", "iterate", "watch", "read", "compare", "shutdown", "done"] {
        assert!(steps.iter().any(|step| step["name"] == name), "{name} is missing: {text}");
    }
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 0);
    assert!(!home.path("nobody").exists(), "no configuration is needed or made");
}
