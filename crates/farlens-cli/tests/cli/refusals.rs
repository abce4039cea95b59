//! What is refused: with one typed error, a hint, and the number that stands in the table.

use crate::process::{Home, Running, failure, stderr};
use std::process::Output;

#[track_caller]
fn refused(output: &Output, exit: i32, code: &str, kind: &str) {
    let (found, error) = failure(output);
    assert_eq!((found, error["code"].as_str()), (Some(exit), Some(code)), "{error}");
    assert_eq!(error["kind"], kind);
    assert!(!error["message"].as_str().expect("text").is_empty());
    assert!(error["hint"].is_string(), "{error}");
    assert!(error["retryable"].is_boolean());
    assert!(output.stdout.is_empty());
}

#[test]
fn who_is_not_let_in_is_told_so() {
    let home = Home::new();
    let served = home.serve_path(&home.write("x", "x"));
    let known = served.url("/x", Some(&served.key));
    refused(&home.run_as("other", ["--json", "cat", &known]), 4, "E0401", "not_authorized");
    assert_eq!(home.ok(["cat", &served.ticket]), b"x");
    assert_eq!(home.ok(["cat", &served.ticket]), b"x", "an enrolled client may come again");
    assert_eq!(home.ok(["cat", &known]), b"x", "also without the ticket");
    let used = home.run_as("other", ["--json", "cat", &served.ticket]);
    refused(&used, 4, "E0404", "bad_invite");
    refused(&home.run_as("other", ["--json", "cat", &known]), 4, "E0401", "not_authorized");
}

#[test]
fn an_enrolled_client_outlives_the_server() {
    let home = Home::new();
    let path = home.write("x", "x");
    let first = home.serve_path(&path);
    assert_eq!(home.ok(["cat", &first.ticket]), b"x");
    drop(first);
    let second = home.serve_path(&path);
    assert_eq!(home.ok(["cat", &second.url("/x", Some(&second.key))]), b"x");
}

#[test]
fn a_server_with_another_key_is_not_trusted() {
    let home = Home::new();
    let served = home.serve_path(&home.write("x", "x"));
    let id = String::from_utf8(home.ok(["id", "--json"])).expect("text");
    let key = id.split('"').nth(3).expect("the first value");
    let wrong = home.run(["--json", "cat", &served.url("/x", Some(key))]);
    refused(&wrong, 5, "E0502", "server_changed");
    let unknown = home.run(["--json", "cat", &served.url("/x", None)]);
    refused(&unknown, 5, "E0501", "unknown_server");
}

#[test]
fn what_is_not_there_is_not_found() {
    let home = Home::new();
    let served = home.serve_path(home.write("d/x", "x").parent().expect("it has one"));
    for verb in ["cat", "iter", "ls", "stat"] {
        refused(&home.run(["--json", verb, &served.at("/nope")]), 3, "E0301", "not_found");
    }
    refused(&home.run(["--json", "cat", &served.ticket]), 3, "E0301", "not_found");
    let output = home.run(["cat", "-q", &served.at("/nope")]);
    let text = "error: nothing is published at /nope\n  at / there is: x\n  [E0301] (exit 3)\n";
    assert_eq!(stderr(&output), text);
}

#[test]
fn bad_usage_is_named() {
    let home = Home::new();
    let bad = |args: &[&str], code| {
        let output = home.run([args, &["--json"]].concat());
        let kind = if code == "E0101" { "usage" } else { "bad_address" };
        refused(&output, 2, code, kind);
    };
    bad(&["cat", "http://lab/x"], "E0102");
    bad(&["cat", "farlens://lab:99999/"], "E0102");
    bad(&["cat", "farlens://lab/../x"], "E0102");
    bad(&["cat", "fls1nonsense"], "E0102");
    bad(&["cat"], "E0101");
    bad(&["cat", "--range", "x", "farlens://lab/"], "E0101");
    bad(&["serve"], "E0101");
    bad(&["serve", "/no/such/file"], "E0101");
    bad(&["nonsense"], "E0101");
    bad(&["cat", "--nonsense"], "E0101");
    let human = home.run(["cat", "--nonsense"]);
    assert_eq!(human.status.code(), Some(2));
    assert!(stderr(&human).starts_with("error: unexpected argument"));
}

#[test]
fn a_port_in_use_cannot_be_served_on() {
    let home = Home::new();
    let path = home.write("x", "x");
    let served = home.serve_path(&path);
    let path = path.to_str().expect("text");
    let again = home.run(["--json", "serve", path, "--listen", &served.addr]);
    refused(&again, 2, "E0104", "cannot_listen");
}

#[test]
fn where_nobody_listens_there_is_no_link() {
    let home = Home::new();
    let mut served = home.serve_path(&home.write("x", "x"));
    served.process.kill();
    served.process.end();
    let output = home.run(["--json", "cat", &served.ticket]);
    refused(&output, 6, "E0601", "cannot_connect");
    assert!(failure(&output).1["retryable"].as_bool().expect("a bool"));
}

#[test]
fn an_unsafe_key_file_is_refused() {
    let home = Home::new();
    home.write("client/farlens/identity.key", "no key");
    let output = home.run(["id", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(failure(&output).1["code"], "E0103");
}

#[test]
fn a_server_says_for_how_long_it_lets_clients_in() {
    let home = Home::new();
    let path = home.write("x", "x");
    let mut command = home.command("server");
    let mut served = Running::start(command.args(["serve", "--listen", "127.0.0.1:0"]).arg(path));
    assert!(served.line().starts_with("fls1"));
    served.terminate();
    let (exit, text) = served.end();
    let file = home.path("server/farlens/authorized_clients").display().to_string();
    assert!(exit == 0 && text.contains("for good") && text.contains(&file), "{text}");
}

#[test]
fn help_is_data_and_no_failure() {
    let home = Home::new();
    let help = String::from_utf8(home.ok(["help", "exit-codes"])).expect("text");
    assert!(help.contains("    6  cannot connect, link lost, or timeout"), "{help}");
    let serve = String::from_utf8(home.ok(["serve", "--help"])).expect("text");
    assert!(serve.contains("--follow") && serve.contains("authorized_clients"));
    home.ok(["--version"]);
}
