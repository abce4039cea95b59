//! Our own key: where it is kept, and the certificate that carries it through TLS.
//!
//! Only the key lasts. The certificate around it is signed by itself and made afresh whenever the
//! key is loaded, since the other side looks at the key and at nothing else.

use super::{KeyId, provider};
use crate::{Code, Error, Result, private};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use std::{
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};
use zeroize::Zeroizing;

/// Longer than any PKCS#8 key that TLS can use.
const MAX_FILE_BYTES: u64 = 64 << 10;
/// Clocks of two machines differ; the certificate is valid a little before it is made.
const CLOCK_SLACK: Duration = Duration::from_secs(5 * 60);
/// Long enough for any process, and a sane date for tools that look.
const VALIDITY: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// The key of this side. A clone shares it; `Debug` shows the [`KeyId`] only.
///
/// New keys are ECDSA on P-256. A file may hold any key that TLS 1.3 can sign with: P-256, P-384,
/// Ed25519 or RSA, as `openssl genpkey` writes them.
#[derive(Clone)]
pub struct Identity {
    key_id: KeyId,
    certified: Arc<CertifiedKey>,
}

impl Identity {
    /// A fresh key that is kept nowhere.
    ///
    /// # Errors
    ///
    /// [`Code::INTERNAL`] if the system gives no random bytes.
    pub fn generate() -> Result<Self> {
        Self::certify(&new_key()?)
    }

    /// The key in `path`, or a fresh one that is written there.
    ///
    /// The file is PKCS#8 in PEM with mode 0600; missing directories get 0700. Of several processes
    /// that start at once one creates the key and all use it. Blocks on the file system.
    ///
    /// # Errors
    ///
    /// As [`Identity::load`], and [`Code::BAD_IDENTITY`] if the file cannot be written.
    pub fn load_or_create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if let Some(found) = Self::load_if_present(path)? {
            return Ok(found);
        }
        let key = new_key()?;
        let pem = Zeroizing::new(key.serialize_pem());
        match private::create(path, pem.as_bytes(), Code::BAD_IDENTITY)? {
            true => Self::certify(&key),
            false => Self::load(path),
        }
    }

    /// The key in `path`. Blocks on the file system.
    ///
    /// # Errors
    ///
    /// [`Code::BAD_IDENTITY`] if the file is missing, readable by others, encrypted, or anything
    /// but one PKCS#8 key in PEM. The text names the file and what to run, and holds nothing of its
    /// content.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::load_if_present(path)?.ok_or_else(|| {
            Error::new(Code::BAD_IDENTITY, format!("the key file {} is missing", path.display()))
                .with_hint("`farlens id` creates one in the usual place")
        })
    }

    /// Who this is to others.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The key and its certificate, as rustls wants them.
    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }

    /// An identity with any certificate and signer, which need not fit each other.
    #[cfg(test)]
    pub(super) fn from_parts(key_id: KeyId, certified: CertifiedKey) -> Self {
        Self { key_id, certified: Arc::new(certified) }
    }

    fn load_if_present(path: &Path) -> Result<Option<Self>> {
        let code = Code::BAD_IDENTITY;
        let Some(file) = private::open(path, private::OTHERS_ACCESS, code)? else {
            return Ok(None);
        };
        let text = Zeroizing::new(private::read_text(&file, path, MAX_FILE_BYTES, code)?);
        Self::certify(&parse_key(&text, path)?).map(Some)
    }

    /// The identity of this key, with a certificate made for it.
    pub(super) fn certify(key: &KeyPair) -> Result<Self> {
        let certificate = self_signed(key).map_err(|error| {
            Error::new(Code::INTERNAL, "no certificate could be made").with_source(error)
        })?;
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signer = provider().key_provider.load_private_key(private).map_err(|_| {
            Error::new(Code::BAD_IDENTITY, "TLS cannot sign with this kind of key")
                .with_hint("use a P-256, P-384, Ed25519 or RSA key")
        })?;
        Ok(Self {
            key_id: KeyId::of_public_key(&key.subject_public_key_info()),
            certified: Arc::new(CertifiedKey::new(vec![certificate], signer)),
        })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

fn new_key() -> Result<KeyPair> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
        .map_err(|error| Error::new(Code::INTERNAL, "no key could be made").with_source(error))
}

fn self_signed(key: &KeyPair) -> Result<CertificateDer<'static>, rcgen::Error> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let not_before = date_time_ymd(1970, 1, 1) + now.saturating_sub(CLOCK_SLACK);
    let mut params = CertificateParams::default();
    params.not_before = not_before;
    params.not_after = not_before + VALIDITY;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "farlens");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params.self_signed(key)?.der().clone())
}

/// Reads exactly one key and nothing beside it. Causes are left out: they might quote the file.
fn parse_key(text: &str, path: &Path) -> Result<KeyPair> {
    let body = text.trim().strip_prefix(PEM_BEGIN).and_then(|rest| rest.strip_suffix(PEM_END));
    match body {
        Some(body) if !body.contains("-----") => {}
        _ => return Err(not_a_key(text, path)),
    }
    let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| unusable(path, "its PEM text is damaged"))?;
    KeyPair::try_from(&der).map_err(|_| unusable(path, "its content is no key that TLS can use"))
}

/// Says what the file holds in place of one plain key.
fn not_a_key(text: &str, path: &Path) -> Error {
    let convert = format!("convert it: openssl pkcs8 -topk8 -nocrypt -in {}", path.display());
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return unusable(path, "it is encrypted, and nobody is there to type a password")
            .with_hint(convert);
    }
    if text.contains("BEGIN EC PRIVATE KEY") || text.contains("BEGIN RSA PRIVATE KEY") {
        return unusable(path, "it is not in PKCS#8 form").with_hint(convert);
    }
    unusable(path, "it is not one PKCS#8 key in PEM and nothing else")
}

fn unusable(path: &Path, why: &str) -> Error {
    let message = format!("the key file {} is unusable: {why}", path.display());
    Error::new(Code::BAD_IDENTITY, message)
        .with_hint("move it away, and a new key is made; others must then trust that one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::trust::key_of;
    use std::{fs, os::unix::fs::PermissionsExt};

    fn write(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn the_certificate_carries_the_key() {
        let identity = Identity::generate().unwrap();
        let certificate = &identity.certified.cert[0];
        assert_eq!(key_of(certificate).unwrap(), identity.key_id());
        assert_ne!(Identity::generate().unwrap().key_id(), identity.key_id());
    }

    #[test]
    fn a_kept_key_stays_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config/identity.key");
        Identity::load(&path).expect_err("missing");
        let made = Identity::load_or_create(&path).unwrap();
        assert_eq!(Identity::load_or_create(&path).unwrap().key_id(), made.key_id());
        assert_eq!(Identity::load(&path).unwrap().key_id(), made.key_id());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn threads_that_start_at_once_agree() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.key");
        let ids: Vec<KeyId> = std::thread::scope(|scope| {
            let load = || Identity::load_or_create(&path).unwrap().key_id();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }

    #[test]
    fn each_usable_kind_of_key_loads() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.key");
        for kind in
            [&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384]
        {
            let key = KeyPair::generate_for(kind).unwrap();
            write(&path, &key.serialize_pem());
            let identity = Identity::load(&path).unwrap();
            assert_eq!(key_of(&identity.certified.cert[0]).unwrap(), identity.key_id());
        }
    }

    #[test]
    fn unusable_files_are_named_and_never_quoted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.key");
        let pem = new_key().unwrap().serialize_pem();
        let middle = &pem[60..80];
        for (text, part) in [
            (String::new(), "not one PKCS#8"),
            ("junk".to_owned(), "not one PKCS#8"),
            (format!("junk\n{pem}"), "not one PKCS#8"),
            (format!("{pem}{pem}"), "not one PKCS#8"),
            (pem.replace("PRIVATE KEY", "EC PRIVATE KEY"), "PKCS#8 form"),
            (pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), "encrypted"),
            (pem.replace(middle, "*"), "damaged"),
            (pem.replace(middle, &"A".repeat(20)), "no key"),
            ("A".repeat(70_000), "longer"),
        ] {
            write(&path, &text);
            let error = Identity::load_or_create(&path).expect_err(part);
            assert_eq!(error.code(), Code::BAD_IDENTITY);
            assert!(error.message().contains(part), "{error}");
            assert!(error.message().contains("identity.key"), "{error}");
            assert!(!format!("{error:?}").contains(middle), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.key");
        Identity::load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = Identity::load_or_create(&path).expect_err("mode 0644");
        assert_eq!(error.code(), Code::BAD_IDENTITY);
        assert!(error.hint().unwrap().contains("chmod 600"), "{error:?}");
    }

    #[test]
    fn debug_shows_the_public_part_only() {
        let identity = Identity::generate().unwrap();
        let shown = format!("{identity:?}");
        assert_eq!(shown, format!("Identity {{ key_id: {}, .. }}", identity.key_id()));
    }
}
