//! `known_servers`: whose key to expect where.
//!
//! ```text
//! # KEYID                   addresses                            name
//! k3fq77xapm2d…             192.168.0.12:5367,[2001:db8::12]:5367 gpu-box
//! ```

use super::{
    KeyId,
    trust_file::{Entry, TrustFile},
};
use crate::{Address, Code, Error, Result};
use std::{fmt, path::Path, sync::Arc};

/// A server whose key is known: a line `KEYID host:port[,host:port…] [name]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownServer {
    /// The key that it shows.
    pub key: KeyId,
    /// Where it was reached; at least one.
    pub addresses: Vec<Address>,
    /// What people call it here.
    pub name: Option<String>,
}

impl KnownServer {
    /// Characters of a name at most.
    const MAX_NAME_CHARS: usize = 64;

    /// An entry to [add](KnownServers::add).
    ///
    /// # Errors
    ///
    /// [`Code::BAD_CONFIG`] if there is no address, or the name is not 1 to 64 letters, digits,
    /// dots, hyphens and underscores.
    pub fn new(key: KeyId, addresses: Vec<Address>, name: Option<&str>) -> Result<Self> {
        if addresses.is_empty() {
            return Err(bad("it has no address"));
        }
        if let Some(name) = name.filter(|name| !usable_name(name)) {
            return Err(bad(&format!("{name:?} is no name for a server")));
        }
        Ok(Self { key, addresses, name: name.map(str::to_owned) })
    }
}

fn usable_name(name: &str) -> bool {
    let usable = |c: char| c.is_alphanumeric() || "._-".contains(c);
    (1..=KnownServer::MAX_NAME_CHARS).contains(&name.chars().count()) && name.chars().all(usable)
}

impl Entry for KnownServer {
    fn parse(content: &str, _comment: &str) -> Result<Self> {
        let mut words = content.split_whitespace();
        let key = words.next().unwrap_or_default().parse()?;
        let addresses = words.next().ok_or_else(|| bad("it has no address"))?;
        let addresses = addresses.split(',').map(str::parse).collect::<Result<_>>()?;
        let name = words.next();
        match words.next() {
            None => Self::new(key, addresses, name),
            Some(word) => Err(bad(&format!("{word:?} stands after the name"))),
        }
    }

    fn render(&self) -> String {
        let addresses: Vec<String> = self.addresses.iter().map(Address::to_string).collect();
        let name = self.name.as_deref().map(|name| format!(" {name}"));
        format!("{} {}{}", self.key, addresses.join(","), name.unwrap_or_default())
    }
}

fn bad(why: &str) -> Error {
    Error::new(Code::BAD_CONFIG, format!("this is no known server: {why}"))
        .with_hint("such a line is: KEYID host:port[,host:port…] [name]")
}

/// The servers that this side trusts. The file may be edited while it is in use.
///
/// Methods block on the file system; looking something up costs a `stat` and a walk over the lines.
pub struct KnownServers(TrustFile<KnownServer>);

impl KnownServers {
    /// Reads `path`. A missing file knows nobody.
    ///
    /// # Errors
    ///
    /// [`Code::BAD_CONFIG`], naming the line that makes no sense, or if others may write the file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        TrustFile::load(path.as_ref()).map(Self)
    }

    /// The servers known at `address`, in the order of the file. Each of their keys is fine there.
    ///
    /// # Errors
    ///
    /// As [`KnownServers::load`], if the file has become wrong meanwhile.
    pub fn lookup(&self, address: &Address) -> Result<Vec<KnownServer>> {
        Ok(self.matching(|server| server.addresses.contains(address))?.collect())
    }

    /// The keys to pin for `address`; empty if nobody is known there.
    ///
    /// # Errors
    ///
    /// As [`KnownServers::lookup`].
    pub fn pins(&self, address: &Address) -> Result<Vec<KeyId>> {
        Ok(self.lookup(address)?.into_iter().map(|server| server.key).collect())
    }

    /// The first server with this name.
    ///
    /// # Errors
    ///
    /// As [`KnownServers::lookup`].
    pub fn named(&self, name: &str) -> Result<Option<KnownServer>> {
        Ok(self.matching(|server| server.name.as_deref() == Some(name))?.next())
    }

    /// Every server, in the order of the file.
    ///
    /// # Errors
    ///
    /// As [`KnownServers::lookup`].
    pub fn servers(&self) -> Result<Arc<[KnownServer]>> {
        self.0.entries()
    }

    /// Writes a server down, durably, unless that very line is there.
    ///
    /// # Errors
    ///
    /// [`Code::BAD_CONFIG`] if the file is wrong or cannot be written.
    pub fn add(&self, server: &KnownServer) -> Result<()> {
        self.0.append(server)
    }

    fn matching(
        &self,
        wanted: impl Fn(&KnownServer) -> bool,
    ) -> Result<impl Iterator<Item = KnownServer>> {
        let servers = self.0.entries()?;
        let found: Vec<_> = servers.iter().filter(|server| wanted(server)).cloned().collect();
        Ok(found.into_iter())
    }
}

impl fmt::Debug for KnownServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KnownServers").field(&self.0.path()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{address::tests::any_address, tls::tests::any_key_id};
    use proptest::prelude::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    fn key(byte: u8) -> KeyId {
        KeyId::from_bytes([byte; 32])
    }

    fn server(byte: u8, address: &str, name: Option<&str>) -> KnownServer {
        KnownServer::new(key(byte), vec![address.parse().unwrap()], name).unwrap()
    }

    #[test]
    fn what_is_added_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config/known_servers");
        let known = KnownServers::load(&path).unwrap();
        assert_eq!(known.pins(&"lab".parse().unwrap()).unwrap(), []);
        let lab = server(1, "lab", Some("gpu-box"));
        for entry in [&lab, &lab, &server(2, "lab", None)] {
            known.add(entry).unwrap();
        }
        let again = KnownServers::load(&path).unwrap();
        for known in [known, again] {
            assert_eq!(known.servers().unwrap().len(), 2);
            assert_eq!(known.pins(&"LAB:5367".parse().unwrap()).unwrap(), [key(1), key(2)]);
            assert_eq!(known.named("gpu-box").unwrap().as_ref(), Some(&lab));
            assert_eq!(known.named("gpu").unwrap(), None);
        }
    }

    #[test]
    fn edits_by_hand_are_seen_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("known_servers");
        let known = KnownServers::load(&path).unwrap();
        let text = format!("# mine\n\n  {}   a:1,[::1]  box # note", key(1).grouped());
        fs::write(&path, &text).unwrap();
        let found = known.lookup(&"[::1]:5367".parse().unwrap()).unwrap();
        assert_eq!(found[0].name.as_deref(), Some("box"));
        known.add(&server(2, "b", None)).unwrap();
        let after = fs::read_to_string(&path).unwrap();
        assert_eq!(after, format!("{text}\n{} b:5367\n", key(2)));
        fs::write(&path, "").unwrap();
        assert_eq!(known.servers().unwrap().len(), 0);
        fs::remove_file(&path).unwrap();
        assert_eq!(known.servers().unwrap().len(), 0);
    }

    #[test]
    fn a_bad_line_is_named_until_it_is_mended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("known_servers");
        let good = server(1, "a", None).render();
        fs::write(&path, &good).unwrap();
        let known = KnownServers::load(&path).unwrap();
        for (line, part) in [
            ("xyz a:1".to_owned(), "key ID"),
            (key(2).to_string(), "no address"),
            (format!("{} a:0", key(2)), "65535"),
            (format!("{} a b c", key(2)), "\"c\""),
            (format!("{} a b:c", key(2)), "no name"),
        ] {
            fs::write(&path, format!("{good}\n\n{line}\n")).unwrap();
            for error in [
                known.servers().expect_err(part),
                known.add(&server(3, "a", None)).expect_err(part),
            ] {
                let text = error.to_string();
                assert_eq!(error.code(), Code::BAD_CONFIG);
                assert!(text.contains("known_servers, line 3") && text.contains(part), "{text}");
                assert!(error.hint().unwrap().contains("mend the line"));
            }
        }
        fs::write(&path, &good).unwrap();
        assert_eq!(known.servers().unwrap().len(), 1);
    }

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("known_servers");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let error = KnownServers::load(&path).expect_err("mode 0666");
        assert!(error.hint().unwrap().contains("chmod"), "{error:?}");
    }

    #[test]
    fn no_line_is_lost_among_writers() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("known_servers");
        std::thread::scope(|scope| {
            for byte in 0..16 {
                // One book per thread: only the lock file is shared, as between processes.
                let known = KnownServers::load(&path).unwrap();
                scope.spawn(move || known.add(&server(byte, "lab", None)).unwrap());
            }
        });
        assert_eq!(KnownServers::load(&path).unwrap().servers().unwrap().len(), 16);
    }

    proptest! {
        #[test]
        fn a_rendered_line_parses_to_the_same(
            key in any_key_id(),
            addresses in proptest::collection::vec(any_address(), 1..4),
            name in proptest::option::of("[\\p{L}0-9._-]{1,20}"),
        ) {
            let server = KnownServer::new(key, addresses, name.as_deref()).unwrap();
            prop_assert_eq!(KnownServer::parse(&server.render(), "").unwrap(), server);
        }
    }
}
