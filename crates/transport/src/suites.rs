//! Names of cipher suites: OpenSSL's, which MySQL's options and status variables use, and IANA's.

use rustls::{CipherSuite, SupportedCipherSuite};

use crate::TlsError;

/// Suite, OpenSSL's name, IANA's name. All that rustls has.
const NAMES: &[(CipherSuite, &str, &str)] = &[
    (CipherSuite::TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
    (CipherSuite::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
    (
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_CHACHA20_POLY1305_SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-RSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    ),
];

/// OpenSSL's name of the suite.
pub(crate) fn name(suite: CipherSuite) -> &'static str {
    NAMES
        .iter()
        .find(|(known, ..)| *known == suite)
        .map_or_else(|| suite.as_str().unwrap_or("unknown"), |(_, openssl, _)| openssl)
}

/// The suites of one TLS version to offer, in the order of the names given. All that are supported, if none are given.
pub(crate) fn choose(
    supported: &[SupportedCipherSuite],
    tls13: bool,
    names: Option<&[String]>,
) -> Result<Vec<SupportedCipherSuite>, TlsError> {
    let of_version = || supported.iter().copied().filter(|suite| suite.tls13().is_some() == tls13);
    let Some(names) = names else {
        return Ok(of_version().collect());
    };
    let mut chosen = Vec::new();
    for name in names {
        let known = NAMES
            .iter()
            .find(|(_, openssl, iana)| name.eq_ignore_ascii_case(openssl) || name.eq_ignore_ascii_case(iana));
        if let Some((id, ..)) = known
            && let Some(suite) = of_version().find(|suite| suite.suite() == *id)
            && !chosen.contains(&suite)
        {
            chosen.push(suite);
        }
    }
    // An empty list is a way to switch a version off; a list of which nothing is known is a mistake.
    if chosen.is_empty() && !names.is_empty() {
        return Err(TlsError::UnknownCiphers { given: names.join(":") });
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supported() -> Vec<SupportedCipherSuite> {
        rustls::crypto::aws_lc_rs::default_provider().cipher_suites
    }

    fn ids(suites: &[SupportedCipherSuite]) -> Vec<&'static str> {
        suites.iter().map(|suite| name(suite.suite())).collect()
    }

    #[test]
    fn every_supported_suite_has_its_names() {
        for suite in supported() {
            assert!(NAMES.iter().any(|(id, ..)| *id == suite.suite()), "{suite:?}");
        }
    }

    #[test]
    fn suites_come_in_the_order_asked_for() {
        let names = ["AES256-SHA", "ECDHE-RSA-AES128-GCM-SHA256", "tls_ecdhe_rsa_with_aes_256_gcm_sha384"]
            .map(String::from);
        let chosen = choose(&supported(), false, Some(&names)).unwrap();
        assert_eq!(ids(&chosen), ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"]);
        assert_eq!(choose(&supported(), true, None).unwrap().len(), 3);
    }

    #[test]
    fn unknown_suites() {
        let names = ["RC4-MD5".to_owned(), "TLS_AES_128_GCM_SHA256".to_owned()];
        let error = choose(&supported(), false, Some(&names)).unwrap_err();
        assert_eq!(error, TlsError::UnknownCiphers { given: "RC4-MD5:TLS_AES_128_GCM_SHA256".into() });
        assert_eq!(choose(&supported(), true, Some(&[])).unwrap(), []);
    }
}
