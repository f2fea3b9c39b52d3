//! rustls' errors in this crate's words.

use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error, InvalidMessage};
use x509_parser::time::ASN1Time;

use crate::{Alert, TlsError};

/// `handshaking` tells a server that speaks no TLS from one that speaks it wrongly.
pub(crate) fn from_rustls(error: Error, handshaking: bool) -> TlsError {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::NoCertificatesPresented => TlsError::BadCertificate { reason: "there is none".to_owned() },
        Error::AlertReceived(alert) => TlsError::Alert(Alert(alert.into())),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        ) if handshaking => TlsError::NotTls { reason: error.to_string() },
        Error::PeerIncompatible(error) => TlsError::Incompatible { reason: format!("{error:?}") },
        Error::InvalidMessage(_)
        | Error::PeerMisbehaved(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::DecryptError
        | Error::PeerSentOversizedRecord => TlsError::Protocol { reason: error.to_string() },
        other => TlsError::Internal { reason: other.to_string() },
    }
}

fn certificate(error: CertificateError) -> TlsError {
    match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            TlsError::CertificateExpired { not_after: date(not_after) }
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            TlsError::CertificateNotYetValid { not_before: date(not_before) }
        }
        CertificateError::UnknownIssuer => TlsError::UnknownIssuer,
        CertificateError::Revoked => TlsError::CertificateRevoked,
        CertificateError::UnknownRevocationStatus => TlsError::RevocationUnknown,
        CertificateError::ExpiredRevocationListContext { .. } => TlsError::RevocationListExpired,
        CertificateError::InvalidPurpose => TlsError::WrongPurpose,
        CertificateError::BadSignature => {
            TlsError::BadCertificate { reason: "the server does not hold its key".to_owned() }
        }
        other => TlsError::BadCertificate { reason: other.to_string() },
    }
}

fn date(time: UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| ASN1Time::from_timestamp(seconds).ok())
        .map_or_else(|| format!("{} s after 1970", time.as_secs()), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::AlertDescription;
    use std::time::Duration;

    #[test]
    fn kinds() {
        let alert = from_rustls(Error::AlertReceived(AlertDescription::UnrecognisedName), true);
        assert_eq!(alert, TlsError::Alert(Alert::UNRECOGNIZED_NAME));
        let garbled = Error::InvalidMessage(InvalidMessage::InvalidContentType);
        assert!(matches!(from_rustls(garbled.clone(), true), TlsError::NotTls { .. }));
        assert!(matches!(from_rustls(garbled, false), TlsError::Protocol { .. }));
    }

    #[test]
    fn dates_are_readable() {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(1_700_000_000));
        let error = certificate(CertificateError::ExpiredContext { time, not_after: time });
        assert_eq!(error.to_string(), "the server's certificate expired Nov 14 22:13:20 2023 +00:00");
    }
}
