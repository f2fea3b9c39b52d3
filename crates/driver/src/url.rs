//! Options from a `mysql://` URL.

mod error;
mod keys;
mod parts;
mod value;

use std::env;

use porpoise_auth::Secret;

pub use self::error::UrlError;
pub use self::keys::UrlKey;
use self::parts::{Url, decode, text};
pub(crate) use self::value::Value;
use crate::endpoint::EndpointBuilder;
use crate::{ConfigError, OptionsBuilder};

/// MySQL options whose values have a place of their own in a URL.
const PLACED: [&str; 5] = ["user", "password", "host", "port", "database"];

impl From<UrlError> for ConfigError {
    fn from(error: UrlError) -> Self {
        Self::Url(error)
    }
}

impl OptionsBuilder {
    /// Reads `mysql://user:password@host:port/database?key=value&...`, or `mysql://user@/database?socket=PATH`.
    ///
    /// * Every part may be left out. The user is then the operating system's, `root` for the superuser.
    /// * Every part is percent-decoded. `+` and `#` are ordinary characters; `/`, `?` and `@` in a user name,
    ///   password or database name, `:` in a user name, and `&` in a value must be encoded.
    /// * An IPv6 address is put into brackets.
    /// * Keys are the names of MySQL's long options: [`UrlKey::ALL`]. Letter case does not matter in them, and `_` is
    ///   as good as `-`. Names of files are relative to the current folder.
    ///
    /// Follows "MySQL Reference Manual: Connecting to the Server Using URI-Like Strings or Key-Value Pairs", with
    /// the keys of `mysql`'s command line.
    ///
    /// # Errors
    /// [`ConfigError::Url`] says what cannot be read; it never shows a password.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        Self::default().with_url(url)
    }

    /// As [`from_url`](Self::from_url), on top of what is set already: what the URL leaves out, its user excepted,
    /// stays.
    ///
    /// # Errors
    /// [`ConfigError::Url`].
    pub fn with_url(self, url: &str) -> Result<Self, ConfigError> {
        Ok(with_url(self, url)?)
    }

    /// Sets what one key of a URL sets; `value` is not percent-encoded. A list (trusted CAs, init commands) grows.
    ///
    /// # Errors
    /// [`ConfigError::Url`].
    pub fn set(self, key: &str, value: &str) -> Result<Self, ConfigError> {
        Ok(set(self, key, value)?)
    }
}

/// A builder of options that a URL can set.
pub(crate) trait UrlBuilder: Sized {
    /// With `://`.
    const SCHEME: &'static str;

    /// All keys.
    fn keys() -> impl Iterator<Item = &'static UrlKey>;

    fn endpoint(&mut self) -> &mut EndpointBuilder;

    fn login(self, user: &str, password: Option<Secret>, database: &str) -> Self;

    fn apply(self, key: &'static UrlKey, value: &Value) -> Result<Self, UrlError>;
}

impl UrlBuilder for OptionsBuilder {
    const SCHEME: &'static str = "mysql://";

    fn keys() -> impl Iterator<Item = &'static UrlKey> {
        UrlKey::ALL.iter()
    }

    fn endpoint(&mut self) -> &mut EndpointBuilder {
        &mut self.endpoint
    }

    fn login(mut self, user: &str, password: Option<Secret>, database: &str) -> Self {
        self = self.user(user);
        if let Some(password) = password {
            self = self.password(password);
        }
        if database.is_empty() { self } else { self.database(database) }
    }

    fn apply(self, key: &'static UrlKey, value: &Value) -> Result<Self, UrlError> {
        key.apply(self, value)
    }
}

/// Sets what a URL says.
pub(crate) fn with_url<B: UrlBuilder>(builder: B, url: &str) -> Result<B, UrlError> {
    let url = Url::parse(url, B::SCHEME)?;
    let user = url.user.unwrap_or_else(login_name);
    let mut builder = builder.login(&user, url.password, &url.database);
    let endpoint = builder.endpoint();
    if !url.host.is_empty() {
        endpoint.set_host(&url.host);
    }
    endpoint.port = url.port.unwrap_or(endpoint.port);
    let remote = !url.host.is_empty() && url.host != "localhost";
    with_query(builder, url.query, remote).map_err(|error| match error {
        // The @ may be the one before a host, and this no key but the end of a password.
        UrlError::UnknownKey { nearest: None, .. } if url.query.contains('@') => UrlError::Ambiguous,
        error => error,
    })
}

fn with_query<B: UrlBuilder>(mut builder: B, query: &str, remote: bool) -> Result<B, UrlError> {
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
        let key = find_key::<B>(&text("a key", name)?)?;
        let name = key.name();
        let value = value.ok_or(UrlError::NoValue { key: name })?;
        if seen.contains(&name) && !key.is_repeatable() {
            return Err(UrlError::Repeated { key: name });
        }
        seen.push(name);
        builder = builder.apply(key, &Value::new(name, decode(name, value)?))?;
    }
    if remote && seen.contains(&"socket") {
        return Err(UrlError::HostAndSocket);
    }
    Ok(builder)
}

/// Sets what one key sets.
pub(crate) fn set<B: UrlBuilder>(builder: B, key: &str, value: &str) -> Result<B, UrlError> {
    let key = find_key::<B>(key)?;
    builder.apply(key, &Value::new(key.name(), value.into()))
}

fn find_key<B: UrlBuilder>(name: &str) -> Result<&'static UrlKey, UrlError> {
    let wanted = name.to_ascii_lowercase().replace('_', "-");
    if let Some(key) = B::keys().find(|key| key.name() == wanted) {
        return Ok(key);
    }
    if let Some(key) = PLACED.into_iter().find(|placed| *placed == wanted) {
        return Err(UrlError::HasPlace { key });
    }
    let nearest = nearest(&wanted, B::keys().map(UrlKey::name));
    let keys = B::keys().map(UrlKey::name).collect();
    Err(UrlError::UnknownKey { key: name.to_owned(), nearest, keys })
}

/// The candidate that a slip of the hand most likely meant.
fn nearest(word: &str, candidates: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let limit = word.chars().count().div_ceil(3);
    let distances = candidates.map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate));
    distances
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The user that MySQL's clients take when none is given.
fn login_name() -> String {
    if rustix::process::geteuid().is_root() {
        return "root".to_owned();
    }
    let names = ["USER", "LOGNAME", "LOGIN"].into_iter().filter_map(|name| env::var(name).ok());
    names.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use porpoise_classic_connect::ConnectStage;
    use porpoise_transport::{CaSource, SslMode, TlsOptions, TlsVersion};
    use proptest::prelude::*;

    use super::*;
    use crate::socket::Keepalive;
    use crate::{Options, Target};

    fn options(url: &str) -> Options {
        Options::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    fn tls(url: &str) -> TlsOptions {
        let mut seen = None;
        let _ = OptionsBuilder::from_url(url).unwrap().tls(|tls| seen = Some(tls.clone()));
        seen.unwrap()
    }

    fn fault(url: &str) -> String {
        OptionsBuilder::from_url(url).unwrap_err().to_string()
    }

    fn tcp(host: &str, port: u16) -> Target {
        Target::Tcp { host: host.to_owned(), port }
    }

    #[test]
    fn parts() {
        let url = "mysql://j%40ne:p%3aw@db.example:3307/my%2Fdb?connect-timeout=3";
        let all = options(url);
        assert_eq!(all.target(), &tcp("db.example", 3307));
        assert_eq!((all.connect().user(), all.connect().database()), ("j@ne", "my/db"));
        assert_eq!(all.endpoint.connect_timeout, Some(Duration::from_secs(3)));

        let none = options("mysql://");
        assert_eq!(none.target(), &tcp("localhost", 3306));
        assert_eq!((none.connect().user(), none.connect().database()), (&*login_name(), ""));
        assert_eq!(options("MySQL://u@h:/?").target(), &tcp("h", 3306));
    }

    #[test]
    fn unix_sockets() {
        let path = Target::Unix("/run/my sql.sock".into());
        assert_eq!(options("mysql://u@/db?socket=/run/my%20sql.sock").target(), &path);
        assert_eq!(options("mysql://u@localhost?socket=%2Frun%2Fmy%20sql.sock").target(), &path);
        assert_eq!(
            fault("mysql://h?socket=/s"),
            "socket: with a Unix socket the host is left out, mysql://user@/"
        );
    }

    /// Every key with a value that it takes.
    const EXAMPLES: &[(&str, &str)] = &[
        ("socket", "/s"),
        ("connect-timeout", "10s"),
        ("stage-timeout", "READ_GREETING:500ms,ESTABLISH_SSL:2"),
        ("tcp-nodelay", "false"),
        ("tcp-keepalive", "10m"),
        ("bind-address", "127.0.0.1,::1"),
        ("ssl-mode", "verify_ca"),
        ("ssl-ca", "ca.pem"),
        ("ssl-capath", "cas"),
        ("ssl-cert", "cert.pem"),
        ("ssl-key", "key.pem"),
        ("ssl-crl", "crl.pem"),
        ("ssl-crlpath", "crls"),
        ("ssl-cipher", "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256"),
        ("tls-version", "TLSv1.2,TLSv1.3"),
        ("tls-ciphersuites", "TLS_AES_256_GCM_SHA384"),
        ("tls-sni-servername", "db.example"),
        ("password1", "one"),
        ("password2", "two"),
        ("password3", "three"),
        ("default-auth", "caching_sha2_password"),
        ("enable-cleartext-plugin", "TRUE"),
        ("get-server-public-key", "1"),
        ("server-public-key-path", ""),
        ("max-auth-switches", "2"),
        ("default-character-set", "latin1"),
        ("init-command", "SET%20@a=1"),
        ("connection-attributes", "[a=b,c,d=e=f]"),
        ("multi-statements", "true"),
        ("found-rows", "true"),
        ("interactive", "true"),
        ("ignore-space", "true"),
        ("connect-expired-password", "true"),
        ("optional-resultset-metadata", "true"),
        ("max-allowed-packet", "16M"),
        ("local-infile", "false"),
        ("compression-algorithms", "uncompressed"),
        ("compress", "false"),
        ("zstd-compression-level", "22"),
    ];

    #[test]
    fn every_key_takes_its_example() {
        let names: Vec<_> = EXAMPLES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, UrlKey::ALL.iter().map(UrlKey::name).collect::<Vec<_>>());
        for (name, value) in EXAMPLES.iter().filter(|(name, _)| *name != "server-public-key-path") {
            for url in
                [format!("mysql://?{name}={value}"), format!("mysql://?{}={value}", name.replace('-', "_"))]
            {
                OptionsBuilder::from_url(&url).unwrap_or_else(|error| panic!("{url}: {error}"));
            }
            assert_eq!(fault(&format!("mysql://?{name}")), format!("{name} has no value: write {name}=..."));
            let twice = OptionsBuilder::from_url(&format!("mysql://?{name}={value}&{name}={value}"));
            let repeatable = UrlKey::ALL.iter().any(|key| key.name() == *name && key.is_repeatable());
            assert_eq!(twice.is_ok(), repeatable, "{name}");
        }
    }

    #[test]
    fn keys_of_the_socket_and_of_time() {
        let url = "mysql://?tcp-nodelay=0&tcp-keepalive=false&bind-address=::1&bind-address=127.0.0.1&connect-timeout=0";
        let set = options(url);
        assert_eq!(
            (set.endpoint.socket.nodelay, set.endpoint.socket.keepalive, set.endpoint.socket.bind.len()),
            (false, Keepalive::Off, 2)
        );
        assert_eq!(set.endpoint.connect_timeout, None);
        let set = options(
            "mysql://?stage-timeout=read_greeting:500ms,ESTABLISH_SSL:2&stage-timeout=NET_WAIT_CONNECT:1m",
        );
        let limits = [
            (ConnectStage::ReadGreeting, Duration::from_millis(500)),
            (ConnectStage::EstablishSsl, Duration::from_secs(2)),
            (ConnectStage::NetWaitConnect, Duration::from_secs(60)),
        ];
        assert_eq!(set.stage_timeouts, limits);
        assert_eq!(
            options("mysql://?tcp-keepalive=90s").endpoint.socket.keepalive,
            Keepalive::After(Duration::from_secs(90))
        );
    }

    #[test]
    fn keys_of_tls() {
        let set = tls(
            "mysql://?ssl-mode=VERIFY_IDENTITY&ssl-ca=system&ssl-capath=d&tls-version=TLSv1.3&ssl-cipher=a:b&ssl-key=k",
        );
        assert_eq!(set.mode, SslMode::VerifyIdentity);
        assert_eq!(set.ca, [CaSource::System, CaSource::Dir("d".into())]);
        assert_eq!(set.versions, [TlsVersion::Tls13]);
        assert_eq!(set.ciphers.unwrap(), ["a", "b"]);
        assert_eq!(set.key, Some(std::path::PathBuf::from("k").into()));
        assert_eq!(tls("mysql://?ssl-ca=./system").ca, [CaSource::File("./system".into())]);
    }

    #[test]
    fn keys_of_the_protocol() {
        let shown =
            format!("{:?}", options("mysql://?found_rows=true&default-character-set=latin1").connect());
        assert!(shown.contains("CLIENT_FOUND_ROWS") && shown.contains("latin1"), "{shown}");
        let shown = format!("{:?}", options("mysql://?found-rows=false").connect());
        assert!(!shown.contains("CLIENT_FOUND_ROWS"), "{shown}");
        let packet = |url| options(url).connect().limits().max_packet;
        assert_eq!(packet("mysql://?max-allowed-packet=16M"), 16 << 20);
        assert_eq!(packet("mysql://?max-allowed-packet=0"), packet("mysql://"));
    }

    #[cfg(all(feature = "zlib", feature = "zstd"))]
    #[test]
    fn keys_of_compression() {
        let shown = |url: &str| {
            let shown = format!("{:?}", options(url).connect());
            (shown.contains("CLIENT_COMPRESS"), shown.contains("CLIENT_ZSTD_COMPRESSION_ALGORITHM"))
        };
        assert_eq!(shown("mysql://"), (false, false));
        assert_eq!(shown("mysql://?compress=true"), (true, false));
        assert_eq!(shown("mysql://?compression-algorithms=ZSTD, uncompressed"), (false, true));
        assert_eq!(shown("mysql://?compression-algorithms=zstd,zlib&zstd-compression-level=9"), (true, true));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (url, expected) in [
            ("postgres://u@h", "the URL does not start with mysql://"),
            ("mysql://?ssl-mode=ON", "ssl-mode=\"ON\": expected one of DISABLED, PREFERRED"),
            (
                "mysql://?connect-timeout=5h",
                "connect-timeout=\"5h\": expected a time such as 10, 1500ms, 10s or 2m",
            ),
            (
                "mysql://?stage-timeout=READ_GRETING:1",
                "stage-timeout=\"READ_GRETING:1\": expected a connect stage, perhaps READ_GREETING",
            ),
            (
                "mysql://?stage-timeout=COMPLETE:1",
                "stage-timeout=\"COMPLETE:1\": expected a connect stage, such as READ_GREETING",
            ),
            (
                "mysql://?stage-timeout=READ_GREETING:0",
                "stage-timeout=\"READ_GREETING:0\": expected a time above 0",
            ),
            ("mysql://?found-rows=maybe", "found-rows=\"maybe\": expected true or false"),
            (
                "mysql://?max-allowed-packet=5G",
                "max-allowed-packet=\"5G\": expected a number of bytes below 4G",
            ),
            (
                "mysql://?zstd-compression-level=23",
                "zstd-compression-level=\"23\": expected a number from 1 to 22",
            ),
            (
                "mysql://?compression-algorithms=zlib,lz4",
                "compression-algorithms=\"lz4\": expected one of zlib, zstd, uncompressed",
            ),
            #[cfg(not(feature = "zstd"))]
            (
                "mysql://?compression-algorithms=zstd,uncompressed",
                "compression-algorithms=\"zstd,uncompressed\": this build has no zstd: turn on the feature `zstd`",
            ),
            #[cfg(not(feature = "zlib"))]
            ("mysql://?compress=1", "compress=\"1\": this build has no zlib: turn on the feature `zlib`"),
            (
                "mysql://?connection-attributes=[a=b",
                "connection-attributes=\"[a=b\": expected [name=value,...]",
            ),
            (
                "mysql://?connection-attributes=a=b,=x",
                "connection-attributes=\"=x\": expected a name before =",
            ),
            ("mysql://?server-public-key-path=no/such.pem", "server-public-key-path: no/such.pem: "),
            #[cfg(feature = "rsa")]
            (
                "mysql://?server-public-key-path=Cargo.toml",
                "server-public-key-path: Cargo.toml: the server's RSA key is not usable",
            ),
            ("mysql://?tls-version=TLSv1.1", "tls-version=\"TLSv1.1\": expected one of TLSv1.2, TLSv1.3"),
            ("mysql://?init-command=%zz", "init-command: a % must be followed by two hexadecimal digits"),
        ] {
            assert!(fault(url).starts_with(expected), "{url}: {}", fault(url));
        }
    }

    #[test]
    fn the_nearest_key_is_suggested() {
        for (key, near) in [
            ("sslmode", "ssl-mode"),
            ("ssl-mod", "ssl-mode"),
            ("ssl_cipers", "ssl-cipher"),
            ("connectTimeout", "connect-timeout"),
            ("pasword1", "password1"),
            ("init-comand", "init-command"),
        ] {
            assert_eq!(
                fault(&format!("mysql://?{key}=x")),
                format!("unknown key {key:?}: did you mean {near}?")
            );
        }
        let all = fault("mysql://?charset=utf8");
        assert!(UrlKey::ALL.iter().all(|key| all.contains(key.name())), "{all}");
        assert!(
            fault("mysql://?password=x")
                .starts_with("password is no key, it has its own place: mysql://user:")
        );
    }

    #[test]
    fn no_error_shows_a_password() {
        for url in [
            "mysql:/u:hunter2@h",
            "mysql://u:hunter2%@h",
            "mysql://u:hunter2",
            "mysql://u:hunter2:x@h:y",
            "mysql://u:hunter2/x@h/db",
            "mysql://u:x/hunter2@h",
            "mysql://u:1/hunter2@h/db",
            "mysql://u:1?hunter2@h/db",
            "mysql://u:a@b?c&hunter2=@h/db",
            "mysql://u@h?password1=hunter2%",
            "mysql://u@h?pasword=hunter2",
            "mysql://u@h?password=hunter2",
            "mysql://u@h?password1=hunter2&password1=hunter2",
        ] {
            let error = OptionsBuilder::from_url(url).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2"), "{url}: {shown}");
        }
        let built = options("mysql://u:hunter2@h?password2=hunter2");
        assert!(!format!("{built:?}").contains("hunter2"));
    }

    #[test]
    fn what_the_url_leaves_out_stays() {
        let base = || OptionsBuilder::default().port(33).ssl_mode(SslMode::Required).database("d");
        let kept = base().with_url("mysql://u@h").unwrap().build().unwrap();
        assert_eq!((kept.target(), kept.connect().database()), (&tcp("h", 33), "d"));
        let changed = base().with_url("mysql://u@h:34/e").unwrap().build().unwrap();
        assert_eq!((changed.target(), changed.connect().database()), (&tcp("h", 34), "e"));
    }

    #[test]
    fn a_single_key_is_set() {
        let set =
            OptionsBuilder::default().set("SSL_Mode", "REQUIRED").unwrap().set("socket", "/a%20b").unwrap();
        assert_eq!(set.build().unwrap().target(), &Target::Unix("/a%20b".into()));
        let error = OptionsBuilder::default().set("ssl-mode", "on").unwrap_err();
        assert!(error.to_string().starts_with("ssl-mode=\"on\": expected one of"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = OptionsBuilder::from_url(&text);
            let _ = OptionsBuilder::from_url(&format!("mysql://{text}"));
        }

        #[test]
        fn no_query_panics(
            key in 0..UrlKey::ALL.len(),
            value in "(\\PC|%[0-9a-f]{2}|[\\[\\]:,=0-9msKMG.])*",
        ) {
            let name = UrlKey::ALL[key].name();
            // The one key that opens a file.
            prop_assume!(name != "server-public-key-path");
            let _ = OptionsBuilder::from_url(&format!("mysql://u@/?{name}={value}"));
        }
    }
}
