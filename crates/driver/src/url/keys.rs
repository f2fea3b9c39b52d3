//! The keys of a URL: name, value, meaning and effect, each in this one table.

use std::fs;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use porpoise_auth::ServerPublicKey;
use porpoise_classic::CapabilityFlags;
use porpoise_classic_connect::{Charset, CompressionAlgorithm, ConnectOptionsBuilder};
use porpoise_transport::{CaSource, PemSource, TlsOptions, TlsVersion};

use super::UrlError;
use super::value::{Switch, Value};
use crate::OptionsBuilder;
use crate::endpoint::EndpointBuilder;
use crate::socket::Keepalive;

type Builder = OptionsBuilder;

/// What a key sets.
#[derive(Clone, Copy, Debug)]
enum Set {
    /// What both protocols have.
    Endpoint(fn(&mut EndpointBuilder, &Value) -> Result<(), UrlError>),
    Classic(fn(Builder, &Value) -> Result<Builder, UrlError>),
    #[cfg(feature = "xproto")]
    X(fn(&mut x::Builder, &Value) -> Result<(), UrlError>),
}

/// How often a key may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    Once,
    Many,
}

/// A key that may stand in a URL's query. The names are those of MySQL's long options.
#[derive(Clone, Copy, Debug)]
pub struct UrlKey {
    name: &'static str,
    value: &'static str,
    doc: &'static str,
    times: Times,
    set: Set,
}

impl UrlKey {
    /// The key.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What its value looks like.
    #[must_use]
    pub const fn value(&self) -> &'static str {
        self.value
    }

    /// What it does, in a sentence.
    #[must_use]
    pub const fn doc(&self) -> &'static str {
        self.doc
    }

    /// Whether it may be given several times.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        self.times == Times::Many
    }

    /// Whether both protocols have it.
    #[cfg(feature = "xproto")]
    pub(super) const fn is_shared(&self) -> bool {
        matches!(self.set, Set::Endpoint(_))
    }
}

macro_rules! keys {
    (#[doc = $about:literal] $list:ident: $($name:literal $value:literal $times:ident $doc:literal $whose:ident => $set:expr;)*) => {
        impl UrlKey {
            #[doc = $about]
            ///
            /// | key | value | |
            /// |---|---|---|
            $(#[doc = concat!("| `", $name, "` | `", $value, "` | ", $doc, " |")])*
            pub const $list: &'static [Self] = &[
                $(Self { name: $name, value: $value, doc: $doc, times: Times::$times, set: Set::$whose($set) },)*
            ];
        }
    };
}

// Behind the macro that it uses.
#[cfg(feature = "xproto")]
mod x;

keys! {
    #[doc = "All keys of `mysql://`."]
    ALL:
    "socket" "PATH" Once "Connects to this Unix socket; the URL then has no host." Endpoint =>
        |e, v| put(&mut e.socket_path, v.path().map(Some));
    "connect-timeout" "TIME" Once "How long the whole connect may take; 0 is no limit, the default." Classic =>
        |b, v| Ok(b.connect_timeout(v.duration()?));
    "stage-timeout" "STAGE:TIME,..." Many "How long single stages may take: READ_GREETING:500ms." Classic =>
        |b, v| Ok(v.stage_timeouts()?.into_iter().fold(b, |b, (stage, time)| b.stage_timeout(stage, time)));
    "tcp-nodelay" "BOOL" Once "Small packets leave at once (TCP_NODELAY); on by default." Endpoint =>
        |e, v| put(&mut e.socket.nodelay, v.boolean());
    "tcp-keepalive" "BOOL or TIME" Once "Probes a connection after this much silence; on by default, after two hours." Endpoint =>
        tcp_keepalive;
    "bind-address" "ADDRESS,..." Many "Connects from this local address." Endpoint => bind_address;

    "ssl-mode" "MODE" Once "DISABLED, PREFERRED (the default), REQUIRED, VERIFY_CA or VERIFY_IDENTITY." Endpoint =>
        |e, v| put(&mut e.tls.mode, v.named());
    "ssl-ca" "PATH" Once "Trusted CA certificates (PEM); `system` is the operating system's store." Endpoint => ssl_ca;
    "ssl-capath" "PATH" Once "A folder of trusted CA certificates." Endpoint =>
        |e, v| tls(e, v.path()?, |tls, path| tls.ca.push(CaSource::Dir(path)));
    "ssl-cert" "PATH" Once "The client's certificate (PEM)." Endpoint =>
        |e, v| tls(e, v.path()?, |tls, path| tls.cert = Some(path.into()));
    "ssl-key" "PATH" Once "The client's private key (PEM)." Endpoint =>
        |e, v| tls(e, v.path()?, |tls, path| tls.key = Some(path.into()));
    "ssl-crl" "PATH" Once "Certificate revocation lists (PEM)." Endpoint =>
        |e, v| tls(e, v.path()?, |tls, path| tls.crl.push(PemSource::File(path)));
    "ssl-crlpath" "PATH" Once "A folder of certificate revocation lists." Endpoint =>
        |e, v| tls(e, v.path()?, |tls, path| tls.crlpath = Some(path));
    "ssl-cipher" "NAME:..." Once "The cipher suites to offer for TLS 1.2." Endpoint =>
        |e, v| tls(e, names(v)?, |tls, names| tls.ciphers = Some(names));
    "tls-version" "VERSION,..." Once "The versions of TLS to offer: TLSv1.2, TLSv1.3." Endpoint => tls_version;
    "tls-ciphersuites" "NAME:..." Once "The cipher suites to offer for TLS 1.3." Endpoint =>
        |e, v| tls(e, names(v)?, |tls, names| tls.ciphersuites = Some(names));
    "tls-sni-servername" "NAME" Once "The name told to the server in clear (SNI); none by default." Endpoint =>
        |e, v| tls(e, v.text()?.to_owned(), |tls, name| tls.sni = Some(name));

    "password1" "SECRET" Once "The password of the first factor, the same as the one before the host." Classic =>
        |b, v| Ok(b.connect(|c| c.factor_password(1, v.secret())));
    "password2" "SECRET" Once "The password of the second factor." Classic =>
        |b, v| Ok(b.connect(|c| c.factor_password(2, v.secret())));
    "password3" "SECRET" Once "The password of the third factor." Classic =>
        |b, v| Ok(b.connect(|c| c.factor_password(3, v.secret())));
    "default-auth" "PLUGIN" Once "The authentication plugin to start with." Classic =>
        |b, v| connect(b, v.text()?, |c, plugin| c.default_auth(plugin));
    "enable-cleartext-plugin" "BOOL" Once "Allows mysql_clear_password, which sends the password itself." Classic =>
        |b, v| connect(b, v.boolean()?, |c, on| c.enable_cleartext_plugin(on));
    "get-server-public-key" "BOOL" Once "Lets the server send its RSA key; a man in the middle can send his own." Classic =>
        |b, v| connect(b, v.boolean()?, |c, on| c.get_server_public_key(on));
    "server-public-key-path" "PATH" Once "The server's RSA key (its public_key.pem), known beforehand." Classic =>
        server_public_key_path;
    "max-auth-switches" "NUMBER" Once "How often the server may switch the authentication plugin; 1 by default." Classic =>
        |b, v| connect(b, v.number(0..=255)?, |c, n| c.max_auth_switches(n));

    "default-character-set" "NAME" Once "The character set, or a collation; utf8mb4 by default." Classic =>
        |b, v| connect(b, v.text()?, |c, name| c.charset(Charset::Name(name.into())));
    "init-command" "SQL" Many "A statement to run before the connect is complete." Classic =>
        |b, v| connect(b, v.text()?, |c, sql| c.init_command(sql));
    "connection-attributes" "[NAME=VALUE,...]" Many
        "Attributes for performance_schema.session_connect_attrs; `false` sends none, not even the usual ones." Classic =>
        connection_attributes;
    "multi-statements" "BOOL" Once "Allows several statements in one query." Classic =>
        |b, v| capability(b, v, CapabilityFlags::CLIENT_MULTI_STATEMENTS);
    "found-rows" "BOOL" Once "UPDATE counts the rows it matched, not those it changed." Classic =>
        |b, v| capability(b, v, CapabilityFlags::CLIENT_FOUND_ROWS);
    "interactive" "BOOL" Once "The server closes the idle session after interactive_timeout, not wait_timeout." Classic =>
        |b, v| capability(b, v, CapabilityFlags::CLIENT_INTERACTIVE);
    "ignore-space" "BOOL" Once "Allows spaces between a function's name and its parenthesis." Classic =>
        |b, v| capability(b, v, CapabilityFlags::CLIENT_IGNORE_SPACE);
    "connect-expired-password" "BOOL" Once "Logs in with an expired password too, to set a new one." Classic =>
        |b, v| capability(b, v, CapabilityFlags::CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS);
    "optional-resultset-metadata" "BOOL" Once "Lets the session switch result metadata off." Classic =>
        |b, v| capability(b, v, CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA);
    "max-allowed-packet" "SIZE" Once "The largest packet, in bytes or as 64M; 0 is the default." Classic => max_allowed_packet;
    "local-infile" "BOOL" Once "Whether a LOAD DATA LOCAL may send a file; `false` by default." Classic =>
        |b, v| Ok(b.local_infile(v.boolean()?));
    "compression-algorithms" "NAME,..." Once
        "zlib, zstd, uncompressed (the default): which of them may be used, the first that the server knows in this order." Classic =>
        |b, v| Ok(b.compression_algorithms(&algorithms(v)?));
    "compress" "BOOL" Once "The same as compression-algorithms=zlib,uncompressed, or uncompressed." Classic => compress;
    "zstd-compression-level" "NUMBER" Once "How hard zstd tries, 1 to 22; 3 by default." Classic =>
        |b, v| Ok(b.zstd_compression_level(v.number(1..=22)?));
}

impl UrlKey {
    pub(super) fn apply(&self, mut builder: Builder, value: &Value) -> Result<Builder, UrlError> {
        match self.set {
            Set::Endpoint(set) => set(&mut builder.endpoint, value).map(|()| builder),
            Set::Classic(set) => set(builder, value),
            // It is in no list of this builder's keys.
            #[cfg(feature = "xproto")]
            Set::X(_) => Ok(builder),
        }
    }
}

fn put<V>(place: &mut V, value: Result<V, UrlError>) -> Result<(), UrlError> {
    *place = value?;
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "it ends functions that can fail")]
fn tls<V>(
    endpoint: &mut EndpointBuilder,
    value: V,
    change: impl FnOnce(&mut TlsOptions, V),
) -> Result<(), UrlError> {
    change(&mut endpoint.tls, value);
    Ok(())
}

fn connect<V>(
    builder: Builder,
    value: V,
    change: impl FnOnce(ConnectOptionsBuilder, V) -> ConnectOptionsBuilder,
) -> Result<Builder, UrlError> {
    Ok(builder.connect(|connect| change(connect, value)))
}

fn capability(builder: Builder, value: &Value, flag: CapabilityFlags) -> Result<Builder, UrlError> {
    connect(
        builder,
        value.boolean()?,
        |connect, on| if on { connect.with(flag) } else { connect.without(flag) },
    )
}

fn names(value: &Value) -> Result<Vec<String>, UrlError> {
    Ok(value.list(':')?.map(str::to_owned).collect())
}

fn tcp_keepalive(endpoint: &mut EndpointBuilder, value: &Value) -> Result<(), UrlError> {
    match value.switch_or_duration()? {
        Switch::Default => {}
        Switch::Off => endpoint.socket.keepalive = Keepalive::Off,
        Switch::Time(idle) => {
            endpoint.socket.keepalive = Keepalive::After(idle.max(Duration::from_secs(1)));
        }
    }
    Ok(())
}

fn bind_address(endpoint: &mut EndpointBuilder, value: &Value) -> Result<(), UrlError> {
    let addresses =
        value.parse_list(',', |item| item.parse::<IpAddr>().map_err(|_| "an IP address".to_owned()))?;
    endpoint.socket.bind.extend(addresses);
    Ok(())
}

fn ssl_ca(endpoint: &mut EndpointBuilder, value: &Value) -> Result<(), UrlError> {
    let path = value.path()?;
    let source = if path.as_os_str() == "system" { CaSource::System } else { CaSource::File(path) };
    tls(endpoint, source, |tls, source| tls.ca.push(source))
}

fn tls_version(endpoint: &mut EndpointBuilder, value: &Value) -> Result<(), UrlError> {
    let versions = value.parse_list(',', |item| {
        item.parse::<TlsVersion>().map_err(|unknown| format!("one of {}", unknown.expected()))
    })?;
    tls(endpoint, versions, |tls, versions| tls.versions = versions)
}

fn server_public_key_path(builder: Builder, value: &Value) -> Result<Builder, UrlError> {
    let path = value.path()?;
    let key = match fs::read(&path) {
        Ok(pem) => ServerPublicKey::from_pem(&pem).map_err(|error| Arc::new(error) as _),
        Err(error) => Err(Arc::new(error) as _),
    };
    let key = key.map_err(|error| UrlError::File { key: value.key(), path, error })?;
    connect(builder, key, ConnectOptionsBuilder::server_public_key)
}

fn connection_attributes(builder: Builder, value: &Value) -> Result<Builder, UrlError> {
    match value.text()? {
        "false" => Ok(builder.connect(ConnectOptionsBuilder::clear_attributes)),
        "true" => Ok(builder),
        _ => connect(builder, value.attributes()?, |connect, attributes| {
            attributes.into_iter().fold(connect, |connect, (name, value)| connect.attribute(name, value))
        }),
    }
}

fn max_allowed_packet(builder: Builder, value: &Value) -> Result<Builder, UrlError> {
    Ok(match value.size()? {
        0 => builder,
        bytes => builder.connect(|connect| connect.max_allowed_packet(bytes)),
    })
}

fn algorithms(value: &Value) -> Result<Vec<CompressionAlgorithm>, UrlError> {
    let algorithms = value.parse_list(',', |item| {
        item.parse::<CompressionAlgorithm>().map_err(|_| "one of zlib, zstd, uncompressed".to_owned())
    })?;
    match algorithms.iter().find(|algorithm| !algorithm.is_available()) {
        Some(algorithm) => Err(missing(value, *algorithm)),
        None => Ok(algorithms),
    }
}

/// The switch of MySQL's clients from before there was a choice.
fn compress(builder: Builder, value: &Value) -> Result<Builder, UrlError> {
    if !value.boolean()? {
        return Ok(builder.compression_algorithms(&[CompressionAlgorithm::Uncompressed]));
    }
    if !CompressionAlgorithm::Zlib.is_available() {
        return Err(missing(value, CompressionAlgorithm::Zlib));
    }
    Ok(builder.compression_algorithms(&[CompressionAlgorithm::Zlib, CompressionAlgorithm::Uncompressed]))
}

fn missing(value: &Value, algorithm: CompressionAlgorithm) -> UrlError {
    value.unsupported(match algorithm {
        CompressionAlgorithm::Zlib => "this build has no zlib: turn on the feature `zlib`",
        CompressionAlgorithm::Zstd => "this build has no zstd: turn on the feature `zstd`",
        _ => "this build has no such compression",
    })
}
