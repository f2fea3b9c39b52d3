//! The table: every way to log in, and where it leads over each transport.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use anyhow::Result;
use porpoise::OptionsBuilder;
use porpoise::auth::{Answer, Secret, ServerPublicKey};
use porpoise::classic::CapabilityFlags;
use porpoise::classic_connect::{Ask, ConnectOptionsBuilder};
use porpoise::driver::BoxFuture;
use porpoise::transport::{CaSource, PemSource};
use porpoise_test_support::Server;

use super::End::{Error as No, In, Refused};
use super::{Cache, Row};
use crate::suite::{MARIADB, MYSQL};

const SHA2: &str = "caching_sha2_password";
const SHA256: &str = "sha256_password";
const CLEAR: &str = "mysql_clear_password";
const NATIVE: &str = "mysql_native_password";
const ED25519: &str = "client_ed25519";

/// The stages in which the server's verdict on the first plugin, and on the one after a switch, is found.
const FIRST: &str = "AUTH_HANDLE_CHANGE_USER_REQUEST";
const SECOND: &str = "AUTH_HANDLE_SECOND_AUTHENTICATE_USER";
const PLUGIN: &str = "AUTH_HANDLE_FIRST_AUTHENTICATE_USER";

const ROW: Row = Row {
    name: "",
    servers: &[MYSQL],
    user: "sha2",
    password: "pw-sha2",
    cache: Cache::Any,
    sql: ["", ""],
    with: |options, _| Ok(options),
    leads_to: [No(0, ""); 3],
};

const MFA: [&str; 2] = [
    "DROP USER IF EXISTS e2e_two, e2e_three; SET GLOBAL authentication_policy = '*,*,*'; \
     CREATE USER e2e_three IDENTIFIED WITH caching_sha2_password BY 'pw-1' \
     AND IDENTIFIED WITH cleartext_plugin_server AS 'pw-2' AND IDENTIFIED WITH cleartext_plugin_server AS 'pw-3'; \
     SET GLOBAL authentication_policy = '*,*,'; \
     CREATE USER e2e_two IDENTIFIED WITH caching_sha2_password BY 'pw-1' \
     AND IDENTIFIED WITH cleartext_plugin_server AS 'pw-2'; SET GLOBAL authentication_policy = '*,,'",
    "DROP USER e2e_two, e2e_three",
];

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "sha2-fast",
        cache: Cache::Has,
        leads_to: [In(SHA2, "fast", 1), In(SHA2, "fast", 1), In(SHA2, "fast", 1)],
        ..ROW
    },
    Row {
        name: "sha2-full",
        cache: Cache::HasNot,
        leads_to: [No(2061, PLUGIN), In(SHA2, "full by TLS", 1), In(SHA2, "full by socket", 1)],
        ..ROW
    },
    Row {
        name: "sha2-full-key-pinned",
        cache: Cache::HasNot,
        with: pinned_key,
        leads_to: [
            In(SHA2, "full by RSA, key pinned", 1),
            In(SHA2, "full by TLS", 1),
            In(SHA2, "full by socket", 1),
        ],
        ..ROW
    },
    Row {
        name: "sha2-full-key-fetched",
        cache: Cache::HasNot,
        with: fetched_key,
        leads_to: [
            In(SHA2, "full by RSA, key fetched", 1),
            In(SHA2, "full by TLS", 1),
            In(SHA2, "full by socket", 1),
        ],
        ..ROW
    },
    Row {
        name: "sha2-empty",
        user: "sha2empty",
        password: "",
        leads_to: [In(SHA2, "empty password", 1); 3],
        ..ROW
    },
    Row {
        name: "sha2-switched-to",
        cache: Cache::Has,
        with: |options, _| connect(options, |c| c.default_auth(SHA256)),
        leads_to: [In(SHA2, "fast", 1); 3],
        ..ROW
    },
    Row {
        name: "sha2-asked",
        cache: Cache::HasNot,
        password: "",
        with: |options, _| asked(options, &[1], &["pw-sha2"]),
        leads_to: [No(2061, PLUGIN), In(SHA2, "full by TLS", 1), In(SHA2, "full by socket", 1)],
        ..ROW
    },
    Row {
        name: "sha2-asked-in-vain",
        password: "",
        with: |options, _| asked(options, &[1], &[]),
        leads_to: [No(2061, "AUTH_RUN_FIRST_AUTHENTICATE_USER"); 3],
        ..ROW
    },
    Row {
        name: "sha2-wrong",
        cache: Cache::Has,
        password: "nonsense",
        leads_to: [No(2061, PLUGIN), No(1045, FIRST), No(1045, FIRST)],
        ..ROW
    },
    Row {
        name: "sha2-wrong-key-fetched",
        cache: Cache::HasNot,
        password: "nonsense",
        with: fetched_key,
        leads_to: [No(1045, FIRST); 3],
        ..ROW
    },
    Row {
        name: "sha2-unknown-user",
        user: "nobody",
        with: fetched_key,
        // For an account that does not exist the server chooses a plugin by chance, once for each name.
        leads_to: [Refused(1045); 3],
        ..ROW
    },
    Row {
        name: "sha2-locked",
        user: "locked",
        cache: Cache::HasNot,
        with: fetched_key,
        leads_to: [No(3118, FIRST); 3],
        ..ROW
    },
    Row {
        name: "sha2-expired",
        user: "sha2expired",
        sql: ["ALTER USER sha2expired IDENTIFIED BY 'pw-sha2' PASSWORD EXPIRE", ""],
        with: fetched_key,
        leads_to: [No(1862, FIRST); 3],
        ..ROW
    },
    Row {
        name: "sha2-expired-sandbox",
        user: "sha2expired",
        sql: ["ALTER USER sha2expired IDENTIFIED BY 'pw-sha2' PASSWORD EXPIRE", ""],
        with: |options, server| {
            let sandbox = CapabilityFlags::CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS;
            connect(fetched_key(options, server)?, |c| c.with(sandbox))
        },
        leads_to: [
            In(SHA2, "full by RSA, key fetched", 1),
            In(SHA2, "full by TLS", 1),
            In(SHA2, "full by socket", 1),
        ],
        ..ROW
    },
    Row {
        name: "sha2-require-ssl",
        user: "sha2ssl",
        cache: Cache::HasNot,
        with: fetched_key,
        leads_to: [No(1045, FIRST), In(SHA2, "full by TLS", 1), No(1045, FIRST)],
        ..ROW
    },
    Row {
        name: "sha2-require-x509",
        user: "sha2x509",
        cache: Cache::HasNot,
        with: |options, server| client_certificate(fetched_key(options, server)?, server),
        leads_to: [No(1045, FIRST), In(SHA2, "full by TLS", 1), No(1045, FIRST)],
        ..ROW
    },
    Row {
        name: "sha2-require-x509-without",
        user: "sha2x509",
        cache: Cache::HasNot,
        with: fetched_key,
        leads_to: [No(1045, FIRST); 3],
        ..ROW
    },
    Row {
        name: "sha256",
        user: "s256",
        password: "pw-256",
        leads_to: [No(2061, SECOND), In(SHA256, "full by TLS", 1), No(2061, SECOND)],
        ..ROW
    },
    Row {
        name: "sha256-key-pinned",
        user: "s256",
        password: "pw-256",
        with: pinned_key,
        leads_to: [
            In(SHA256, "full by RSA, key pinned", 1),
            In(SHA256, "full by TLS", 1),
            In(SHA256, "full by RSA, key pinned", 1),
        ],
        ..ROW
    },
    Row {
        name: "sha256-key-fetched",
        user: "s256",
        password: "pw-256",
        with: fetched_key,
        leads_to: [
            In(SHA256, "full by RSA, key fetched", 1),
            In(SHA256, "full by TLS", 1),
            In(SHA256, "full by RSA, key fetched", 1),
        ],
        ..ROW
    },
    Row {
        name: "sha256-empty",
        user: "s256empty",
        password: "",
        leads_to: [In(SHA256, "empty password", 1); 3],
        ..ROW
    },
    Row {
        name: "sha256-wrong",
        user: "s256",
        password: "nonsense",
        with: pinned_key,
        leads_to: [No(1045, SECOND); 3],
        ..ROW
    },
    Row {
        name: "clear-not-enabled",
        user: "clear",
        password: "pw-clear",
        leads_to: [No(2059, "AUTH_RUN_SECOND_AUTHENTICATE_USER"); 3],
        ..ROW
    },
    Row {
        name: "clear",
        user: "clear",
        password: "pw-clear",
        with: clear,
        leads_to: [No(2061, SECOND), In(CLEAR, "clear", 1), In(CLEAR, "clear", 1)],
        ..ROW
    },
    Row {
        name: "clear-wrong",
        user: "clear",
        password: "nonsense",
        with: clear,
        leads_to: [No(2061, SECOND), No(1045, SECOND), No(1045, SECOND)],
        ..ROW
    },
    Row {
        name: "socket",
        user: "sockuser",
        password: "",
        leads_to: [No(1698, FIRST), No(1698, FIRST), In(SHA2, "empty password", 1)],
        ..ROW
    },
    Row {
        name: "socket-by-default-auth",
        user: "sockuser",
        password: "",
        with: |options, _| connect(options, |c| c.default_auth("auth_socket")),
        leads_to: [No(1698, FIRST), No(1698, FIRST), In("auth_socket", "peer credentials", 1)],
        ..ROW
    },
    Row {
        name: "two-factors",
        user: "e2e_two",
        password: "pw-1",
        sql: MFA,
        with: |options, server| factors(options, server, &["pw-2"]),
        leads_to: [No(2061, "AUTH_HANDLE_MULTI_AUTH_RESPONSE"), In(CLEAR, "clear", 2), In(CLEAR, "clear", 2)],
        ..ROW
    },
    Row {
        name: "three-factors",
        user: "e2e_three",
        password: "pw-1",
        sql: MFA,
        with: |options, server| factors(options, server, &["pw-2", "pw-3"]),
        leads_to: [No(2061, "AUTH_HANDLE_MULTI_AUTH_RESPONSE"), In(CLEAR, "clear", 3), In(CLEAR, "clear", 3)],
        ..ROW
    },
    Row {
        name: "three-factors-asked",
        user: "e2e_three",
        password: "",
        sql: MFA,
        with: |options, server| {
            let options = factors(options, server, &[])?;
            asked(options, &[1, 2, 3], &["pw-1", "pw-2", "pw-3"])
        },
        leads_to: [No(2061, "AUTH_HANDLE_MULTI_AUTH_RESPONSE"), In(CLEAR, "clear", 3), In(CLEAR, "clear", 3)],
        ..ROW
    },
    Row {
        name: "third-factor-wrong",
        user: "e2e_three",
        password: "pw-1",
        sql: MFA,
        with: |options, server| factors(options, server, &["pw-2", "nonsense"]),
        leads_to: [
            No(2061, "AUTH_HANDLE_MULTI_AUTH_RESPONSE"),
            No(1045, "AUTH_HANDLE_MULTI_AUTH_RESPONSE"),
            No(1045, "AUTH_HANDLE_MULTI_AUTH_RESPONSE"),
        ],
        ..ROW
    },
    Row {
        name: "native",
        servers: &MARIADB,
        user: "nat",
        password: "pw-nat",
        leads_to: [In(NATIVE, "scramble", 1); 3],
        ..ROW
    },
    Row {
        name: "native-switched-to",
        servers: &MARIADB,
        user: "nat",
        password: "pw-nat",
        with: |options, _| connect(options, |c| c.default_auth(SHA2)),
        leads_to: [In(NATIVE, "scramble", 1); 3],
        ..ROW
    },
    Row {
        name: "native-empty",
        servers: &MARIADB,
        user: "natempty",
        password: "",
        leads_to: [In(NATIVE, "empty password", 1); 3],
        ..ROW
    },
    Row {
        name: "native-wrong",
        servers: &MARIADB,
        user: "nat",
        password: "nonsense",
        leads_to: [No(1045, FIRST); 3],
        ..ROW
    },
    Row {
        name: "ed25519",
        servers: &MARIADB,
        user: "ed",
        password: "pw-ed",
        leads_to: [In(ED25519, "signature", 1); 3],
        ..ROW
    },
    Row {
        name: "ed25519-wrong",
        servers: &MARIADB,
        user: "ed",
        password: "nonsense",
        leads_to: [No(1045, SECOND); 3],
        ..ROW
    },
];

fn connect(
    options: OptionsBuilder,
    change: impl FnOnce(ConnectOptionsBuilder) -> ConnectOptionsBuilder,
) -> Result<OptionsBuilder> {
    Ok(options.connect(change))
}

fn fetched_key(options: OptionsBuilder, _: &Server) -> Result<OptionsBuilder> {
    connect(options, |c| c.get_server_public_key(true))
}

fn pinned_key(options: OptionsBuilder, server: &Server) -> Result<OptionsBuilder> {
    let key = ServerPublicKey::from_pem(&std::fs::read(server.file("public_key.pem")?)?)?;
    connect(options, |c| c.server_public_key(key))
}

fn clear(options: OptionsBuilder, _: &Server) -> Result<OptionsBuilder> {
    connect(options, |c| c.enable_cleartext_plugin(true))
}

fn client_certificate(options: OptionsBuilder, server: &Server) -> Result<OptionsBuilder> {
    let [ca, cert, key] = ["ca.pem", "client-cert.pem", "client-key.pem"].map(|name| server.file(name));
    let (ca, cert, key) = (ca?, cert?, key?);
    Ok(options.tls(|tls| {
        tls.ca.push(CaSource::File(ca));
        tls.cert = Some(PemSource::File(cert));
        tls.key = Some(PemSource::File(key));
    }))
}

/// The passwords of the second and third factor, which travel as they are, and whatever the first one needs.
fn factors(options: OptionsBuilder, server: &Server, passwords: &[&str]) -> Result<OptionsBuilder> {
    let options = clear(fetched_key(options, server)?, server)?;
    let add = |options: OptionsBuilder, (factor, password): (usize, &&str)| {
        options.connect(|c| c.factor_password(factor, *password))
    };
    Ok((2..).zip(passwords).fold(options, add))
}

/// The passwords of these factors are asked for, and there are these answers. Nothing may be asked twice.
fn asked(
    options: OptionsBuilder,
    factors: &[usize],
    answers: &'static [&'static str],
) -> Result<OptionsBuilder> {
    let left = Mutex::new((1..).zip(answers).collect::<VecDeque<_>>());
    let respond = move |ask: &Ask| -> BoxFuture<Answer> {
        let next = left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let answer = match (ask, next) {
            (Ask::Password { factor, .. }, Some((place, password))) if *factor == place => {
                Answer::Secret(Secret::from(*password))
            }
            _ => Answer::Refused,
        };
        // It takes a while.
        let mut asked = false;
        Box::pin(poll_fn(move |cx| {
            if std::mem::replace(&mut asked, true) {
                return Poll::Ready(answer.clone());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    };
    let options = options.responder(Arc::new(respond));
    Ok(factors.iter().fold(options, |options, factor| options.connect(|c| c.ask_password(*factor))))
}
