//! Foreign TLS clients at the door: the server itself closes the connection. Needs `openssl`.

use crate::process::{Home, Running, Served};
use std::{
    io::Read,
    path::Path,
    process::{Command, Stdio},
};

fn have_openssl() -> bool {
    let found = Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_ok();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "there is no openssl command");
        println!("skipped: there is no openssl command");
    }
    found
}

/// A TLS client that stays as long as it is let, with its standard input open.
fn client(served: &Served, args: &[&str]) -> Running {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &served.addr]).args(args).stdin(Stdio::piped());
    Running::start(&mut command)
}

/// What the client saw until the server closed the connection.
fn until_closed(mut client: Running) -> String {
    let mut seen = String::new();
    client.out.read_to_string(&mut seen).expect("text");
    seen + &client.end().1
}

/// An enrolled client's key and a certificate for it.
fn enrolled(home: &Home, served: &Served) -> [String; 2] {
    assert_eq!(home.ok(["cat", &served.ticket]), b"x");
    let key = home.path("client/farlens/identity.key");
    let certificate = home.path("certificate.pem");
    let text = |path: &Path| path.to_str().expect("text").to_owned();
    let args = ["req", "-x509", "-new", "-days", "1", "-subj", "/CN=x", "-key"];
    let mut command = Command::new("openssl");
    command.args(args).arg(&key).arg("-out").arg(&certificate).stderr(Stdio::null());
    assert!(command.status().expect("openssl").success());
    [text(&key), text(&certificate)]
}

#[test]
fn tls_1_2_is_refused() {
    if !have_openssl() {
        return;
    }
    let home = Home::new();
    let served = home.serve_path(&home.write("x", "x"));
    let [key, certificate] = enrolled(&home, &served);
    let args = ["-tls1_2", "-alpn", "farlens/1", "-key", &key, "-cert", &certificate];
    let seen = until_closed(client(&served, &args));
    assert!(seen.contains("alert protocol version"), "{seen}");
}

#[test]
fn no_certificate_is_refused() {
    if !have_openssl() {
        return;
    }
    let home = Home::new();
    let served = home.serve_path(&home.write("x", "x"));
    let seen = until_closed(client(&served, &["-tls1_3", "-alpn", "farlens/1"]));
    assert!(seen.contains("alert certificate required"), "{seen}");
}

#[test]
fn an_enrolled_key_without_alpn_is_refused() {
    if !have_openssl() {
        return;
    }
    let home = Home::new();
    let served = home.serve_path(&home.write("x", "x"));
    let [key, certificate] = enrolled(&home, &served);
    let identity = ["-tls1_3", "-key", &key, "-cert", &certificate];
    // With the protocol's name the same client is let through TLS.
    let mut named = client(&served, &[&identity[..], &["-alpn", "farlens/1"]].concat());
    while named.line() != "ALPN protocol: farlens/1\n" {}
    let seen = until_closed(client(&served, &identity));
    assert!(seen.contains("No ALPN negotiated"), "{seen}");
    let seen = until_closed(client(&served, &[&identity[..], &["-alpn", "h2"]].concat()));
    assert!(seen.contains("alert no application protocol"), "{seen}");
}
