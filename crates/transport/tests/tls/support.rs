//! A certificate authority, a rustls server in memory, and a wire that carries as many bytes at a time as wanted.

use std::io::{Read, Write};
use std::sync::Arc;

use porpoise_transport::{CaSource, Pipe, SslMode, TlsClient, TlsError, TlsOptions, TlsState};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, SigningKey, date_time_ymd,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};
use x509_parser::prelude::{FromDer, X509Certificate};

pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
pub(crate) const TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];

pub(crate) struct Authority {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    pub(crate) der: CertificateDer<'static>,
    pub(crate) pem: String,
}

pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: KeyPair,
}

/// Parameters with this common name, no alternative names, and in time.
pub(crate) fn named(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.serial_number = Some(SerialNumber::from(2));
    params
}

fn ca_params(common_name: &str) -> CertificateParams {
    let mut params = named(common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Authority {
    pub(crate) fn new(common_name: &str) -> Self {
        Self::with(ca_params(common_name))
    }

    pub(crate) fn with(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    pub(crate) fn expired() -> Self {
        let mut params = ca_params("Old CA");
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        Self::with(params)
    }

    /// Another authority, certified by this one.
    pub(crate) fn intermediate(&self, common_name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = ca_params(common_name);
        params.serial_number = Some(SerialNumber::from(77));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    pub(crate) fn issue(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        Identity { chain: vec![params.signed_by(&key, &self.issuer).unwrap().der().clone()], key }
    }

    pub(crate) fn server(&self, common_name: &str) -> Identity {
        self.issue(&named(common_name))
    }

    /// A certificate of X.509 version 1, which rcgen does not make, so its DER is put together here.
    pub(crate) fn server_version1(&self, common_name: &str) -> Identity {
        let identity = self.server(common_name);
        let (_, parsed) = X509Certificate::from_der(&identity.chain[0]).unwrap();
        let ecdsa_with_sha256 = [0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
        let validity = [der(0x17, &[b"200101000000Z"]), der(0x17, &[b"480101000000Z"])].concat();
        let signed = der(
            0x30,
            &[
                &[0x02, 0x01, 0x02], // serial number
                &ecdsa_with_sha256,
                parsed.issuer().as_raw(),
                &der(0x30, &[&validity]),
                parsed.subject().as_raw(),
                parsed.public_key().raw,
            ],
        );
        let signature = der(0x03, &[&[0], &self.issuer.key().sign(&signed).unwrap()]);
        let certificate = der(0x30, &[&signed, &ecdsa_with_sha256, &signature]);
        Identity { chain: vec![certificate.into()], key: identity.key }
    }

    pub(crate) fn crl(&self, revoked: &[u64], year_of_next: i32) -> Vec<u8> {
        let revoked_certs = revoked
            .iter()
            .map(|serial| RevokedCertParams {
                serial_number: SerialNumber::from(*serial),
                revocation_time: date_time_ymd(2024, 1, 1),
                reason_code: None,
                invalidity_date: None,
            })
            .collect();
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(year_of_next, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap().into_bytes()
    }

    pub(crate) fn source(&self) -> CaSource {
        CaSource::Pem(self.pem.clone().into_bytes())
    }
}

/// One DER value.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let header = match (high, low) {
        (0, ..0x80) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [header, content].concat()
}

pub(crate) fn self_signed(params: &CertificateParams) -> Identity {
    let key = KeyPair::generate().unwrap();
    Identity { chain: vec![params.self_signed(&key).unwrap().der().clone()], key }
}

pub(crate) fn pem(identity: &Identity) -> Vec<u8> {
    let one = |der: &CertificateDer<'_>| pem::encode(&pem::Pem::new("CERTIFICATE", &der[..]));
    identity.chain.iter().map(one).collect::<String>().into_bytes()
}

pub(crate) fn server_config(
    identity: Identity,
    versions: &[&'static SupportedProtocolVersion],
) -> ServerConfig {
    config(identity, versions, None)
}

/// A server that demands a client certificate of this authority.
pub(crate) fn demanding_config(identity: Identity, clients: &Authority) -> ServerConfig {
    config(identity, BOTH, Some(clients))
}

fn config(
    identity: Identity,
    versions: &[&'static SupportedProtocolVersion],
    clients: Option<&Authority>,
) -> ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions).unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der.clone()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    // The resolver takes what it is given; `with_single_cert` refuses certificates of version 1.
    let key = PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let certified = rustls::sign::CertifiedKey::new(identity.chain, key);
    builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)))
}

/// A pipe in the middle of, or after, a handshake with a server, and the wire between.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) pipe: Pipe,
    pub(crate) server: ServerConnection,
    /// What the server has said about the client.
    pub(crate) server_error: Option<rustls::Error>,
    pub(crate) to_server: Vec<u8>,
    pub(crate) from_server: Vec<u8>,
    server_heard: Vec<u8>,
}

impl Pair {
    pub(crate) fn new(client: &TlsClient, host: &str, config: &Arc<ServerConfig>) -> Self {
        let mut pipe = Pipe::new();
        pipe.start_tls(client, host).unwrap();
        let server = ServerConnection::new(Arc::clone(config)).unwrap();
        Self {
            pipe,
            server,
            server_error: None,
            to_server: Vec::new(),
            from_server: Vec::new(),
            server_heard: Vec::new(),
        }
    }

    /// Carries bytes until both sides have no more, `step` at a time.
    pub(crate) fn exchange(&mut self, step: usize) -> Result<(), TlsError> {
        loop {
            let moved = self.client_to_server(step)? + self.server_to_client(step)?;
            if moved == 0 {
                return Ok(());
            }
        }
    }

    pub(crate) fn client_to_server(&mut self, step: usize) -> Result<usize, TlsError> {
        let mut moved = 0;
        loop {
            let bytes = self.pipe.transmit()?;
            let n = bytes.len().min(step);
            if n == 0 {
                return Ok(moved);
            }
            self.to_server.extend_from_slice(&bytes[..n]);
            self.pipe.transmitted(n);
            moved += n;
            while !self.to_server.is_empty() {
                let n = self.server.read_tls(&mut &self.to_server[..]).unwrap();
                self.to_server.drain(..n);
                if let Err(error) = self.server.process_new_packets() {
                    self.server_error.get_or_insert(error);
                    self.to_server.clear();
                }
                // The end of what is there now is an error of the kind WouldBlock.
                let _ = self.server.reader().read_to_end(&mut self.server_heard);
            }
        }
    }

    pub(crate) fn server_to_client(&mut self, step: usize) -> Result<usize, TlsError> {
        while self.server.wants_write() {
            self.server.write_tls(&mut self.from_server).unwrap();
        }
        let bytes = std::mem::take(&mut self.from_server);
        for part in bytes.chunks(step) {
            self.pipe.recv_buf().extend_from_slice(part);
            self.pipe.received()?;
        }
        Ok(bytes.len())
    }

    pub(crate) fn say(&mut self, bytes: &[u8]) {
        self.pipe.buffers().1.extend_from_slice(bytes);
    }

    /// All that has arrived in the clear at the client.
    pub(crate) fn heard(&mut self) -> Vec<u8> {
        self.pipe.buffers().0.split().to_vec()
    }

    pub(crate) fn server_say(&mut self, bytes: &[u8]) {
        self.server.writer().write_all(bytes).unwrap();
    }

    /// A word each way.
    pub(crate) fn chat(&mut self) {
        self.say(b"hello server");
        self.server_say(b"hello client");
        self.exchange(usize::MAX).unwrap();
        assert_eq!(self.heard(), b"hello client");
        assert_eq!(self.server_heard(), b"hello server");
    }

    /// All that has arrived in the clear at the server.
    pub(crate) fn server_heard(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.server_heard)
    }
}

pub(crate) fn options(mode: SslMode, ca: Option<&Authority>) -> TlsOptions {
    let mut options = TlsOptions::new(mode);
    options.ca.extend(ca.map(Authority::source));
    options
}

/// Connects and has a word with the server. If that fails the alert, if any, has reached it.
pub(crate) fn connect(
    options: &TlsOptions,
    host: &str,
    config: &Arc<ServerConfig>,
) -> (Pair, Result<(), TlsError>) {
    let mut pair = Pair::new(&TlsClient::new(options).unwrap(), host, config);
    let result = pair.exchange(usize::MAX);
    match &result {
        Ok(()) => {
            assert_eq!(pair.pipe.tls_state(), TlsState::Established);
            pair.chat();
        }
        Err(error) => {
            let error = error.clone();
            let _ = pair.client_to_server(usize::MAX);
            assert_eq!(pair.pipe.tls_state(), TlsState::Failed);
            assert_eq!(pair.pipe.transmit(), Err(error.clone()));
            assert_eq!(pair.pipe.received(), Err(error.clone()));
            assert_eq!(pair.pipe.eof(), Err(error));
        }
    }
    (pair, result)
}
