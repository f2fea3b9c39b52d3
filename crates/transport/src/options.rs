//! What a user can ask of TLS. Plain data; nothing is read or checked before [`TlsClient::new`](crate::TlsClient::new).

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use zeroize::Zeroize;

/// How far TLS is demanded, in MySQL's words and with MySQL's meaning (option `ssl-mode`).
///
/// | mode | server without TLS | certificate chain checked | name checked |
/// |---|---|---|---|
/// | `DISABLED` | fine | - | - |
/// | `PREFERRED` | plain, silently | if a CA is given | no |
/// | `REQUIRED` | error | if a CA is given | no |
/// | `VERIFY_CA` | error | yes, a CA must be given | no |
/// | `VERIFY_IDENTITY` | error | yes, a CA must be given | yes |
///
/// The first two columns are for whoever speaks the protocol; this crate sees to the others. Modes are ordered by
/// strictness: `mode >= SslMode::VerifyCa` is a fair question.
///
/// Follows the MySQL Reference Manual: "Command Options for Encrypted Connections".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SslMode {
    /// Never TLS.
    Disabled,
    /// TLS if the server offers it. A man in the middle can take the offer away.
    #[default]
    Preferred,
    /// TLS or no connection. Protects from listeners, not from a man in the middle (unless a CA is given).
    Required,
    /// TLS, and the server's certificate must lead to a given CA.
    VerifyCa,
    /// TLS, a certificate that leads to a given CA, and one that is for the host the user named.
    VerifyIdentity,
}

impl SslMode {
    /// MySQL's name of the mode, `VERIFY_CA` for one.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Disabled => "DISABLED",
            Self::Preferred => "PREFERRED",
            Self::Required => "REQUIRED",
            Self::VerifyCa => "VERIFY_CA",
            Self::VerifyIdentity => "VERIFY_IDENTITY",
        }
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no known value; [`expected`](Self::expected) lists those there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownName {
    expected: &'static str,
}

impl UnknownName {
    /// The names there are, separated by commas.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected one of {}", self.expected)
    }
}

impl std::error::Error for UnknownName {}

impl FromStr for SslMode {
    type Err = UnknownName;

    /// Letter case does not matter, as in MySQL's tools.
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        [Self::Disabled, Self::Preferred, Self::Required, Self::VerifyCa, Self::VerifyIdentity]
            .into_iter()
            .find(|mode| mode.name().eq_ignore_ascii_case(text))
            .ok_or(UnknownName { expected: "DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY" })
    }
}

/// A version of TLS (option `tls-version`). Older ones are refused by MySQL since 8.0.28 and do not exist here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2
    Tls12,
    /// TLS 1.3
    Tls13,
}

impl TlsVersion {
    /// MySQL's name of the version: `TLSv1.2`, `TLSv1.3`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TlsVersion {
    type Err = UnknownName;

    /// Letter case does not matter, as in MySQL's tools.
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        [Self::Tls12, Self::Tls13]
            .into_iter()
            .find(|version| version.name().eq_ignore_ascii_case(text))
            .ok_or(UnknownName { expected: "TLSv1.2, TLSv1.3" })
    }
}

/// Where certificates of trusted CAs come from (options `ssl-ca`, `ssl-capath`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaSource {
    /// A PEM file with one or more certificates.
    File(PathBuf),
    /// A folder: every file in it that holds PEM certificates. No hashed names are needed.
    Dir(PathBuf),
    /// PEM text.
    Pem(Vec<u8>),
    /// The store of the operating system.
    System,
}

/// PEM from a file or from memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PemSource {
    /// A PEM file.
    File(PathBuf),
    /// PEM text.
    Pem(PemBytes),
}

impl From<PathBuf> for PemSource {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

/// PEM text in memory, which may be a private key: wiped when dropped, and not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PemBytes(Vec<u8>);

impl PemBytes {
    /// The text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for PemBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Drop for PemBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for PemBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PemBytes({} bytes)", self.0.len())
    }
}

/// What a user can ask of TLS; make one with [`TlsOptions::new`] and set fields.
///
/// ```
/// use porpoise_transport::{CaSource, SslMode, TlsOptions, TlsVersion};
///
/// let mut options = TlsOptions::new(SslMode::VerifyCa);
/// options.ca.push(CaSource::File("ca.pem".into()));
/// options.versions = vec![TlsVersion::Tls13];
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsOptions {
    /// `ssl-mode`
    pub mode: SslMode,
    /// `ssl-ca`, `ssl-capath`: trusted CAs, of all sources together. Giving any has the chain checked in every mode
    /// but `DISABLED`.
    pub ca: Vec<CaSource>,
    /// `ssl-cert`: the client's certificate, then those of its issuers. Absent but with a key given: looked for
    /// where the key is.
    pub cert: Option<PemSource>,
    /// `ssl-key`: the client's private key (PKCS#8, PKCS#1 or SEC1, not encrypted). Absent but with a certificate
    /// given: looked for where the certificate is.
    pub key: Option<PemSource>,
    /// `ssl-crl`: revocation lists. Giving any requires one for each certificate of the chain below the CA.
    pub crl: Vec<PemSource>,
    /// `ssl-crlpath`: a folder of revocation lists; hashed names are not needed.
    pub crlpath: Option<PathBuf>,
    /// `tls-version`: versions to offer; empty means all.
    pub versions: Vec<TlsVersion>,
    /// `ssl-cipher`: suites to offer for TLS 1.2 by OpenSSL's or IANA's names, best first. Names that are not known
    /// are passed over as long as one is.
    pub ciphers: Option<Vec<String>>,
    /// `tls-ciphersuites`: the same for TLS 1.3.
    pub ciphersuites: Option<Vec<String>>,
    /// `tls-sni-servername`: the name told to the server in the clear. Like MySQL's, this client tells none unless
    /// asked to, not even the host.
    pub sni: Option<String>,
    /// Resume earlier sessions: saves the server's certificate check and a signature on each further connect.
    pub resume: bool,
    /// How many hosts sessions are kept for.
    pub session_cache: usize,
}

impl TlsOptions {
    /// Options that ask for `mode` and leave all else at its default.
    #[must_use]
    pub fn new(mode: SslMode) -> Self {
        Self {
            mode,
            ca: Vec::new(),
            cert: None,
            key: None,
            crl: Vec::new(),
            crlpath: None,
            versions: Vec::new(),
            ciphers: None,
            ciphersuites: None,
            sni: None,
            resume: true,
            session_cache: 256,
        }
    }

    /// Whether the certificate's chain will be checked: asked for by the mode, or implied by giving a CA.
    #[must_use]
    pub fn checks_chain(&self) -> bool {
        self.mode >= SslMode::VerifyCa || (self.mode != SslMode::Disabled && !self.ca.is_empty())
    }
}

impl Default for TlsOptions {
    /// `PREFERRED`, as in MySQL's own clients.
    fn default() -> Self {
        Self::new(SslMode::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_and_versions_by_name() {
        assert_eq!("verify_ca".parse(), Ok(SslMode::VerifyCa));
        assert_eq!("DISABLED".parse(), Ok(SslMode::Disabled));
        assert!("VERIFY".parse::<SslMode>().is_err());
        assert_eq!(SslMode::VerifyIdentity.to_string(), "VERIFY_IDENTITY");
        assert_eq!("TLSv1.3".parse(), Ok(TlsVersion::Tls13));
        let error = "TLSv1.1".parse::<TlsVersion>().unwrap_err();
        assert_eq!(error.to_string(), "expected one of TLSv1.2, TLSv1.3");
    }

    #[test]
    fn giving_a_ca_implies_the_check() {
        let mut options = TlsOptions::default();
        assert!(!options.checks_chain());
        options.ca.push(CaSource::System);
        assert!(options.checks_chain());
        options.mode = SslMode::Disabled;
        assert!(!options.checks_chain());
        assert!(TlsOptions::new(SslMode::VerifyCa).checks_chain());
    }

    #[test]
    fn keys_are_not_shown() {
        let key = PemBytes::from(b"-----BEGIN PRIVATE KEY-----".to_vec());
        let options = TlsOptions { key: Some(PemSource::Pem(key)), ..TlsOptions::default() };
        let shown = format!("{options:?}");
        assert!(
            shown.contains("27 bytes") && !shown.contains("BEGIN") && !shown.contains("45, 45"),
            "{shown}"
        );
    }
}
