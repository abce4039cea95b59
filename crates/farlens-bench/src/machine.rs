//! What was measured on, and with which versions.

use std::fs;

/// This program's own lock, which holds the versions of all that it measures.
const LOCK: &str = include_str!("../Cargo.lock");
/// What is worth knowing of it.
const MEASURED: [&str; 12] = [
    "farlens",
    "tonic",
    "remoc",
    "capnp-rpc",
    "tarpc",
    "hyper",
    "h2",
    "tokio",
    "tokio-rustls",
    "rustls",
    "aws-lc-rs",
    "postcard",
];

/// The class of this machine: processor, how many of them, and the kernel.
pub(crate) fn describe() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = || processors.lines().filter_map(|line| line.strip_prefix("model name"));
    let model = models()
        .next()
        .map_or("an unknown processor", |model| model.trim_matches([':', ' ', '\t']));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {} processors, Linux {}", models().count(), kernel.trim())
}

/// The versions of what is measured, in a line.
pub(crate) fn versions() -> String {
    let packages = LOCK.split("[[package]]").filter_map(|package| {
        let field = |name: &str| package.lines().find_map(|line| line.strip_prefix(name));
        let quoted = |name| field(name).map(|text| text.trim_matches('"'));
        Some((quoted("name = ")?, quoted("version = ")?))
    });
    let mut found: Vec<_> = packages
        .filter_map(|(name, version)| {
            let place = MEASURED.iter().position(|measured| *measured == name)?;
            Some((place, format!("{name} {version}")))
        })
        .collect();
    found.sort();
    let versions: Vec<_> = found.into_iter().map(|(_, version)| version).collect();
    versions.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_has_a_version() {
        let versions = versions();
        for name in MEASURED {
            assert!(versions.contains(&format!("{name} ")), "{name} is not in {versions}");
        }
    }
}
