//! Whether a certificate is for a host, by the rules that OpenSSL's `X509_check_host` and `X509_check_ip` follow, since
//! MySQL's clients and the certificates made for them rely on those.
//!
//! rustls knows subject alternative names only. MySQL's own generated certificates have none: what they are for is in
//! the subject's common name.

use std::net::IpAddr;

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::TlsError;

/// Checks that the certificate (DER) is for `host`.
///
/// | host | accepted are |
/// |---|---|
/// | IP address | an iPAddress name equal to it; a dNSName that is the same text; with neither kind of name in the certificate, a common name that is the same text |
/// | anything else | a dNSName that matches, wildcard or not; with no dNSName in the certificate, a common name that does |
pub(crate) fn check(certificate: &[u8], host: &str) -> Result<(), TlsError> {
    let bad = |reason: String| TlsError::BadCertificate { reason };
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|error| bad(error.to_string()))?;
    let names = certificate.subject_alternative_name().map_err(|error| bad(error.to_string()))?;
    let names = names.map_or(&[][..], |extension| &extension.value.general_names);
    let address = host.parse::<IpAddr>().ok();

    let mut presented = Vec::new();
    let mut common_name_counts = true;
    for name in names {
        match name {
            GeneralName::DNSName(pattern) => {
                common_name_counts = false;
                if matches(pattern, host, address.is_some()) {
                    return Ok(());
                }
                presented.push((*pattern).to_owned());
            }
            GeneralName::IPAddress(bytes) => {
                common_name_counts &= address.is_none();
                match (ip(bytes), address) {
                    (Some(named), Some(wanted)) if named == wanted => return Ok(()),
                    (Some(named), _) => presented.push(named.to_string()),
                    (None, _) => {}
                }
            }
            _ => {}
        }
    }
    if common_name_counts {
        for name in certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok()) {
            if matches(name, host, address.is_some()) {
                return Ok(());
            }
            presented.push(name.to_owned());
        }
    }
    Err(TlsError::NameMismatch { host: host.to_owned(), presented })
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Wildcards are for names: no pattern covers several addresses.
fn matches(pattern: &str, host: &str, is_address: bool) -> bool {
    if pattern.is_empty() {
        return false;
    }
    match pattern.split_once('*') {
        Some((before, after)) if !is_address && wildcard_allowed(before, after) => {
            wildcard(before, after, host)
        }
        _ => pattern.eq_ignore_ascii_case(host),
    }
}

/// A wildcard is honoured if it is the only one, in the first label, at the beginning or the end of it; not in an
/// internationalised label; and if at least two labels follow, all of them well formed.
fn wildcard_allowed(before: &str, after: &str) -> bool {
    let Some((rest_of_label, parents)) = after.split_once('.') else {
        return false;
    };
    let part = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let label = |text: &str| !text.is_empty() && !text.starts_with('-') && !text.ends_with('-') && part(text);
    part(before)
        && !before.starts_with('-')
        && !is_idna(before)
        && part(rest_of_label)
        && !rest_of_label.ends_with('-')
        && (before.is_empty() || rest_of_label.is_empty())
        && parents.contains('.')
        && parents.split('.').all(label)
}

fn is_idna(label: &str) -> bool {
    label.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("xn--"))
}

/// Whether `host` is `before`, something, `after`, and the something stays within a label.
fn wildcard(before: &str, after: &str, host: &str) -> bool {
    let Some(middle_len) = host.len().checked_sub(before.len() + after.len()) else {
        return false;
    };
    let whole_label = before.is_empty() && after.starts_with('.');
    let (Some(head), Some(middle), Some(tail)) = (
        host.get(..before.len()),
        host.get(before.len()..before.len() + middle_len),
        host.get(before.len() + middle_len..),
    ) else {
        return false;
    };
    head.eq_ignore_ascii_case(before)
        && tail.eq_ignore_ascii_case(after)
        && !(whole_label && middle.is_empty())
        && (whole_label || !is_idna(host))
        && middle.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    fn certificate(common_name: Option<&str>, names: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name.remove(DnType::CommonName);
        if let Some(name) = common_name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) if name.contains('@') => SanType::Rfc822Name((*name).try_into().unwrap()),
                Err(_) => SanType::DnsName((*name).try_into().unwrap()),
            })
            .collect();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn is_for(common_name: Option<&str>, names: &[&str], host: &str) -> bool {
        check(&certificate(common_name, names), host).is_ok()
    }

    #[test]
    fn common_name_counts_without_dns_names() {
        let generated = "MySQL_Server_9.7.0_Auto_Generated_Server_Certificate";
        assert!(is_for(Some(generated), &[], generated));
        assert!(is_for(Some("DB.example.com"), &[], "db.Example.COM"));
        assert!(is_for(Some("*.example.com"), &[], "db.example.com"));
        assert!(!is_for(Some("db.example.com"), &["other.example.com"], "db.example.com"));
        assert!(is_for(Some("db.example.com"), &["10.0.0.1", "dba@example.com"], "db.example.com"));
        assert!(!is_for(None, &[], "db.example.com"));
        assert!(!is_for(Some(""), &[], ""));
    }

    #[test]
    fn addresses() {
        assert!(is_for(None, &["10.0.0.1"], "10.0.0.1"));
        assert!(!is_for(None, &["10.0.0.1"], "10.0.0.2"));
        assert!(is_for(None, &["2001:db8::1"], "2001:0DB8:0:0::1"));
        assert!(is_for(Some("127.0.0.1"), &[], "127.0.0.1"));
        assert!(!is_for(Some("10.0.0.2"), &["10.0.0.1"], "10.0.0.2"));
        assert!(!is_for(Some("*.0.0.1"), &[], "10.0.0.1"));
        assert!(!is_for(None, &["*.0.0.1"], "10.0.0.1"));
    }

    #[test]
    fn mismatch_tells_what_there_is() {
        let error = check(&certificate(Some("unused"), &["a.example", "10.0.0.1"]), "b.example").unwrap_err();
        let presented = vec!["a.example".to_owned(), "10.0.0.1".to_owned()];
        assert_eq!(error, TlsError::NameMismatch { host: "b.example".into(), presented });
    }

    #[test]
    fn wildcards_as_openssl_reads_them() {
        for (pattern, host, expected) in [
            ("*.example.com", "db.example.com", true),
            ("*.example.com", "DB-1.EXAMPLE.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "xn--db-eka.example.com", true),
            ("db*.example.com", "db1.example.com", true),
            ("db*.example.com", "db.example.com", true),
            ("*db.example.com", "1db.example.com", true),
            ("d*b.example.com", "d1b.example.com", false),
            ("x*.example.com", "xn--db-eka.example.com", false),
            ("xn--*.example.com", "xn--db.example.com", false),
            ("*.com", "example.com", false),
            ("*", "localhost", false),
            ("*.*.example.com", "a.b.example.com", false),
            ("db.*.example.com", "db.a.example.com", false),
            ("*.exa mple.com", "db.exa mple.com", false),
            ("*.-x.com", "db.-x.com", false),
            ("*.x..com", "db.x..com", false),
            ("*.example.com.", "db.example.com.", false),
            ("*.example.com", "d_b.example.com", false),
            ("*.example.com", "é.example.com", false),
        ] {
            assert_eq!(matches(pattern, host, false), expected, "{pattern} for {host}");
        }
    }

    #[test]
    fn no_certificate_is_no_panic() {
        assert!(matches!(check(b"\x30\x03\x02\x01\x00", "db"), Err(TlsError::BadCertificate { .. })));
    }
}
