//! `authorized_clients`: what the holder of a key may do here.
//!
//! ```text
//! # KEYID        grants                              # who
//! k9d1vtm5…      read /scans/**; read,write /inbox   # alice-laptop
//! ```

use super::{
    KeyId,
    trust_file::{Entry, TrustFile},
};
use crate::{Code, Error, Grant, RemotePath, Result, Verb};
use std::{fmt, path::Path, sync::Arc};

/// A client that may do something: a line `KEYID grants… [# note]`, with grants as in [`Grant`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthorizedClient {
    /// The key that it proves.
    pub key: KeyId,
    /// What it may do; at least one.
    pub grants: Vec<Grant>,
    /// Who that is, for people. Empty if nobody said.
    pub note: String,
}

impl AuthorizedClient {
    /// Characters of a note at most; longer ones are cut.
    const MAX_NOTE_CHARS: usize = 128;

    /// An entry to [add](AuthorizedClients::add).
    ///
    /// The note may come from the client itself: it is cut at 128 characters, and characters that
    /// control a terminal or end a line become `?`.
    ///
    /// # Errors
    ///
    /// [`Code::BAD_CONFIG`] if there is no grant.
    pub fn new(key: KeyId, grants: Vec<Grant>, note: &str) -> Result<Self> {
        if grants.is_empty() {
            return Err(Error::new(Code::BAD_CONFIG, "an authorised client has no grant")
                .with_hint("such a line is: KEYID read /path/** [# who]"));
        }
        Ok(Self { key, grants, note: clean(note) })
    }

    /// Whether one of the grants allows `verb` at `path`.
    #[must_use]
    pub fn allows(&self, verb: Verb, path: &RemotePath) -> bool {
        self.grants.iter().any(|grant| grant.allows(verb, path))
    }
}

fn clean(note: &str) -> String {
    let visible = |c: char| if c.is_control() { '?' } else { c };
    let cut: String =
        note.trim().chars().take(AuthorizedClient::MAX_NOTE_CHARS).map(visible).collect();
    cut.trim_end().to_owned()
}

impl Entry for AuthorizedClient {
    fn parse(content: &str, comment: &str) -> Result<Self> {
        let (key, grants) = content.split_once([' ', '\t']).unwrap_or((content, ""));
        Self::new(key.parse()?, Grant::parse_list(grants)?, comment)
    }

    fn render(&self) -> String {
        let grants: Vec<String> = self.grants.iter().map(Grant::to_string).collect();
        let note = if self.note.is_empty() { String::new() } else { format!(" # {}", self.note) };
        format!("{} {}{note}", self.key, grants.join("; "))
    }
}

/// The clients that a server lets in. The file may be edited while it is in use.
///
/// A file with an error lets nobody new in: had somebody been removed in the same edit, keeping the
/// old content would let them back. Methods block on the file system; looking something up costs a
/// `stat` and a walk over the lines.
pub struct AuthorizedClients(TrustFile<AuthorizedClient>);

impl AuthorizedClients {
    /// Reads `path`. A missing file authorises nobody.
    ///
    /// # Errors
    ///
    /// [`Code::BAD_CONFIG`], naming the line that makes no sense, or if others may write the file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        TrustFile::load(path.as_ref()).map(Self)
    }

    /// What the holder of `key` may do, all its lines taken together; none if it has no line.
    ///
    /// # Errors
    ///
    /// As [`AuthorizedClients::load`], if the file has become wrong meanwhile.
    pub fn lookup(&self, key: &KeyId) -> Result<Option<AuthorizedClient>> {
        let clients = self.0.entries()?;
        let mut lines = clients.iter().filter(|client| client.key == *key);
        let Some(mut found) = lines.next().cloned() else { return Ok(None) };
        found.grants.extend(lines.flat_map(|line| line.grants.iter().cloned()));
        Ok(Some(found))
    }

    /// Every line, in the order of the file.
    ///
    /// # Errors
    ///
    /// As [`AuthorizedClients::lookup`].
    pub fn clients(&self) -> Result<Arc<[AuthorizedClient]>> {
        self.0.entries()
    }

    /// Writes a client down, durably, unless that very line is there.
    ///
    /// # Errors
    ///
    /// [`Code::BAD_CONFIG`] if the file is wrong or cannot be written; nobody is authorised then.
    pub fn add(&self, client: &AuthorizedClient) -> Result<()> {
        self.0.append(client)
    }
}

impl fmt::Debug for AuthorizedClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AuthorizedClients").field(&self.0.path()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pattern, path::tests::any_path, tls::tests::any_key_id};
    use proptest::prelude::*;
    use std::fs;

    fn key(byte: u8) -> KeyId {
        KeyId::from_bytes([byte; 32])
    }

    fn client(byte: u8, grants: &str, note: &str) -> AuthorizedClient {
        AuthorizedClient::new(key(byte), Grant::parse_list(grants).unwrap(), note).unwrap()
    }

    fn path(text: &str) -> RemotePath {
        RemotePath::new(text).unwrap()
    }

    #[test]
    fn lines_of_one_key_add_up() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("authorized_clients");
        let clients = AuthorizedClients::load(&file).unwrap();
        assert_eq!(clients.lookup(&key(1)).unwrap(), None);
        clients.add(&client(1, "read /scans/**", "alice-laptop")).unwrap();
        clients.add(&client(2, "read /**", "")).unwrap();
        clients.add(&client(1, "write /inbox", "")).unwrap();
        let alice = clients.lookup(&key(1)).unwrap().unwrap();
        assert_eq!(alice.note, "alice-laptop");
        assert!(alice.allows(Verb::Read, &path("/scans/ct.raw")));
        assert!(alice.allows(Verb::Append, &path("/inbox")));
        assert!(!alice.allows(Verb::Write, &path("/scans/ct.raw")));
        assert!(!alice.allows(Verb::Read, &path("/")));
    }

    #[test]
    fn a_removed_line_ends_the_right() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("authorized_clients");
        let clients = AuthorizedClients::load(&file).unwrap();
        clients.add(&client(1, "read /**", "")).unwrap();
        assert!(clients.lookup(&key(1)).unwrap().is_some());
        fs::write(&file, "# nobody\n").unwrap();
        assert_eq!(clients.lookup(&key(1)).unwrap(), None);
    }

    #[test]
    fn a_bad_line_lets_nobody_in() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("authorized_clients");
        let clients = AuthorizedClients::load(&file).unwrap();
        clients.add(&client(1, "read /**", "")).unwrap();
        let good = fs::read_to_string(&file).unwrap();
        for (line, part) in [
            (key(2).to_string(), "no grant"),
            (format!("{} # read /a", key(2)), "no grant"),
            (format!("{} reed /a", key(2)), "\"reed\""),
            ("nobody read /a".to_owned(), "key ID"),
        ] {
            fs::write(&file, format!("{good}{line}\n")).unwrap();
            let text = clients.lookup(&key(1)).expect_err(part).to_string();
            assert!(text.contains("authorized_clients, line 2") && text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_note_stays_on_its_line() {
        let hostile = format!("x\n{} read /**\r\u{1b}[2J # y", key(9));
        let line = client(1, "read /a", &hostile).render();
        assert_eq!(line.lines().count(), 1);
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(client(1, "read /a", &"n".repeat(500)).render().len() < 250);
    }

    proptest! {
        #[test]
        fn a_rendered_line_parses_to_the_same(
            key in any_key_id(),
            paths in proptest::collection::vec(any_path(), 1..4),
            note in ".*",
        ) {
            let grants = paths
                .iter()
                .map(|path| Grant { verb: Verb::Call, pattern: Pattern::beneath(path) })
                .collect();
            let client = AuthorizedClient::new(key, grants, &note).unwrap();
            let line = client.render();
            let (content, comment) = line.split_once('#').unwrap_or((&line, ""));
            prop_assert_eq!(AuthorizedClient::parse(content.trim(), comment.trim()).unwrap(), client);
        }
    }
}
