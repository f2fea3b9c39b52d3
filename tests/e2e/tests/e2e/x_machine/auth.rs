//! Logins of X Protocol: every mechanism on every channel, and what the server's cache, the account and the attempts before
//! make of it.

use anyhow::{Context as _, Result, ensure};
use bytes::BytesMut;
use porpoise::auth::scramble::native_password;
use porpoise::auth::{Channel, Exchange, Input, Mechanism, MysqlNativePassword, Policy, SaslMysql41, Secret};
use porpoise::transport::PemSource;
use porpoise::wire::Limits;
use porpoise_test_support::{Server, XClient, XReply, lock};
use porpoise_xproto::connect::{Auth, ConnectErrorKind, ConnectOptions, Use};
use porpoise_xproto::messages::session;
use porpoise_xproto::{LifeCycle, NoticeBody, XErrorKind};

use super::{add_tests, connected, live, live_with, options, refused, transport, with, works};
use crate::suite::{Cell, Context, MARIADB, Runner, Suite, Transport, expect};

const DENIED: u16 = 1045;

pub(super) fn add(suite: &mut Suite) {
    for over in Transport::ALL {
        add_tests(
            suite,
            "auth",
            over,
            &[
                ("a cold and a warm cache", cache),
                ("PLAIN", plain),
                ("MYSQL41 is always refused", mysql41),
                ("EXTERNAL is not known", external),
                ("the server's own choice", auto),
            ],
        );
    }
    add_tests(
        suite,
        "auth",
        Transport::Unix,
        &[
            ("attempts", attempts),
            ("accounts that let nobody in", locked),
            ("schemas", schemas),
            ("nothing of a password", empty),
            ("authenticated again", again),
        ],
    );
    add_tests(suite, "auth", Transport::Tls, &[("a certificate", certificate)]);
    for server in MARIADB {
        let cell = Cell::new(Runner::Blocking, Transport::Unix, server);
        suite.add(format!("x_machine::auth::MYSQL41 is native::{server}"), cell, native);
    }
}

/// A new account, which no cache knows, for as long as a test runs. The cache is of the whole server, so that nobody else
/// may flush it.
fn with_account(
    server: &Server,
    made: &str,
    test: impl FnOnce(&dyn Fn(&str, Auth) -> ConnectOptions) -> Result<()>,
) -> Result<()> {
    let _lock = lock()?;
    server.run(&format!("DROP USER IF EXISTS porp_xt; CREATE USER porp_xt IDENTIFIED {made}"))?;
    let options = |password: &str, auth: Auth| {
        with(ConnectOptions::new("porp_xt", password), |options| {
            (options.auth, options.tls) = (auth, Use::Disabled);
        })
    };
    let tested = test(&options);
    server.run("DROP USER porp_xt")?;
    tested
}

fn on(over: Transport, mut options: ConnectOptions) -> ConnectOptions {
    if over == Transport::Tls {
        options.tls = Use::Required;
    }
    options
}

fn cache(context: &Context) -> Result<()> {
    let (server, over) = (context.server()?, context.cell.transport);
    for made in ["WITH caching_sha2_password BY 'pearl'", "WITH sha256_password BY 'pearl'"] {
        with_account(server, made, |account| {
            let memory = || on(over, account("pearl", Auth::Sha256Memory));
            let error = refused(server, over, memory())?;
            expect("cold", &(error.code(), error.mechanism()), &(DENIED, Some("SHA256_MEMORY")))?;
            ensure!(error.advice().is_some_and(|advice| advice.contains("connect once over TLS")), "{error}");
            // A login by the classic protocol does not fill it.
            let classic = server.tcp().user("porp_xt").password("pearl").build()?;
            porpoise::blocking::connect(classic.into())?.close()?;
            expect("as cold", &refused(server, over, memory())?.code(), &DENIED)?;
            let (unix, tls) = (Transport::Unix, Transport::Tls);
            let warms = if over == unix { unix } else { tls };
            connected(server, warms, on(warms, account("pearl", Auth::Plain)), works)?;
            connected(server, over, memory(), |client| {
                works(client)?;
                client.close()
            })?;
            let wrong = on(over, account("oyster", Auth::Sha256Memory));
            expect("a wrong password", &refused(server, over, wrong)?.code(), &DENIED)?;
            server.run("FLUSH PRIVILEGES")?;
            expect("flushed", &refused(server, over, memory())?.code(), &DENIED)
        })?;
    }
    Ok(())
}

fn plain(context: &Context) -> Result<()> {
    let (server, over) = (context.server()?, context.cell.transport);
    let mut options = options("sha2", over)?;
    options.auth = Auth::Plain;
    if over != Transport::Tcp {
        connected(server, over, options.clone(), works)?;
        options.password = "wrong".into();
        return expect("a wrong password", &refused(server, over, options)?.code(), &DENIED);
    }
    let error = refused(server, over, options)?;
    expect("the client's own word", &(error.code(), error.state()), &(2061, LifeCycle::Connected))?;
    ensure!(matches!(error.kind(), ConnectErrorKind::Auth(_)), "{error}");
    // Nothing that could be taken for a password is sent to see what the server says.
    fatal_1251(server, over, "PLAIN", Some(b"\0nobody\0"))
}

/// The server's word to a mechanism that it does not take here.
fn fatal_1251(server: &Server, over: Transport, mechanism: &str, data: Option<&[u8]>) -> Result<()> {
    let mut wire = live(server, over)?;
    let mut client = XClient::open(&mut wire, Limits::default())?;
    client.with(|machine, cx| machine.authenticate_start(mechanism, data, false, cx))?;
    let error = client.reply().err().with_context(|| format!("{mechanism} is taken"))?;
    ensure!(matches!(error.kind(), XErrorKind::Fatal(error) if error.code == 1251), "{error}");
    Ok(())
}

fn mysql41(context: &Context) -> Result<()> {
    let (server, over) = (context.server()?, context.cell.transport);
    let mut options = options("sha2", over)?;
    options.auth = Auth::Mysql41;
    let error = refused(server, over, options)?;
    expect("the error", &(error.code(), error.mechanism()), &(DENIED, Some("MYSQL41")))?;
    expect("fatal", &error.server_error().map(|error| error.fatal), &Some(false))
}

fn external(context: &Context) -> Result<()> {
    let (server, over) = (context.server()?, context.cell.transport);
    let mut options = options("sha2", over)?;
    options.auth = Auth::External;
    let error = refused(server, over, options)?;
    expect("the error", &(error.code(), error.mechanism()), &(1251, Some("EXTERNAL")))?;
    expect("fatal", &error.server_error().map(|error| error.fatal), &Some(true))?;
    ensure!(error.advice().is_some(), "{error}");
    for name in ["plain", "NO_SUCH"] {
        fatal_1251(server, Transport::Unix, name, None)?;
    }
    Ok(())
}

/// Without a name: PLAIN where nobody reads it, else what is in memory.
fn auto(context: &Context) -> Result<()> {
    let (server, over) = (context.server()?, context.cell.transport);
    with_account(server, "BY 'pearl'", |account| {
        let auto = || on(over, account("pearl", Auth::Auto));
        if over == Transport::Tcp {
            let error = refused(server, over, auto())?;
            expect("cold", &(error.code(), error.mechanism()), &(DENIED, Some("SHA256_MEMORY")))?;
            connected(server, Transport::Unix, account("pearl", Auth::Plain), works)?;
        }
        connected(server, over, auto(), |client| {
            works(client)?;
            client.close()
        })
    })
}

fn start(client: &mut XClient<'_>, password: &str) -> Result<XReply, porpoise_xproto::XError> {
    let data = format!("\0sha2\0{password}");
    let sent =
        client.with(|machine, cx| machine.authenticate_start("PLAIN", Some(data.as_bytes()), false, cx));
    assert_eq!(sent, Ok(()), "a login may be sent");
    client.reply()
}

/// A failure is not the end, and the third one is.
fn attempts(context: &Context) -> Result<()> {
    let server = context.server()?;
    let _lock = lock()?;
    let mut wire = live(server, Transport::Unix)?;
    let mut client = XClient::open(&mut wire, Limits::default())?;
    for _ in 0..2 {
        expect("a wrong password", &start(&mut client, "wrong")?.code(), &DENIED)?;
        expect("the state", &client.machine().state(), &LifeCycle::AuthenticationFailed)?;
    }
    let reply = start(&mut client, "pw-sha2")?.ok()?;
    ensure!(matches!(reply.notices[..], [NoticeBody::ClientIdAssigned(_)]), "{reply:?}");
    works(&mut client)?;
    // A new session has three attempts again.
    client.ask(&session::Close {})?.ok()?;
    for _ in 0..2 {
        expect("a wrong password", &start(&mut client, "wrong")?.code(), &DENIED)?;
    }
    let end = start(&mut client, "wrong").err().context("a fourth attempt is possible")?;
    ensure!(matches!(end.kind(), XErrorKind::Fatal(error) if error.code == DENIED), "{end}");
    Ok(())
}

fn locked(context: &Context) -> Result<()> {
    let (server, unix) = (context.server()?, Transport::Unix);
    with_account(server, "BY 'pearl' ACCOUNT LOCK", |account| {
        let plain = |password| account(password, Auth::Plain);
        let error = refused(server, unix, plain("pearl"))?;
        expect("locked", &error.code(), &3118)?;
        ensure!(error.advice().is_some_and(|advice| advice.contains("UNLOCK")), "{error}");
        expect("locked, a wrong password", &refused(server, unix, plain("oyster"))?.code(), &DENIED)?;
        server.run("ALTER USER porp_xt ACCOUNT UNLOCK")?;
        connected(server, unix, plain("pearl"), works)?;
        server.run("ALTER USER porp_xt PASSWORD EXPIRE")?;
        expect("expired", &refused(server, unix, plain("pearl"))?.code(), &1862)?;
        server.run("ALTER USER porp_xt IDENTIFIED BY 'pearl' REQUIRE SSL")?;
        expect("without TLS", &refused(server, unix, plain("pearl"))?.code(), &DENIED)?;
        connected(server, Transport::Tls, on(Transport::Tls, plain("pearl")), works)
    })
}

fn schemas(context: &Context) -> Result<()> {
    let (server, unix) = (context.server()?, Transport::Unix);
    let into = |user: &str, schema: &str| -> Result<ConnectOptions> {
        Ok(with(options(user, unix)?, |options| options.schema = schema.to_owned()))
    };
    let _lock = lock()?;
    expect("denied", &refused(server, unix, into("sha2", "mysql")?)?.code(), &1044)?;
    expect("unknown", &refused(server, unix, into("sha2all", "porp_no_such")?)?.code(), &1049)?;
    connected(server, unix, into("sha2", "odb")?, |client| {
        expect("the schema", &super::text(client, "select schema()")?.as_str(), &"odb")
    })
}

fn empty(context: &Context) -> Result<()> {
    let (server, unix) = (context.server()?, Transport::Unix);
    with_account(server, "BY ''", |account| {
        connected(server, unix, account("", Auth::Plain), works)?;
        connected(server, unix, account("", Auth::Sha256Memory), works)?;
        expect("a password", &refused(server, unix, account("pearl", Auth::Plain))?.code(), &DENIED)
    })
}

/// Another account behind a reset: the connection's number stays, the session is another.
fn again(context: &Context) -> Result<()> {
    let (server, unix) = (context.server()?, Transport::Unix);
    let _lock = lock()?;
    connected(server, unix, options("sha2all", unix)?, |client| {
        client.ask(&session::Reset::default())?.ok()?;
        start(client, "pw-sha2")?.ok()?;
        let user = super::text(client, "select substring_index(current_user(), '@', 1)")?;
        expect("the user", &user.as_str(), &"sha2")?;
        client.close()
    })
}

/// REQUIRE X509: the certificate is asked for on top of the password.
fn certificate(context: &Context) -> Result<()> {
    let (server, over) = (context.server()?, context.cell.transport);
    let _lock = lock()?;
    let options = options("sha2x509", over)?;
    expect("without", &refused(server, over, options.clone())?.code(), &DENIED)?;
    for auth in [Auth::Auto, Auth::Plain, Auth::Sha256Memory] {
        let (cert, key) = (server.file("client-cert.pem")?, server.file("client-key.pem")?);
        let mut wire = live_with(server, over, |tls| {
            tls.cert = Some(PemSource::File(cert));
            tls.key = Some(PemSource::File(key));
            Ok(())
        })?;
        let options = with(options.clone(), |options| options.auth = auth);
        let mut client = XClient::connect(&mut wire, transport(over), options)?;
        works(&mut client)?;
        client.close()?;
    }
    Ok(())
}

/// MYSQL41 answers a nonce as mysql_native_password does, and a server that has such accounts agrees: its own functions find
/// the stored hash in the answer.
fn native(context: &Context) -> Result<()> {
    let server = context.server()?;
    let mut nonce = *b"abcdefghijklmnopqrs\0";
    let policy = Policy::default();
    for password in ["pearl", "a password with \u{e9} and \u{1f42c}"] {
        let secret = Secret::from(password);
        for seed in 1..20 {
            nonce.iter_mut().take(19).for_each(|byte| *byte = (*byte).wrapping_mul(seed) % 127 + 1);
            let exchange = Exchange::new(Channel::UnixSocket, &policy, "u", &secret);
            let mut answer = BytesMut::new();
            let mut mechanism = SaslMysql41::new();
            for input in [Input::Start { challenge: None }, Input::Packet(&nonce)] {
                let _ = mechanism.step(input, &exchange, &mut answer)?;
            }
            let text = String::from_utf8(answer.to_vec())?;
            let hex = text.strip_prefix("\0u\0*").with_context(|| text.clone())?;
            let mut native = BytesMut::new();
            let start = Input::Start { challenge: Some(&nonce) };
            let _ = MysqlNativePassword::new().step(start, &exchange, &mut native)?;
            let native: String = native.iter().map(|byte| format!("{byte:02X}")).collect();
            expect("the answers", &hex, &native.as_str())?;
            // SHA1(SHA1(password)) is in the answer, masked by SHA1(nonce, SHA1(SHA1(password))).
            let token = native_password(password.as_bytes(), &nonce);
            let nonce: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
            let mut root = server.root()?;
            let stored = format!("substr(password('{password}'), 2)");
            let mask = format!("select sha1(concat(unhex('{nonce}'), unhex({stored})))");
            let ask = |root: &mut porpoise::blocking::BlockingClient, sql: &str| -> Result<String> {
                let found: Option<String> = porpoise::blocking::block_on(root.client().query_first(sql))?;
                found.context("no row")
            };
            let mask = ask(&mut root, &mask)?;
            let mask = (0..20).map(|i| u8::from_str_radix(mask.get(2 * i..2 * i + 2).unwrap_or(""), 16));
            let inner = token.iter().zip(mask).map(|(byte, mask)| Ok(format!("{:02x}", byte ^ mask?)));
            let inner = inner.collect::<Result<String>>()?;
            let agrees = format!("select if(sha1(unhex('{inner}')) = lower({stored}), 'yes', 'no')");
            expect("the server's word", &ask(&mut root, &agrees)?.as_str(), &"yes")?;
        }
    }
    Ok(())
}
