//! A scenario's options as porpoise's.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use porpoise_auth::ServerPublicKey;
use porpoise_classic::CapabilityFlags;
use porpoise_classic_connect::{Charset, ConnectOptions, ConnectOptionsBuilder, TlsUse};
use porpoise_driver::OptionsBuilder;
use porpoise_transport::{CaSource, PemSource, SslMode, TlsOptions};

use crate::Scenario;

/// What a scenario connects with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The protocol's part.
    pub connect: ConnectOptionsBuilder,
    /// TLS.
    pub tls: TlsOptions,
    /// How long the connect may take.
    pub connect_timeout: Option<Duration>,
}

impl Settings {
    /// The options of a scenario; `file` gives the content of files that they name.
    ///
    /// # Errors
    /// An option is not known, or a file not there.
    pub fn new(scenario: &Scenario, file: impl Fn(&str) -> Result<Vec<u8>>) -> Result<Self> {
        Self::of(ConnectOptions::builder(), scenario, file)
    }

    /// The same without the attributes that differ from run to run.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn reproducible(scenario: &Scenario, file: impl Fn(&str) -> Result<Vec<u8>>) -> Result<Self> {
        let builder = ConnectOptions::builder().clear_attributes().attribute("_client_name", "porpoise");
        Self::of(builder, scenario, file)
    }

    fn of(
        connect: ConnectOptionsBuilder,
        scenario: &Scenario,
        file: impl Fn(&str) -> Result<Vec<u8>>,
    ) -> Result<Self> {
        let settings = Self { connect, tls: TlsOptions::default(), connect_timeout: None };
        scenario.options.iter().try_fold(settings, |settings, option| {
            let value = option.get(1).map_or("", String::as_str);
            let name = option.first().context("an option without a name")?;
            settings.set(name, value, &file).with_context(|| format!("option {name} {value}"))
        })
    }

    fn set(mut self, name: &str, value: &str, file: &impl Fn(&str) -> Result<Vec<u8>>) -> Result<Self> {
        let c = self.connect;
        self.connect = match name {
            "user" => c.user(value),
            "password" | "password1" => c.password(value),
            "password2" => c.factor_password(2, value),
            "password3" => c.factor_password(3, value),
            "db" => c.database(value),
            "default_auth" => c.default_auth(value),
            "cleartext" => c.enable_cleartext_plugin(true),
            "get_pk" => c.get_server_public_key(true),
            "pk_file" => c.server_public_key(ServerPublicKey::from_pem(&file(value)?)?),
            "init" => c.init_command(value),
            "charset" => c.charset(Charset::Name(value.into())),
            "attr" => {
                let (name, value) = value.split_once('=').context("name=value")?;
                c.attribute(name, value)
            }
            "max_packet" => c.max_allowed_packet(value.parse()?),
            "multi" => c.with(CapabilityFlags::CLIENT_MULTI_STATEMENTS),
            "found_rows" => c.with(CapabilityFlags::CLIENT_FOUND_ROWS),
            "interactive" => c.with(CapabilityFlags::CLIENT_INTERACTIVE),
            "ignore_space" => c.with(CapabilityFlags::CLIENT_IGNORE_SPACE),
            "expired_ok" => c.with(CapabilityFlags::CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS),
            "optional_metadata" => c.with(CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA),
            // What is special about these is for `reach` to say; the last one is the recorder's own.
            "no_user" | "local_infile" | "giveup_ms" => c,
            "compress" => {
                let algorithms = value.split(',').map(str::parse).collect::<Result<Vec<_>, _>>()?;
                c.compression_algorithms(&algorithms)
            }
            "zstd_level" => c.zstd_compression_level(value.parse()?),
            "ssl" => {
                self.tls.mode = value.parse()?;
                c
            }
            "ca" => {
                self.tls.ca.push(CaSource::Pem(file(value)?));
                c
            }
            "cert" => {
                self.tls.cert = Some(PemSource::Pem(file(value)?.into()));
                c
            }
            "key" => {
                self.tls.key = Some(PemSource::Pem(file(value)?.into()));
                c
            }
            "connect_timeout" => {
                self.connect_timeout = Some(Duration::from_secs(value.parse()?));
                c
            }
            _ => bail!("not known"),
        };
        Ok(self)
    }

    /// For the client.
    #[must_use]
    pub fn client(self, target: OptionsBuilder) -> OptionsBuilder {
        let options = target.connect(|_| self.connect).tls(|tls| *tls = self.tls);
        match self.connect_timeout {
            Some(limit) => options.connect_timeout(limit),
            None => options,
        }
    }

    /// For the connect machine alone.
    ///
    /// # Errors
    /// They do not go together.
    pub fn machine(&self) -> Result<ConnectOptions> {
        let mode = match self.tls.mode {
            SslMode::Disabled => TlsUse::Disabled,
            SslMode::Preferred => TlsUse::Preferred,
            _ => TlsUse::Required,
        };
        Ok(self.connect.clone().tls(mode).build()?)
    }
}
