//! Which servers each `ssl-mode` accepts, and how it says no. A rustls server in memory, certificates of all kinds.

use std::sync::Arc;

use crate::support::{
    Authority, BOTH, Identity, Pair, TLS12, connect, demanding_config, named, options, pem, self_signed,
    server_config,
};
use porpoise_transport::{CaSource, Fault, PemSource, SslMode, TlsClient, TlsError, TlsOptions};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, SanType, date_time_ymd};
use rustls::AlertDescription;

const HOST: &str = "db.example.com";

fn try_connect(options: &TlsOptions, host: &str, server: Identity) -> Result<Pair, TlsError> {
    let (pair, result) = connect(options, host, &Arc::new(server_config(server, BOTH)));
    result.map(|()| pair)
}

fn alternative_names(names: &[&str]) -> CertificateParams {
    let mut params = named("unused");
    params.subject_alt_names = names
        .iter()
        .map(|name| {
            name.parse().map_or_else(|_| SanType::DnsName((*name).try_into().unwrap()), SanType::IpAddress)
        })
        .collect();
    params
}

#[test]
fn what_each_mode_accepts() {
    let ca = Authority::new("The CA");
    let other = Authority::new("Another CA");
    // Mode; CA given; whether a server is accepted that is of that CA and name, of the CA only, of neither.
    for (mode, given, accepted) in [
        (SslMode::Preferred, None, [true, true, true]),
        (SslMode::Preferred, Some(&ca), [true, true, false]),
        (SslMode::Required, None, [true, true, true]),
        (SslMode::Required, Some(&ca), [true, true, false]),
        (SslMode::VerifyCa, Some(&ca), [true, true, false]),
        (SslMode::VerifyIdentity, Some(&ca), [true, false, false]),
    ] {
        let options = options(mode, given);
        let servers = [ca.server(HOST), ca.server("elsewhere"), other.server(HOST)];
        for (server, accepted) in servers.into_iter().zip(accepted) {
            let result = try_connect(&options, HOST, server);
            assert_eq!(result.is_ok(), accepted, "{mode} {given}", given = given.is_some());
            if let Ok(pair) = result {
                let facts = pair.pipe.tls_facts().unwrap();
                assert_eq!(
                    (facts.verified, facts.name_verified),
                    (given.is_some(), mode == SslMode::VerifyIdentity)
                );
            }
        }
    }
}

#[test]
fn a_ca_is_missing_before_anything_is_sent() {
    for mode in [SslMode::VerifyCa, SslMode::VerifyIdentity] {
        let error = TlsClient::new(&TlsOptions::new(mode)).unwrap_err();
        assert_eq!((error.fault(), error), (Fault::Options, TlsError::MissingCa { mode }));
    }
}

#[test]
fn names() {
    let ca = Authority::new("The CA");
    let options = options(SslMode::VerifyIdentity, Some(&ca));
    for (params, host, accepted) in [
        (named("MySQL_Server_9.7.0_Auto_Generated_Server_Certificate"), "127.0.0.1", false),
        (named(HOST), HOST, true),
        (named("127.0.0.1"), "127.0.0.1", true),
        (alternative_names(&[HOST]), HOST, true),
        (alternative_names(&["*.example.com"]), HOST, true),
        (alternative_names(&["*.example.com"]), "a.db.example.com", false),
        (alternative_names(&["other.example.com"]), "unused", false),
        (alternative_names(&["127.0.0.1", "::1"]), "::1", true),
        (alternative_names(&["127.0.0.1"]), "127.0.0.2", false),
        // Not a name that rustls could hold.
        (named("db host"), "db host", true),
        (named("db host"), "fe80::1%eth0", false),
    ] {
        let result = try_connect(&options, host, ca.issue(&params));
        match result {
            Ok(pair) => {
                assert!(accepted, "{host} {params:?}");
                assert!(pair.pipe.tls_facts().unwrap().name_verified);
            }
            Err(error) => {
                assert!(!accepted, "{host} {params:?} {error}");
                assert!(
                    matches!(error, TlsError::NameMismatch { host: ref named, .. } if named == host),
                    "{error}"
                );
            }
        }
    }
}

/// Neither the client's certificate nor its part of the handshake leaves when the name does not fit.
#[test]
fn nothing_leaves_for_the_wrong_name() {
    let ca = Authority::new("The CA");
    for versions in [BOTH, TLS12] {
        let config = Arc::new(server_config(ca.server("elsewhere"), versions));
        let mut pair =
            Pair::new(&TlsClient::new(&options(SslMode::VerifyIdentity, Some(&ca))).unwrap(), HOST, &config);
        pair.client_to_server(usize::MAX).unwrap();
        let sent = pair.pipe.bytes_out();
        let error = pair.server_to_client(usize::MAX).unwrap_err();
        assert!(matches!(error, TlsError::NameMismatch { .. }), "{error}");
        assert_eq!(pair.pipe.transmit(), Err(error));
        assert!(!pair.pipe.wants_write());
        assert_eq!(pair.pipe.bytes_out(), sent);
        assert!(pair.server.is_handshaking());
    }
}

#[test]
fn out_of_time() {
    let ca = Authority::new("The CA");
    let mut params = named(HOST);
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2002, 1, 1);
    let error = try_connect(&options(SslMode::VerifyCa, Some(&ca)), HOST, ca.issue(&params)).unwrap_err();
    assert_eq!(error.to_string(), "the server's certificate expired Jan  1 00:00:00 2002 +00:00");
    assert_eq!(error.fault(), Fault::Certificate);
    // Nobody asked.
    try_connect(&options(SslMode::Required, None), HOST, ca.issue(&params)).unwrap();

    params.not_before = date_time_ymd(2400, 1, 1);
    params.not_after = date_time_ymd(2401, 1, 1);
    let error = try_connect(&options(SslMode::VerifyCa, Some(&ca)), HOST, ca.issue(&params)).unwrap_err();
    assert!(
        matches!(&error, TlsError::CertificateNotYetValid { not_before } if not_before.contains("2400")),
        "{error}"
    );

    let old = Authority::expired();
    let error = try_connect(&options(SslMode::VerifyCa, Some(&old)), HOST, old.server(HOST)).unwrap_err();
    assert!(matches!(error, TlsError::CertificateExpired { .. }), "{error}");
}

#[test]
fn wrong_ca() {
    let ca = Authority::new("MySQL_Server_9.7.0_Auto_Generated_CA_Certificate");
    let same_name = Authority::new("MySQL_Server_9.7.0_Auto_Generated_CA_Certificate");
    for other in [same_name, Authority::new("Another CA")] {
        let config = Arc::new(server_config(other.server(HOST), BOTH));
        let (pair, result) = connect(&options(SslMode::VerifyCa, Some(&ca)), HOST, &config);
        assert_eq!(result, Err(TlsError::UnknownIssuer));
        let alert = rustls::Error::AlertReceived(AlertDescription::UnknownCA);
        assert_eq!(pair.server_error, Some(alert));
    }
    // Several may be given.
    let mut both = options(SslMode::VerifyCa, Some(&ca));
    let other = Authority::new("Another CA");
    both.ca.push(other.source());
    try_connect(&both, HOST, other.server(HOST)).unwrap();
}

#[test]
fn chains() {
    let root = Authority::new("Root");
    let middle = root.intermediate("Middle");
    let mut server = middle.server(HOST);
    let options = options(SslMode::VerifyCa, Some(&root));
    let alone = Identity { chain: server.chain.clone(), key: middle.server(HOST).key };
    assert_eq!(try_connect(&options, HOST, alone).unwrap_err(), TlsError::UnknownIssuer);
    server.chain.push(middle.der.clone());
    let pair = try_connect(&options, HOST, server).unwrap();
    assert_eq!(pair.pipe.peer_certificates().count(), 2);
    assert_eq!(pair.pipe.peer_certificates().nth(1).unwrap(), &middle.der[..]);
}

#[test]
fn revoked() {
    let root = Authority::new("Root");
    let middle = root.intermediate("Middle");
    let with = |crls: Vec<Vec<u8>>| {
        let mut options = options(SslMode::VerifyCa, Some(&root));
        options.crl = crls.into_iter().map(|crl| PemSource::Pem(crl.into())).collect();
        options
    };
    let result = |crls| try_connect(&with(crls), HOST, root.server(HOST)).map(|_| ());
    assert_eq!(result(vec![root.crl(&[2], 2100)]), Err(TlsError::CertificateRevoked));
    assert_eq!(result(vec![root.crl(&[3], 2100)]), Ok(()));
    assert_eq!(result(vec![middle.crl(&[2], 2100)]), Err(TlsError::RevocationUnknown));
    assert_eq!(result(vec![root.crl(&[3], 2025)]), Err(TlsError::RevocationListExpired));

    let result = |crls| {
        let mut server = middle.server(HOST);
        server.chain.push(middle.der.clone());
        try_connect(&with(crls), HOST, server).map(|_| ())
    };
    assert_eq!(result(vec![root.crl(&[77], 2100), middle.crl(&[], 2100)]), Err(TlsError::CertificateRevoked));
    assert_eq!(result(vec![root.crl(&[], 2100), middle.crl(&[2], 2100)]), Err(TlsError::CertificateRevoked));
    assert_eq!(result(vec![root.crl(&[], 2100)]), Err(TlsError::RevocationUnknown));
    assert_eq!(result(vec![root.crl(&[], 2100), middle.crl(&[], 2100)]), Ok(()));

    // A list signed by somebody else of the CA's name says nothing.
    let forged = Authority::new("Root").crl(&[], 2100);
    let error = try_connect(&with(vec![forged]), HOST, root.server(HOST)).unwrap_err();
    assert!(matches!(error, TlsError::BadCertificate { .. }), "{error}");

    let mut nobody_asks = TlsOptions::new(SslMode::Required);
    nobody_asks.crl.push(PemSource::Pem(root.crl(&[], 2100).into()));
    assert_eq!(TlsClient::new(&nobody_asks).unwrap_err(), TlsError::CrlWithoutCa);
}

#[test]
fn a_self_signed_certificate_can_be_pinned() {
    let mut params = named(HOST);
    for is_ca in [rcgen::IsCa::NoCa, rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained)] {
        params.is_ca = is_ca;
        let server = self_signed(&params);
        let mut options = TlsOptions::new(SslMode::VerifyIdentity);
        options.ca.push(CaSource::Pem(pem(&server)));
        let other = self_signed(&params);
        try_connect(&options, HOST, server).unwrap();
        assert!(try_connect(&options, HOST, other).is_err());
    }
    // Only a self-signed one: for others, OpenSSL wants to see the issuer too.
    let server = Authority::new("The CA").server(HOST);
    let mut options = TlsOptions::new(SslMode::VerifyCa);
    options.ca.push(CaSource::Pem(pem(&server)));
    assert_eq!(try_connect(&options, HOST, server).unwrap_err(), TlsError::UnknownIssuer);

    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2002, 1, 1);
    let server = self_signed(&params);
    let mut options = TlsOptions::new(SslMode::VerifyCa);
    options.ca.push(CaSource::Pem(pem(&server)));
    let error = try_connect(&options, HOST, server).unwrap_err();
    assert!(matches!(error, TlsError::CertificateExpired { .. }), "{error}");
}

/// As `openssl x509 -req` makes them.
#[test]
fn version_1() {
    let ca = Authority::new("The CA");
    for versions in [BOTH, TLS12] {
        let result = |options: &TlsOptions, server| {
            connect(options, HOST, &Arc::new(server_config(server, versions))).1
        };
        assert_eq!(result(&options(SslMode::Required, None), ca.server_version1(HOST)), Ok(()));
        let verify = options(SslMode::VerifyIdentity, Some(&ca));
        assert_eq!(result(&verify, ca.server_version1(HOST)), Ok(()));
        let other = Authority::new("The CA");
        assert_eq!(result(&verify, other.server_version1(HOST)), Err(TlsError::UnknownIssuer));
        let error = result(&verify, ca.server_version1("elsewhere")).unwrap_err();
        assert!(matches!(error, TlsError::NameMismatch { .. }), "{error}");

        let mut crl = options(SslMode::VerifyCa, Some(&ca));
        crl.crl.push(PemSource::Pem(ca.crl(&[], 2100).into()));
        assert_eq!(result(&crl, ca.server_version1(HOST)), Err(TlsError::RevocationUnknown));

        // Somebody else's certificate, without its key.
        let stolen = Identity { chain: ca.server_version1(HOST).chain, key: ca.server(HOST).key };
        let error = result(&options(SslMode::Required, None), stolen).unwrap_err();
        assert!(matches!(error, TlsError::BadCertificate { .. }), "{error}");
    }

    // The client's own may be of that version too.
    let client = ca.server_version1("a client");
    let mut options = options(SslMode::Required, None);
    options.cert = Some(PemSource::Pem(pem(&client).into()));
    options.key = Some(PemSource::Pem(client.key.serialize_pem().into_bytes().into()));
    TlsClient::new(&options).unwrap();
}

/// Who can only listen must not be able to answer either: the signature of the handshake counts in every mode.
#[test]
fn a_certificate_without_its_key() {
    let ca = Authority::new("The CA");
    for versions in [BOTH, TLS12] {
        let stolen = Identity { chain: ca.server(HOST).chain, key: ca.server(HOST).key };
        let config = Arc::new(server_config(stolen, versions));
        let error = connect(&options(SslMode::Preferred, None), HOST, &config).1.unwrap_err();
        assert!(matches!(error, TlsError::BadCertificate { .. }), "{error}");
    }
}

#[test]
fn not_for_servers() {
    let ca = Authority::new("The CA");
    let mut params = named(HOST);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let error = try_connect(&options(SslMode::VerifyCa, Some(&ca)), HOST, ca.issue(&params)).unwrap_err();
    assert_eq!(error, TlsError::WrongPurpose);
}

#[test]
fn client_certificates() {
    let ca = Authority::new("The CA");
    let demanding = Arc::new(demanding_config(ca.server(HOST), &ca));
    let client = ca.server("a client");
    let own = ca.der.clone();
    let mut options = options(SslMode::VerifyCa, Some(&ca));
    options.cert = Some(PemSource::Pem(pem(&client).into()));
    options.key = Some(PemSource::Pem(client.key.serialize_pem().into_bytes().into()));
    let (pair, result) = connect(&options, HOST, &demanding);
    result.unwrap();
    assert_eq!(pair.server.peer_certificates().unwrap(), &client.chain[..]);

    // Either may be in the other's file.
    let both = [pem(&client), client.key.serialize_pem().into_bytes()].concat();
    for swap in [false, true] {
        options.cert = Some(PemSource::Pem(both.clone().into()));
        options.key = None;
        if swap {
            std::mem::swap(&mut options.cert, &mut options.key);
        }
        connect(&options, HOST, &demanding).1.unwrap();
    }

    options.cert = Some(PemSource::Pem(pem(&Identity { chain: vec![own], key: client.key }).into()));
    options.key = Some(PemSource::Pem(ca.server("x").key.serialize_pem().into_bytes().into()));
    assert_eq!(TlsClient::new(&options).unwrap_err(), TlsError::KeyMismatch);

    // None given. With TLS 1.3 the client is done before the server looks.
    options.cert = None;
    options.key = None;
    let mut pair = Pair::new(&TlsClient::new(&options).unwrap(), HOST, &demanding);
    let error = pair.exchange(usize::MAX).unwrap_err();
    assert_eq!(error.to_string(), "the server ended TLS with the alert certificate_required (116)");
    assert!(error.advice().contains("ssl-cert"));
}
