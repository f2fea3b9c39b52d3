//! From options to a rustls configuration, once for many connects.

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, SupportedProtocolVersion};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::verify::{Trust, Verifier};
use crate::{PemKind, PemSource, SslMode, TlsError, TlsOptions, TlsVersion, load, suites};

/// TLS that is ready to be started on pipes: options checked, files read.
///
/// Make one for all connects with the same options and clone it; clones share it, and with it the sessions that let
/// later connects skip most of the handshake.
#[derive(Clone)]
pub struct TlsClient(Arc<Inner>);

struct Inner {
    mode: SslMode,
    verified: bool,
    config: Option<Arc<ClientConfig>>,
    sni: Option<ServerName<'static>>,
}

impl TlsClient {
    /// Checks the options and reads the files they name. With `DISABLED` none is read.
    ///
    /// # Errors
    ///
    /// Those whose fault is [`Fault::Options`](crate::Fault::Options).
    pub fn new(options: &TlsOptions) -> Result<Self, TlsError> {
        let inner = |config, sni| {
            Self(Arc::new(Inner { mode: options.mode, verified: options.checks_chain(), config, sni }))
        };
        if options.mode == SslMode::Disabled {
            return Ok(inner(None, None));
        }
        let sni = options.sni.as_ref().map(|name| server_name(name)).transpose()?;
        let provider = provider(options)?;
        let versions = versions(options, &provider)?;
        let verifier = Verifier::new(provider.signature_verification_algorithms, trust(options)?);
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(|_| TlsError::NothingToOffer)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match own_certificate(options, &provider)? {
            Some(own) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))),
            None => builder.with_no_client_auth(),
        };
        // The first random bytes of a process take some 20 ms to seed. That is no part of a handshake, and whoever
        // measures one must not see it there.
        let _ = provider.secure_random.fill(&mut [0]);
        config.enable_sni = sni.is_some();
        config.resumption = if options.resume {
            Resumption::in_memory_sessions(options.session_cache)
        } else {
            Resumption::disabled()
        };
        Ok(inner(Some(Arc::new(config)), sni))
    }

    /// The mode it was made with.
    #[must_use]
    pub fn mode(&self) -> SslMode {
        self.0.mode
    }

    /// Whether the server's certificate chain is checked.
    pub(crate) fn verified(&self) -> bool {
        self.0.verified
    }

    /// rustls' configuration, and the name to start a connection with: for SNI if one is to be told, else it only
    /// selects the sessions that may be resumed.
    pub(crate) fn config(&self, host: &str) -> Result<(Arc<ClientConfig>, ServerName<'static>), TlsError> {
        let config = self.0.config.as_ref().ok_or(TlsError::Disabled)?;
        let name = match &self.0.sni {
            Some(name) => name.clone(),
            // What is neither a DNS name nor an address, such as an address with a zone, shares one set of sessions.
            None => ServerName::try_from(host.to_owned()).or_else(|_| server_name("unnamed.invalid"))?,
        };
        Ok((Arc::clone(config), name))
    }
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient").field("mode", &self.0.mode).field("verified", &self.0.verified).finish()
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    match ServerName::try_from(name.to_owned()) {
        Ok(valid @ ServerName::DnsName(_)) => Ok(valid),
        _ => Err(TlsError::BadSni { name: name.to_owned() }),
    }
}

fn provider(options: &TlsOptions) -> Result<Arc<CryptoProvider>, TlsError> {
    let mut provider = aws_lc_rs::default_provider();
    let mut chosen = suites::choose(&provider.cipher_suites, true, options.ciphersuites.as_deref())?;
    chosen.extend(suites::choose(&provider.cipher_suites, false, options.ciphers.as_deref())?);
    provider.cipher_suites = chosen;
    // One key share goes with the first flight. Every OpenSSL behind a MySQL server takes P-256; a share that the
    // server declines costs a round trip.
    provider.kx_groups = vec![kx_group::SECP256R1, kx_group::X25519, kx_group::SECP384R1];
    Ok(Arc::new(provider))
}

/// The versions asked for that have a cipher suite.
fn versions(
    options: &TlsOptions,
    provider: &CryptoProvider,
) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
    let offered =
        [(TlsVersion::Tls13, &rustls::version::TLS13), (TlsVersion::Tls12, &rustls::version::TLS12)]
            .into_iter()
            .filter(|(version, _)| options.versions.is_empty() || options.versions.contains(version))
            .filter(|(_, wanted)| provider.cipher_suites.iter().any(|suite| suite.version() == *wanted))
            .map(|(_, version)| version)
            .collect::<Vec<_>>();
    if offered.is_empty() { Err(TlsError::NothingToOffer) } else { Ok(offered) }
}

fn trust(options: &TlsOptions) -> Result<Option<Trust>, TlsError> {
    let no_crl = options.crl.is_empty() && options.crlpath.is_none();
    if !options.ca.is_empty() {
        let crls = load::crls(&options.crl, options.crlpath.as_deref())?;
        Trust::new(load::cas(&options.ca)?, &crls).map(Some)
    } else if options.mode >= SslMode::VerifyCa {
        Err(TlsError::MissingCa { mode: options.mode })
    } else if no_crl {
        Ok(None)
    } else {
        Err(TlsError::CrlWithoutCa)
    }
}

/// The client's certificate and key. As in MySQL's clients either one can be in the other's file.
fn own_certificate(
    options: &TlsOptions,
    provider: &CryptoProvider,
) -> Result<Option<CertifiedKey>, TlsError> {
    let (certificate, key): (&PemSource, &PemSource) = match (&options.cert, &options.key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(both), None) | (None, Some(both)) => (both, both),
        (None, None) => return Ok(None),
    };
    let chain = load::certificates(certificate)?;
    let key = provider
        .key_provider
        .load_private_key(load::key(key)?)
        .map_err(|error| load::failed(PemKind::Key, "what was given", error))?;
    // rustls could compare them, but only for certificates of X.509 version 3.
    let matches = match (chain.first(), key.public_key()) {
        (Some(own), Some(public)) => public_key(own)? == public.as_ref(),
        _ => true,
    };
    if !matches {
        return Err(TlsError::KeyMismatch);
    }
    Ok(Some(CertifiedKey::new(chain, key)))
}

fn public_key(certificate: &CertificateDer<'_>) -> Result<Vec<u8>, TlsError> {
    let (_, parsed) = X509Certificate::from_der(certificate)
        .map_err(|error| load::failed(PemKind::Certificate, "what was given", error))?;
    Ok(parsed.public_key().raw.to_vec())
}
