//! The keys of a `mysqlx://` URL that are not those of both protocols.

use porpoise_xproto::Algorithm;
use porpoise_xproto::connect::{Auth, Use};

use super::{Set, Times, UrlKey, put};
use crate::url::value::Value;
use crate::url::{UrlBuilder, UrlError};
pub(super) use crate::x::OptionsBuilder as Builder;

keys! {
    #[doc = "The keys that `mysqlx://` has of its own; those about TCP, sockets and TLS are the same as of `mysql://`."]
    X:
    "connect-timeout" "TIME" Once "How long the whole connect may take, in milliseconds; 10000 by default, 0 is no limit." X =>
        |b, v| v.millis().map(|limit| b.set_connect_timeout(limit));
    "auth" "MECHANISM" Once "AUTO (the default), PLAIN, SHA256_MEMORY, MYSQL41 or EXTERNAL." X => auth;
    "compression" "USE" Once "DISABLED (the default), PREFERRED or REQUIRED." X =>
        |b, v| put(&mut b.connect.compression, compression(v));
    "compression-algorithms" "[NAME,...]" Once
        "The algorithms to ask for, one after the other: zstd_stream, lz4_message, deflate_stream." X =>
        |b, v| put(&mut b.connect.compression_algorithms, algorithms(v));
    "compression-level" "NUMBER" Once "The level to ask for; the server keeps it in its bounds." X =>
        |b, v| put(&mut b.connect.compression_level, v.number(i32::MIN..=i32::MAX).map(Some));
    "compression-threshold" "BYTES" Once "Writes of at least this many bytes are compressed; 1000 by default." X =>
        |b, v| put(&mut b.connect.compression_threshold, v.number(0..=usize::MAX));
    "connection-attributes" "[NAME=VALUE,...]" Many
        "Attributes for performance_schema.session_connect_attrs; none by default." X => attributes;
    "interactive" "BOOL" Once "The server waits for an idle session as long as for people." X =>
        |b, v| put(&mut b.connect.interactive, v.boolean());
    "connect-expired-password" "BOOL" Once "Logs in with an expired password too, to set a new one." X =>
        |b, v| put(&mut b.connect.expired_password_ok, v.boolean());
    "max-allowed-packet" "SIZE" Once "The largest message of either side, in bytes or as 64M; 0 is the default." X =>
        max_allowed_packet;
}

impl UrlBuilder for Builder {
    const SCHEME: &'static str = "mysqlx://";

    fn keys() -> impl Iterator<Item = &'static UrlKey> {
        UrlKey::X.iter().chain(UrlKey::ALL.iter().filter(|key| key.is_shared()))
    }

    fn endpoint(&mut self) -> &mut crate::endpoint::EndpointBuilder {
        &mut self.endpoint
    }

    fn login(mut self, user: &str, password: Option<porpoise_auth::Secret>, schema: &str) -> Self {
        user.clone_into(&mut self.connect.user);
        if let Some(password) = password {
            self.connect.password = password;
        }
        if !schema.is_empty() {
            schema.clone_into(&mut self.connect.schema);
        }
        self
    }

    fn apply(mut self, key: &'static UrlKey, value: &Value) -> Result<Self, UrlError> {
        match key.set {
            Set::Endpoint(set) => set(&mut self.endpoint, value)?,
            Set::X(set) => set(&mut self, value)?,
            // It is in no list of this builder's keys.
            Set::Classic(_) => {}
        }
        Ok(self)
    }
}

fn auth(builder: &mut Builder, value: &Value) -> Result<(), UrlError> {
    let text = value.text()?;
    builder.connect.auth = match text.to_ascii_uppercase().as_str() {
        "AUTO" => Auth::Auto,
        "PLAIN" => Auth::Plain,
        "SHA256_MEMORY" => Auth::Sha256Memory,
        "MYSQL41" => Auth::Mysql41,
        "EXTERNAL" => Auth::External,
        _ => return Err(value.unfit("one of AUTO, PLAIN, SHA256_MEMORY, MYSQL41, EXTERNAL")),
    };
    Ok(())
}

fn compression(value: &Value) -> Result<Use, UrlError> {
    match value.text()?.to_ascii_uppercase().as_str() {
        "DISABLED" => Ok(Use::Disabled),
        "PREFERRED" => Ok(Use::Preferred),
        "REQUIRED" => Ok(Use::Required),
        _ => Err(value.unfit("one of DISABLED, PREFERRED, REQUIRED")),
    }
}

fn algorithms(value: &Value) -> Result<Vec<Algorithm>, UrlError> {
    let names = "one of zstd_stream, lz4_message, deflate_stream";
    value.in_brackets(|item| Algorithm::from_name(item).ok_or_else(|| names.to_owned()))
}

fn attributes(builder: &mut Builder, value: &Value) -> Result<(), UrlError> {
    match value.text()? {
        "false" => builder.connect.attributes.clear(),
        "true" => {}
        _ => {
            let given = value.attributes()?.into_iter();
            builder.connect.attributes.extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
    }
    Ok(())
}

fn max_allowed_packet(builder: &mut Builder, value: &Value) -> Result<(), UrlError> {
    match value.size()? {
        0 => {}
        bytes => builder.connect.limits.max_packet = bytes as usize,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use porpoise_transport::SslMode;

    use super::*;
    use crate::Target;
    use crate::x::Options;

    fn builder(url: &str) -> Builder {
        Builder::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    fn fault(url: &str) -> String {
        Builder::from_url(url).unwrap_err().to_string()
    }

    #[test]
    fn parts_and_defaults() {
        let all =
            builder("mysqlx://app:p%3aw@db.example:4444/my%2Fs?ssl-mode=REQUIRED&tcp-nodelay=false").build();
        assert_eq!(all.target(), &Target::Tcp { host: "db.example".to_owned(), port: 4444 });
        assert_eq!((&*all.connect().user, &*all.connect().schema), ("app", "my/s"));
        assert_eq!((all.connect().password.expose(), all.connect().tls), (&b"p:w"[..], Use::Required));
        let none = builder("mysqlx://");
        assert_eq!((&*none.endpoint.host, none.endpoint.port), ("localhost", 33060));
        assert_eq!(none.endpoint.connect_timeout, Some(Duration::from_secs(10)));
        assert_eq!((none.endpoint.tls.mode, &none.connect.auth), (SslMode::Preferred, &Auth::Auto));
        let socket = Options::from_url("mysqlx://app@/s?socket=/run/x.sock").unwrap();
        assert_eq!(socket.target(), &Target::Unix("/run/x.sock".into()));
    }

    #[test]
    fn every_key_is_taken() {
        let url = "mysqlx://u@h/?connect-timeout=1500&auth=sha256_memory&compression=preferred&compression-level=-3\
                   &compression-algorithms=[lz4_message, zstd_stream]&compression-threshold=10&interactive=true\
                   &connect-expired-password=1&connection-attributes=[a=b,c]&max-allowed-packet=1M";
        let set = builder(url);
        assert_eq!(set.endpoint.connect_timeout, Some(Duration::from_millis(1500)));
        let connect = set.connect;
        assert_eq!((connect.auth, connect.compression), (Auth::Sha256Memory, Use::Preferred));
        assert_eq!((connect.compression_level, connect.compression_threshold), (Some(-3), 10));
        assert_eq!(connect.compression_algorithms, [Algorithm::Lz4Message, Algorithm::ZstdStream]);
        assert!(connect.interactive && connect.expired_password_ok);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(connect.attributes, [pair("a", "b"), pair("c", "")]);
        assert_eq!(connect.limits.max_packet, 1 << 20);
        assert_eq!(
            builder("mysqlx://?connect-timeout=2s").endpoint.connect_timeout,
            Some(Duration::from_secs(2))
        );
        assert_eq!(builder("mysqlx://?connect-timeout=0").endpoint.connect_timeout, None);
        assert_eq!(UrlKey::X.len(), 10, "all keys of this table are tried above");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert!(
            fault("mysql://u@h")
                .starts_with("the URL does not start with mysqlx:// (its shape: mysqlx://user")
        );
        assert!(fault("mysqlx://?auth=LOCAL").contains("one of AUTO, PLAIN, SHA256_MEMORY"));
        assert!(fault("mysqlx://?compression=gzip").contains("one of DISABLED, PREFERRED, REQUIRED"));
        assert!(fault("mysqlx://?compression-algorithms=[gzip]").contains("one of zstd_stream"));
        assert!(
            fault("mysqlx://?compression-algorithms=[zstd_stream").contains("with both brackets or none")
        );
        assert!(fault("mysqlx://?compress=true").contains("did you mean compression?"));
        assert!(fault("mysqlx://?connect-timeout=soon").contains("milliseconds"));
        // A key of the other protocol only.
        assert!(fault("mysqlx://?init-command=x").starts_with("unknown key"));
    }
}
