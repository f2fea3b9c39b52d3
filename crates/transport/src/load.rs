//! Certificates, keys and revocation lists from PEM files, folders and memory.

use std::fs;
use std::path::Path;

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::{CaSource, PemKind, PemSource, TlsError};

/// All certificates of all the sources; at least one from each.
pub(crate) fn cas(sources: &[CaSource]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let mut found = Vec::new();
    for source in sources {
        match source {
            CaSource::File(path) => {
                found.extend(items(PemKind::Ca, &read(PemKind::Ca, path)?, &shown(path))?)
            }
            CaSource::Dir(path) => found.extend(folder(PemKind::Ca, path)?),
            CaSource::Pem(pem) => found.extend(items(PemKind::Ca, pem, IN_MEMORY)?),
            CaSource::System => found.extend(system()?),
        }
    }
    Ok(found)
}

/// All revocation lists; at least one from each source.
pub(crate) fn crls(
    sources: &[PemSource],
    dir: Option<&Path>,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let mut found = Vec::new();
    for source in sources {
        found.extend(from_source(PemKind::Crl, source)?);
    }
    if let Some(dir) = dir {
        found.extend(folder(PemKind::Crl, dir)?);
    }
    Ok(found)
}

/// The client's own certificate, and those after it.
pub(crate) fn certificates(source: &PemSource) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    from_source(PemKind::Certificate, source)
}

/// The client's private key.
pub(crate) fn key(source: &PemSource) -> Result<PrivateKeyDer<'static>, TlsError> {
    with_pem(PemKind::Key, source, |pem, from| {
        PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
            let encrypted = pem.windows(9).any(|window| window == b"ENCRYPTED");
            let reason = if encrypted {
                "the key is encrypted, which is not supported".to_owned()
            } else {
                text(&error)
            };
            failed(PemKind::Key, from, reason)
        })
    })
}

const IN_MEMORY: &str = "PEM text in memory";

pub(crate) fn failed(what: PemKind, from: &str, reason: impl ToString) -> TlsError {
    TlsError::Load { what, from: from.to_owned(), reason: reason.to_string() }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn text(error: &PemError) -> String {
    match error {
        PemError::NoItemsFound => "there is none in it".to_owned(),
        other => other.to_string(),
    }
}

fn read(what: PemKind, path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    fs::read(path).map(Zeroizing::new).map_err(|error| failed(what, &shown(path), error))
}

fn with_pem<T>(
    what: PemKind,
    source: &PemSource,
    parse: impl FnOnce(&[u8], &str) -> Result<T, TlsError>,
) -> Result<T, TlsError> {
    match source {
        PemSource::File(path) => parse(&read(what, path)?, &shown(path)),
        PemSource::Pem(pem) => parse(pem.as_bytes(), IN_MEMORY),
    }
}

fn from_source<T: PemObject>(what: PemKind, source: &PemSource) -> Result<Vec<T>, TlsError> {
    with_pem(what, source, |pem, from| items(what, pem, from))
}

fn items<T: PemObject>(what: PemKind, pem: &[u8], from: &str) -> Result<Vec<T>, TlsError> {
    let found = T::pem_slice_iter(pem).collect::<Result<Vec<T>, _>>();
    match found {
        Ok(found) if found.is_empty() => Err(failed(what, from, text(&PemError::NoItemsFound))),
        Ok(found) => Ok(found),
        Err(error) => Err(failed(what, from, text(&error))),
    }
}

/// Everything of the kind in the files of a folder. Files that hold none, or no PEM at all, are passed over, as
/// folders of certificates commonly have other files; one that cannot be read is not.
fn folder<T: PemObject>(what: PemKind, path: &Path) -> Result<Vec<T>, TlsError> {
    let failure = |error: std::io::Error| failed(what, &shown(path), error);
    let mut files = fs::read_dir(path)
        .map_err(failure)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failure)?;
    files.sort();
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_file()) {
        found.extend(T::pem_slice_iter(&read(what, file)?).filter_map(Result::ok));
    }
    if found.is_empty() {
        return Err(failed(what, &shown(path), "there is none in any of its files"));
    }
    Ok(found)
}

fn system() -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let loaded = rustls_native_certs::load_native_certs();
    if loaded.certs.is_empty() {
        let reason = loaded.errors.first().map_or_else(|| "it is empty".to_owned(), ToString::to_string);
        return Err(failed(PemKind::Ca, "the operating system's store", reason));
    }
    Ok(loaded.certs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};
    use std::path::PathBuf;

    fn pem() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        (CertificateParams::default().self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    /// A folder that goes away with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("porpoise-transport-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn every_certificate_of_a_source_counts() {
        let (one, key) = pem();
        let both = format!("{one}\n# a comment\n{key}{}", pem().0);
        assert_eq!(cas(&[CaSource::Pem(both.clone().into()), CaSource::Pem(one.into())]).unwrap().len(), 3);
        assert!(super::key(&PemSource::Pem(both.into_bytes().into())).is_ok());
    }

    #[test]
    fn folders_may_hold_other_files() {
        let folder = Folder::new("capath");
        let source = [CaSource::Dir(folder.0.clone())];
        fs::write(folder.0.join("README"), "no PEM").unwrap();
        assert!(matches!(cas(&source), Err(TlsError::Load { what: PemKind::Ca, .. })));
        fs::write(folder.0.join("a.pem"), pem().0).unwrap();
        fs::write(folder.0.join("b.0"), pem().0).unwrap();
        fs::create_dir(folder.0.join("more")).unwrap();
        assert_eq!(cas(&source).unwrap().len(), 2);
    }

    #[test]
    fn failures_say_what_and_where() {
        let error = cas(&[CaSource::File("/nonexistent/ca.pem".into())]).unwrap_err().to_string();
        assert!(error.starts_with("cannot load CA certificates from /nonexistent/ca.pem: "), "{error}");
        let (certificate, _) = pem();
        let error = key(&PemSource::Pem(certificate.into_bytes().into())).unwrap_err().to_string();
        assert_eq!(error, "cannot load the client key from PEM text in memory: there is none in it");
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let error = key(&PemSource::Pem(encrypted.as_bytes().to_vec().into())).unwrap_err().to_string();
        assert!(error.ends_with("the key is encrypted, which is not supported"), "{error}");
        let broken = "-----BEGIN X509 CRL-----\n!!!!\n-----END X509 CRL-----\n";
        assert!(crls(&[PemSource::Pem(broken.as_bytes().to_vec().into())], None).is_err());
    }
}
