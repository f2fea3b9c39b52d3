//! Whether a server may be trusted: rustls' verifier trait with the meaning MySQL's `ssl-mode` gives it.
//!
//! Names are not looked at here: see [`names`](crate::names) and [`tls`](crate::tls) for where and why.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, ServerName, SubjectPublicKeyInfoDer, TrustAnchor, UnixTime,
};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, PeerMisbehaved, SignatureScheme};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RawPublicKeyEntity, RevocationOptionsBuilder,
};
use x509_parser::prelude::{FromDer, Validity, X509Certificate, X509Version};

use crate::{PemKind, TlsError, load};

/// Checks the server's signature of the handshake, which every mode needs, and with [`Trust`] its certificate's chain.
#[derive(Debug)]
pub(crate) struct Verifier {
    algorithms: WebPkiSupportedAlgorithms,
    trust: Option<Trust>,
}

impl Verifier {
    pub(crate) fn new(algorithms: WebPkiSupportedAlgorithms, trust: Option<Trust>) -> Self {
        Self { algorithms, trust }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(trust) = &self.trust {
            trust.check(end_entity, intermediates, now, &self.algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match version1_key(cert) {
            None => verify_tls12_signature(message, cert, signed, &self.algorithms),
            Some(key) => verify_tls12_with_raw_key(message, &key, signed, &self.algorithms),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match version1_key(cert) {
            None => verify_tls13_signature(message, cert, signed, &self.algorithms),
            Some(key) => verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What certificates are checked against.
#[derive(Debug)]
pub(crate) struct Trust {
    /// Lets webpki build chains; `cas` has the rest about each, at the same place.
    anchors: Vec<TrustAnchor<'static>>,
    cas: Vec<Ca>,
    crls: Vec<CertRevocationList<'static>>,
}

#[derive(Debug)]
struct Ca {
    der: CertificateDer<'static>,
    key: SubjectPublicKeyInfoDer<'static>,
    subject: Vec<u8>,
    self_issued: bool,
    validity: Validity,
}

impl Trust {
    pub(crate) fn new(
        cas: Vec<CertificateDer<'static>>,
        crls: &[CertificateRevocationListDer<'_>],
    ) -> Result<Self, TlsError> {
        let mut trust = Self { anchors: Vec::new(), cas: Vec::new(), crls: Vec::new() };
        let mut why = String::new();
        for der in cas {
            // One odd certificate in an operating system's store must not spoil the rest.
            match Self::parse(&der) {
                Ok((anchor, ca)) => {
                    trust.anchors.push(anchor);
                    trust.cas.push(ca);
                }
                Err(reason) => why = reason,
            }
        }
        if trust.cas.is_empty() {
            return Err(load::failed(PemKind::Ca, "what was given", why));
        }
        for der in crls {
            let crl = OwnedCertRevocationList::from_der(der).map_err(|error| {
                let hint = match error {
                    webpki::Error::UnsupportedCrlVersion => ": it must be of version 2, with a CRL number",
                    _ => "",
                };
                load::failed(PemKind::Crl, "what was given", format!("{error}{hint}"))
            })?;
            trust.crls.push(crl.into());
        }
        Ok(trust)
    }

    fn parse(der: &CertificateDer<'static>) -> Result<(TrustAnchor<'static>, Ca), String> {
        let anchor = webpki::anchor_from_trusted_cert(der).map_err(|error| error.to_string())?.to_owned();
        let (_, parsed) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
        let ca = Ca {
            der: der.clone(),
            key: parsed.public_key().raw.to_vec().into(),
            subject: parsed.subject().as_raw().to_vec(),
            self_issued: parsed.subject().as_raw() == parsed.issuer().as_raw(),
            validity: parsed.validity().clone(),
        };
        Ok((anchor, ca))
    }

    fn check(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), rustls::Error> {
        // A server's self-signed certificate given as the CA is trusted for what it is, whatever it says about itself.
        if let Some(pinned) = self.cas.iter().find(|ca| ca.self_issued && ca.der == *end_entity) {
            return in_time(&pinned.validity, now).map_err(rejected);
        }
        match EndEntityCert::try_from(end_entity) {
            Ok(certificate) => {
                self.check_chain(&certificate, intermediates, now, algorithms).map_err(rejected)
            }
            Err(webpki::Error::UnsupportedCertVersion) => self.check_version1(end_entity, now, algorithms),
            Err(error) => Err(rejected(error)),
        }
    }

    fn check_chain(
        &self,
        certificate: &EndEntityCert<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), webpki::Error> {
        let crls = self.crls.iter().collect::<Vec<_>>();
        // Without lists there is nothing to build, and nothing is checked.
        let revocation = RevocationOptionsBuilder::new(&crls)
            .ok()
            .map(|builder| builder.with_expiration_policy(ExpirationPolicy::Enforce).build());
        // webpki takes a trust anchor for good for ever; OpenSSL does not.
        let anchor_in_time = |path: &webpki::VerifiedPath<'_>| {
            let position = self.anchors.iter().position(|anchor| std::ptr::eq(anchor, path.anchor()));
            let ca =
                position.and_then(|position| self.cas.get(position)).ok_or(webpki::Error::UnknownIssuer)?;
            in_time(&ca.validity, now)
        };
        certificate
            .verify_for_usage(
                algorithms.all,
                &self.anchors,
                intermediates,
                now,
                KeyUsage::server_auth(),
                revocation,
                Some(&anchor_in_time),
            )
            .map(|_| ())
    }

    /// Certificates of X.509 version 1, which `openssl x509 -req` makes when it is given no extensions: the way that
    /// MySQL's manual long showed. webpki knows version 3 only. With no extensions there is little to check: issued
    /// by a given CA itself, and in time.
    fn check_version1(
        &self,
        end_entity: &CertificateDer<'_>,
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), rustls::Error> {
        let (_, parsed) = X509Certificate::from_der(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        in_time(parsed.validity(), now).map_err(rejected)?;
        let signed = parsed.tbs_certificate.as_ref();
        let signature = &parsed.signature_value.data;
        let issuer = self.cas.iter().zip(&self.anchors).find(|(ca, anchor)| {
            // A version 1 certificate has no names that the constraints of a CA could be held against.
            ca.subject == parsed.issuer().as_raw()
                && anchor.name_constraints.is_none()
                && RawPublicKeyEntity::try_from(&ca.key).is_ok_and(|key| {
                    algorithms.all.iter().any(|with| key.verify_signature(*with, signed, signature).is_ok())
                })
        });
        let (issuer, _) = issuer.ok_or(CertificateError::UnknownIssuer)?;
        in_time(&issuer.validity, now).map_err(rejected)?;
        if !self.crls.is_empty() {
            return Err(CertificateError::UnknownRevocationStatus.into());
        }
        Ok(())
    }
}

/// The public key of a certificate that webpki does not read because of its version.
fn version1_key(cert: &CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'static>> {
    if !matches!(EndEntityCert::try_from(cert), Err(webpki::Error::UnsupportedCertVersion)) {
        return None;
    }
    let (_, parsed) = X509Certificate::from_der(cert).ok()?;
    (parsed.version() == X509Version::V1).then(|| parsed.public_key().raw.to_vec().into())
}

/// As rustls does for certificates that it can read: TLS 1.2's schemes leave open which algorithm fits the key.
fn verify_tls12_with_raw_key(
    message: &[u8],
    key: &SubjectPublicKeyInfoDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let candidates = algorithms
        .mapping
        .iter()
        .find(|(scheme, _)| *scheme == signed.scheme)
        .map(|(_, candidates)| *candidates)
        .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    let key = RawPublicKeyEntity::try_from(key).map_err(rejected)?;
    let valid =
        candidates.iter().any(|with| key.verify_signature(*with, message, signed.signature()).is_ok());
    if valid { Ok(HandshakeSignatureValid::assertion()) } else { Err(CertificateError::BadSignature.into()) }
}

fn in_time(validity: &Validity, now: UnixTime) -> Result<(), webpki::Error> {
    // Years before 1970 have been and gone.
    let time = |timestamp: i64| {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(timestamp.max(0).unsigned_abs()))
    };
    let (not_before, not_after) =
        (time(validity.not_before.timestamp()), time(validity.not_after.timestamp()));
    if now < not_before {
        Err(webpki::Error::CertNotValidYet { time: now, not_before })
    } else if now > not_after {
        Err(webpki::Error::CertExpired { time: now, not_after })
    } else {
        Ok(())
    }
}

/// rustls' kind for each of webpki's that a user would want to tell apart; it also decides which alert the server gets.
fn rejected(error: webpki::Error) -> rustls::Error {
    use webpki::Error as W;
    rustls::Error::InvalidCertificate(match error {
        W::CertExpired { time, not_after } => CertificateError::ExpiredContext { time, not_after },
        W::CertNotValidYet { time, not_before } => CertificateError::NotValidYetContext { time, not_before },
        W::CertRevoked => CertificateError::Revoked,
        // All CAs that MySQL generates have the same name for a server version, so a wrong one shows only by its key.
        W::UnknownIssuer | W::InvalidSignatureForPublicKey => CertificateError::UnknownIssuer,
        W::UnknownRevocationStatus => CertificateError::UnknownRevocationStatus,
        W::CrlExpired { time, next_update } => {
            CertificateError::ExpiredRevocationListContext { time, next_update }
        }
        W::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    })
}
