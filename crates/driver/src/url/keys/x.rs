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
