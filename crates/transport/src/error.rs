//! The one error type, and TLS alerts.

use std::fmt;

use crate::SslMode;

/// Why there is no TLS, or no more of it. What ends TLS on a pipe is final: every later call repeats it.
///
/// Texts in fields are for people; kinds are for code.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsError {
    /// This build has no TLS (feature `tls`).
    NotBuilt,
    /// TLS was started with options that say `DISABLED`.
    Disabled,
    /// TLS was started twice on one pipe.
    AlreadyStarted,
    /// TLS was started while bytes waited to be sent in the clear.
    Unsent {
        /// How many
        bytes: usize,
    },

    /// `VERIFY_CA` and `VERIFY_IDENTITY` need a CA to check against, and none was given.
    MissingCa {
        /// The mode asked for
        mode: SslMode,
    },
    /// A revocation list was given but no CA, so that it would never be looked at.
    CrlWithoutCa,
    /// Certificates, a key or a revocation list could not be loaded.
    Load {
        /// What was to be loaded
        what: PemKind,
        /// From where
        from: String,
        /// What went wrong
        reason: String,
    },
    /// The client's private key does not belong to its certificate.
    KeyMismatch,
    /// None of the cipher suites asked for is known.
    UnknownCiphers {
        /// The names given
        given: String,
    },
    /// Versions and cipher suites asked for leave nothing to offer.
    NothingToOffer,
    /// The name for the SNI extension is not a DNS name.
    BadSni {
        /// The name given
        name: String,
    },

    /// Bytes came in clear when TLS was about to start: someone between may have planted replies.
    PlaintextInjected {
        /// How many
        bytes: usize,
    },

    /// A certificate of the server's chain is past its time.
    CertificateExpired {
        /// When its time ended
        not_after: String,
    },
    /// A certificate of the server's chain is before its time.
    CertificateNotYetValid {
        /// When its time begins
        not_before: String,
    },
    /// The server's certificate does not lead to a given CA.
    UnknownIssuer,
    /// A certificate of the server's chain has been revoked by its issuer.
    CertificateRevoked,
    /// Revocation lists were given, but none speaks about a certificate of the server's chain.
    RevocationUnknown,
    /// A revocation list is past its time.
    RevocationListExpired,
    /// The server's certificate is for other names.
    NameMismatch {
        /// The host, as the user gave it
        host: String,
        /// Names in the certificate
        presented: Vec<String>,
    },
    /// The server's certificate is not for servers.
    WrongPurpose,
    /// The server's certificate, or its signature of the handshake, is not acceptable for another reason.
    BadCertificate {
        /// What is wrong
        reason: String,
    },

    /// The server ended TLS with an alert.
    Alert(Alert),
    /// What came is not TLS.
    NotTls {
        /// What is wrong
        reason: String,
    },
    /// Server and client have no version, cipher suite or key exchange in common.
    Incompatible {
        /// What is missing
        reason: String,
    },
    /// The server broke the rules of TLS.
    Protocol {
        /// Which one
        reason: String,
    },
    /// The stream ended inside the handshake.
    HandshakeEof,
    /// The stream ended without the server's goodbye (`close_notify`): what was received may be cut short.
    Truncated,
    /// So much was sent that the keys are used up (TLS 1.2 only).
    KeysExhausted,
    /// The TLS library failed: no random numbers, no clock, or a bug.
    Internal {
        /// What it says
        reason: String,
    },
}

/// Whose fault an error is, which tells whom to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The code that calls this crate.
    Caller,
    /// The options the user gave; found before anything is sent.
    Options,
    /// The server's certificate does not satisfy the options.
    Certificate,
    /// The peer, or who sits between.
    Peer,
}

/// What is loaded from PEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PemKind {
    /// `ssl-ca`, `ssl-capath`
    Ca,
    /// `ssl-cert`
    Certificate,
    /// `ssl-key`
    Key,
    /// `ssl-crl`, `ssl-crlpath`
    Crl,
}

impl fmt::Display for PemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ca => "CA certificates",
            Self::Certificate => "the client certificate",
            Self::Key => "the client key",
            Self::Crl => "revocation lists",
        })
    }
}

/// A TLS alert by its number (RFC 8446, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Alert(pub u8);

impl Alert {
    /// The server knows no host of the name that was told by SNI. MySQL's clients have an error number of its own
    /// for this one.
    pub const UNRECOGNIZED_NAME: Self = Self(112);

    /// The name in the RFC, `handshake_failure` for one.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            21 => "decryption_failed",
            22 => "record_overflow",
            30 => "decompression_failure",
            40 => "handshake_failure",
            41 => "no_certificate",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            60 => "export_restriction",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            100 => "no_renegotiation",
            109 => "missing_extension",
            110 => "unsupported_extension",
            111 => "certificate_unobtainable",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            114 => "bad_certificate_hash_value",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            120 => "no_application_protocol",
            _ => "unknown alert",
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

impl TlsError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotBuilt | Self::Disabled | Self::AlreadyStarted | Self::Unsent { .. } => Fault::Caller,
            Self::MissingCa { .. }
            | Self::CrlWithoutCa
            | Self::Load { .. }
            | Self::KeyMismatch
            | Self::UnknownCiphers { .. }
            | Self::NothingToOffer
            | Self::BadSni { .. } => Fault::Options,
            Self::CertificateExpired { .. }
            | Self::CertificateNotYetValid { .. }
            | Self::UnknownIssuer
            | Self::CertificateRevoked
            | Self::RevocationUnknown
            | Self::RevocationListExpired
            | Self::NameMismatch { .. }
            | Self::WrongPurpose
            | Self::BadCertificate { .. } => Fault::Certificate,
            Self::PlaintextInjected { .. }
            | Self::Alert(_)
            | Self::NotTls { .. }
            | Self::Incompatible { .. }
            | Self::Protocol { .. }
            | Self::HandshakeEof
            | Self::Truncated
            | Self::KeysExhausted
            | Self::Internal { .. } => Fault::Peer,
        }
    }

    /// One plain sentence on what to do.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NotBuilt => "Build with the feature `tls`, or use ssl-mode=DISABLED.",
            Self::Disabled => "Do not start TLS with ssl-mode=DISABLED, or choose another mode.",
            Self::AlreadyStarted => "Start TLS once on a connection; this is a bug in the calling code.",
            Self::Unsent { .. } => {
                "Send what is waiting before TLS starts; this is a bug in the calling code."
            }
            Self::MissingCa { .. } => {
                "Give the server's CA with ssl-ca (or ssl-ca=system), or use ssl-mode=REQUIRED."
            }
            Self::CrlWithoutCa => "Give the CA that issued the list with ssl-ca.",
            Self::Load { .. } => "Check the path, that the file can be read, and that it holds PEM.",
            Self::KeyMismatch => "Give ssl-key and ssl-cert that were made together.",
            Self::UnknownCiphers { .. } => {
                "Use names such as TLS_AES_256_GCM_SHA384 in tls-ciphersuites and ECDHE-RSA-AES256-GCM-SHA384 in ssl-cipher."
            }
            Self::NothingToOffer => {
                "Allow at least one of TLSv1.2 and TLSv1.3, and a cipher suite that fits it."
            }
            Self::BadSni { .. } => "Give tls-sni-servername a DNS name.",
            Self::PlaintextInjected { .. } => {
                "Do not trust the network in between; something sent bytes ahead of the server."
            }
            Self::CertificateExpired { .. } => "Renew the certificate, and check this machine's clock.",
            Self::CertificateNotYetValid { .. } => {
                "Check this machine's clock and the server's when the certificate was made."
            }
            Self::UnknownIssuer => {
                "Give the CA that issued the server's certificate (on the server: ca.pem in the data directory)."
            }
            Self::CertificateRevoked => "Give the server a new certificate; do not trust the old one.",
            Self::RevocationUnknown => "Give a revocation list of each CA in the server's chain.",
            Self::RevocationListExpired => "Get a newer revocation list from the CA.",
            Self::NameMismatch { .. } => {
                "Connect by a name that the certificate holds, give the server a certificate for this host, or use ssl-mode=VERIFY_CA."
            }
            Self::WrongPurpose => "Give the server a certificate whose extended key usage allows servers.",
            Self::BadCertificate { .. } => "Give the server a certificate that follows RFC 5280.",
            Self::Alert(alert) => alert.advice(),
            Self::NotTls { .. } => {
                "Check that the port is the server's own and that no proxy in between ends TLS."
            }
            Self::Incompatible { .. } => {
                "Allow TLSv1.2 or TLSv1.3 and a common cipher suite on the server, or loosen tls-version and ssl-cipher."
            }
            Self::Protocol { .. } => {
                "Check what sits between client and server; the bytes were changed or the server is faulty."
            }
            Self::HandshakeEof => {
                "Look into the server's error log; it closed the connection during the TLS handshake."
            }
            Self::Truncated => "Connect again; the server or something in between cut the connection.",
            Self::KeysExhausted => "Connect again, or allow TLSv1.3, which renews keys.",
            Self::Internal { .. } => "Check this machine's clock and source of random numbers.",
        }
    }
}

impl Alert {
    fn advice(self) -> &'static str {
        match self.0 {
            42..=46 | 116 => {
                "Check ssl-cert and ssl-key; the server does not accept the client's certificate or wants one."
            }
            48 => "Use a client certificate issued by the CA that the server trusts.",
            40 | 70 | 71 => {
                "Allow TLSv1.2 or TLSv1.3 and a common cipher suite on the server, or loosen tls-version and ssl-cipher."
            }
            112 => "Give tls-sni-servername the name by which the server is known, or leave it out.",
            _ => "Look into the server's error log.",
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBuilt => f.write_str("this build has no TLS"),
            Self::Disabled => f.write_str("TLS is disabled by the options"),
            Self::AlreadyStarted => f.write_str("TLS is already on"),
            Self::Unsent { bytes } => write!(f, "{bytes} bytes still wait to be sent in the clear"),
            Self::MissingCa { mode } => write!(f, "ssl-mode={mode} needs a CA certificate and none is given"),
            Self::CrlWithoutCa => f.write_str("a revocation list is given but no CA certificate"),
            Self::Load { what, from, reason } => write!(f, "cannot load {what} from {from}: {reason}"),
            Self::KeyMismatch => f.write_str("the client key does not belong to the client certificate"),
            Self::UnknownCiphers { given } => write!(f, "no known cipher suite in {given:?}"),
            Self::NothingToOffer => {
                f.write_str("the options leave no TLS version with a cipher suite to offer")
            }
            Self::BadSni { name } => write!(f, "{name:?} cannot be sent as server name"),
            Self::PlaintextInjected { bytes } => {
                write!(f, "{bytes} bytes came in the clear when TLS was about to start")
            }
            Self::CertificateExpired { not_after } => {
                write!(f, "the server's certificate expired {not_after}")
            }
            Self::CertificateNotYetValid { not_before } => {
                write!(f, "the server's certificate is not valid before {not_before}")
            }
            Self::UnknownIssuer => f.write_str("the server's certificate was not issued by a trusted CA"),
            Self::CertificateRevoked => f.write_str("the server's certificate has been revoked"),
            Self::RevocationUnknown => f.write_str("no revocation list covers the server's certificate"),
            Self::RevocationListExpired => f.write_str("a revocation list is past its time"),
            Self::NameMismatch { host, presented } if presented.is_empty() => {
                write!(f, "the server's certificate is not for {host:?}, it names no host")
            }
            Self::NameMismatch { host, presented } => {
                write!(f, "the server's certificate is not for {host:?} but for {}", presented.join(", "))
            }
            Self::WrongPurpose => f.write_str("the server's certificate is not for servers"),
            Self::BadCertificate { reason } => {
                write!(f, "the server's certificate is not acceptable: {reason}")
            }
            Self::Alert(alert) => write!(f, "the server ended TLS with the alert {alert}"),
            Self::NotTls { reason } => write!(f, "what the server sent is not TLS: {reason}"),
            Self::Incompatible { reason } => write!(f, "no TLS in common with the server: {reason}"),
            Self::Protocol { reason } => write!(f, "the server broke the TLS protocol: {reason}"),
            Self::HandshakeEof => f.write_str("the connection ended during the TLS handshake"),
            Self::Truncated => f.write_str("the connection ended without TLS close_notify"),
            Self::KeysExhausted => f.write_str("the TLS keys are used up"),
            Self::Internal { reason } => write!(f, "TLS failed on this side: {reason}"),
        }
    }
}

impl std::error::Error for TlsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let error =
            TlsError::NameMismatch { host: "db".into(), presented: vec!["a.example".into(), "b".into()] };
        assert_eq!(error.to_string(), "the server's certificate is not for \"db\" but for a.example, b");
        assert_eq!(error.fault(), Fault::Certificate);
        let error = TlsError::Alert(Alert::UNRECOGNIZED_NAME);
        assert_eq!(error.to_string(), "the server ended TLS with the alert unrecognized_name (112)");
        assert!(error.advice().contains("tls-sni-servername"));
        assert_eq!(Alert(7).to_string(), "unknown alert (7)");
    }
}
