//! Connects that succeed: one for each way through the stages.

use std::sync::Arc;

use porpoise_driver::{Options, OptionsBuilder};

use crate::Act;
use crate::cases::{SECRET, plain, tls};
use crate::packets::{
    ALL, CONNECT_WITH_DB, SSL, column, end, end_more, greeting, greeting_of, more, next_factor, ok, ok_more,
    row, switch_with_nonce, tls_greeting,
};
use crate::tls::server;

/// A server's RSA key. Nobody has its other half any more.
const PUBLIC_KEY: &[u8] = include_bytes!("public_key.pem");

/// A connect that succeeds.
#[derive(Clone)]
pub struct Connect {
    /// The way that it takes.
    pub name: &'static str,
    /// What the server does.
    pub script: Vec<Act>,
    /// What the client connects with.
    pub options: Arc<Options>,
    builder: OptionsBuilder,
}

impl Connect {
    fn new(name: &'static str, script: impl Into<Vec<Act>>, options: OptionsBuilder) -> Self {
        let (script, builder) = (script.into(), options);
        let options = builder.clone().build().unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name, script, options: Arc::new(options), builder }
    }

    /// The client's options, changed.
    ///
    /// # Panics
    /// When they cannot be used.
    #[must_use]
    pub fn options_with(&self, change: impl FnOnce(OptionsBuilder) -> OptionsBuilder) -> Arc<Options> {
        let options = change(self.builder.clone()).build();
        Arc::new(options.unwrap_or_else(|error| panic!("{}: {error}", self.name)))
    }

    /// Whether it goes through TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.script.iter().any(|act| matches!(act, Act::Tls(_)))
    }
}

/// All of them.
#[must_use]
pub fn all() -> Vec<Connect> {
    vec![fast(), key_fetched(), switched(), factors(), prepared(), in_tls()]
}

/// `caching_sha2_password`, fast.
#[must_use]
pub fn fast() -> Connect {
    Connect::new("fast", [Act::Say(greeting()), Act::Hear, Act::Say(more(&[3])), Act::Say(ok())], plain())
}

fn key_fetched() -> Connect {
    let script = [
        Act::Say(greeting()),
        Act::Hear,
        Act::Say(more(&[4])),
        Act::Hear,
        Act::Say(more(PUBLIC_KEY)),
        Act::Hear,
        Act::Say(ok()),
    ];
    let options = plain().connect(|connect| connect.get_server_public_key(true));
    Connect::new("full by RSA, key fetched", script, options)
}

fn switched() -> Connect {
    let switch = Act::Say(switch_with_nonce("mysql_native_password"));
    Connect::new("switched", [Act::Say(greeting()), Act::Hear, switch, Act::Hear, Act::Say(ok())], plain())
}

fn factors() -> Connect {
    let factor = || Act::Say(next_factor("mysql_native_password"));
    let script = [
        Act::Say(greeting()),
        Act::Hear,
        Act::Say(more(&[3])),
        factor(),
        Act::Hear,
        factor(),
        Act::Hear,
        Act::Say(ok()),
    ];
    let options = plain().connect(|connect| connect.factor_password(2, SECRET).factor_password(3, SECRET));
    Connect::new("three factors", script, options)
}

/// COM_INIT_DB, SET NAMES and two init commands, one of which has several results.
fn prepared() -> Connect {
    let script = [
        Act::Say(greeting_of(ALL & !SSL & !CONNECT_WITH_DB, "caching_sha2_password")),
        Act::Hear,
        Act::Say(more(&[3])),
        Act::Say(ok()),
        Act::Hear,
        Act::Say(ok()),
        Act::Hear,
        Act::Say(ok()),
        Act::Hear,
        Act::Say(vec![1]),
        Act::Say(column("c")),
        Act::Say(row("pearl")),
        Act::Say(end_more()),
        Act::Say(ok_more()),
        Act::Say(ok()),
        Act::Hear,
        Act::Say(vec![1]),
        Act::Say(column("c")),
        Act::Say(row("oyster")),
        Act::Say(row("shell")),
        Act::Say(end()),
    ];
    let options = plain().database("reef").connect(|connect| {
        let charset = porpoise_classic_connect::Charset::Name("utf8mb4_0900_as_cs".into());
        connect.charset(charset).init_command("CALL dive()").init_command("SELECT * FROM finds")
    });
    Connect::new("prepared", script, options)
}

/// `caching_sha2_password`, full, in TLS.
#[must_use]
pub fn in_tls() -> Connect {
    let (config, _) = server();
    let script = [
        Act::Say(tls_greeting()),
        Act::Hear,
        Act::Tls(config),
        Act::Hear,
        Act::Say(more(&[4])),
        Act::Hear,
        Act::Say(ok()),
    ];
    Connect::new("full by TLS", script, tls())
}
