//! A server's side of TLS.

use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// A server with a certificate of its own making for `localhost`, and that certificate as PEM.
///
/// # Panics
/// When the cryptographic library makes no key.
#[must_use]
pub fn server() -> (Arc<ServerConfig>, Vec<u8>) {
    serving(None)
}

/// What a client shows: a certificate of its own making for `user`, and the key, both as PEM; and a server that takes nobody
/// without that certificate.
///
/// # Panics
/// As [`server`].
#[must_use]
pub fn server_for(user: &str) -> (Arc<ServerConfig>, Vec<u8>, Vec<u8>) {
    let client = made(user);
    let (config, _) = serving(Some(&client));
    (config, client.cert.pem().into_bytes(), client.signing_key.serialize_pem().into_bytes())
}

fn made(name: &str) -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate")
}

fn serving(client: Option<&CertifiedKey<KeyPair>>) -> (Arc<ServerConfig>, Vec<u8>) {
    let made = made("localhost");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the default versions");
    let builder = match client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let mut roots = RootCertStore::empty();
            roots.add(client.cert.der().clone()).expect("a certificate to trust");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        }
    };
    let config = builder
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a key that fits its certificate");
    (Arc::new(config), made.cert.pem().into_bytes())
}
