//! The grammar: where the parts of a URL begin and end.

use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;
use porpoise_auth::Secret;

use super::UrlError;

/// The parts of a URL, decoded.
pub(super) struct Url<'a> {
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) database: String,
    /// Encoded: what is wrong in it depends on the key.
    pub(super) query: &'a str,
}

impl<'a> Url<'a> {
    /// `scheme` ends in `://`.
    pub(super) fn parse(url: &'a str, scheme: &'static str) -> Result<Self, UrlError> {
        let begin = url.get(..scheme.len()).filter(|begin| begin.eq_ignore_ascii_case(scheme));
        let rest = begin.and_then(|begin| url.get(begin.len()..)).ok_or(UrlError::Scheme { scheme })?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        // Nothing of a database with a separator in it is shown: a password may have been cut in two here.
        if database.contains(['/', '@']) {
            return Err(UrlError::Ambiguous);
        }
        let (login, address) = match authority.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, authority),
        };
        let (user, password) = match login.map(|login| login.split_once(':').ok_or(login)) {
            Some(Ok((user, password))) => (Some(user), Some(password)),
            Some(Err(user)) => (Some(user), None),
            None => (None, None),
        };
        let (host, port) = split_address(address)?;
        let user = user.filter(|user| !user.is_empty());
        Ok(Self {
            user: user.map(|user| text("the user name", user)).transpose()?,
            password: password.map(|password| decode("the password", password)).transpose()?,
            host: text("the host", host)?,
            port: port.map(|port| number(port).ok_or(UrlError::BadPort)).transpose()?,
            database: text("the database name", database)?,
            query,
        })
    }
}

/// `host`, `host:port`, `[IPv6]` or `[IPv6]:port`; any part may be empty.
fn split_address(address: &str) -> Result<(&str, Option<&str>), UrlError> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(UrlError::BadHost)?;
            let bare = host.split('%').next().unwrap_or(host);
            bare.parse::<Ipv6Addr>().map_err(|_| UrlError::BadHost)?;
            let port = match after.strip_prefix(':') {
                None if !after.is_empty() => return Err(UrlError::BadHost),
                port => port,
            };
            (host, port)
        }
        None => match address.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err(UrlError::BadHost),
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    Ok((host, port.filter(|port| !port.is_empty())))
}

fn number(port: &str) -> Option<u16> {
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| digits && *port != 0)
}

/// Decodes in one allocation, so that a password leaves no copy behind.
pub(super) fn decode(part: &'static str, encoded: &str) -> Result<Secret, UrlError> {
    let mut escapes = encoded.split('%').skip(1).map(str::as_bytes);
    if !escapes.all(|after| matches!(after, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())) {
        return Err(UrlError::BadEncoding { part });
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    bytes.extend(percent_decode_str(encoded));
    Ok(Secret::from(bytes))
}

pub(super) fn text(part: &'static str, encoded: &str) -> Result<String, UrlError> {
    let decoded = decode(part, encoded)?;
    str::from_utf8(decoded.expose()).map(str::to_owned).map_err(|_| UrlError::NotUtf8 { part })
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    const SCHEME: &str = "mysql://";

    fn fault(url: &str) -> String {
        Url::parse(url, SCHEME).err().unwrap().to_string()
    }

    fn address(url: &str) -> (String, Option<u16>) {
        let url = Url::parse(url, SCHEME).unwrap();
        (url.host, url.port)
    }

    fn password(url: &str) -> Option<Secret> {
        Url::parse(url, SCHEME).unwrap().password
    }

    #[test]
    fn passwords() {
        assert!(password("mysql://u@h").is_none());
        assert!(password("mysql://u:@h").unwrap().is_empty());
        assert_eq!(password("mysql://u:p%3aw@h").unwrap().expose(), b"p:w");
        // What needs no encoding.
        assert_eq!(password("mysql://u:a#b+c:d@e@h").unwrap().expose(), b"a#b+c:d@e");
    }

    #[test]
    fn a_password_need_not_be_text() {
        assert_eq!(password("mysql://u:%ff%00@h").unwrap().expose(), [0xff, 0]);
        assert_eq!(fault("mysql://%ff@h"), "the user name is not UTF-8 once it is percent-decoded");
    }

    #[test]
    fn addresses() {
        assert_eq!(address("mysql://u@[::1]/"), ("::1".to_owned(), None));
        assert_eq!(address("mysql://u@[fe80::1%25lo]:33"), ("fe80::1%lo".to_owned(), Some(33)));
        for bad in
            ["mysql://::1/", "mysql://[::1", "mysql://[::1]x", "mysql://[localhost]/", "mysql://[1.2.3.4]"]
        {
            assert!(fault(bad).starts_with("the host cannot be read"), "{bad}");
        }
        for bad in ["mysql://h:0", "mysql://h:65536", "mysql://h:+1", "mysql://h:mysql", "mysql://[::1]:-1"] {
            assert!(fault(bad).starts_with("the port must be"), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn encoded_parts_come_back(user in "\\PC+", password in ".*", database in ".*") {
            let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let url = format!("mysql://{}:{}@h/{}", encode(&user), encode(&password), encode(&database));
            let url = Url::parse(&url, SCHEME).unwrap();
            prop_assert_eq!(url.user.as_deref(), Some(&*user));
            let decoded = url.password.unwrap();
            prop_assert_eq!(decoded.expose(), password.as_bytes());
            prop_assert_eq!(url.database, database);
        }
    }
}
