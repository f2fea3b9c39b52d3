//! Every way to log in over the X Protocol, on every transport and runtime: where it leads is in one table.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use porpoise::transport::{PemSource, SslMode};
use porpoise::x::{Options, OptionsBuilder, Session};
use porpoise::xproto::connect::Auth;
use porpoise_test_support::{Server, lock};

use self::End::{In, No};
use crate::suite::{Cell, Context, MYSQL, Suite, Transport, expect};

const PASSWORD: &str = "pearl";

/// A way to log in.
struct Row {
    name: &'static str,
    /// What the account is made with.
    account: &'static str,
    password: &'static str,
    auth: Auth,
    /// What the server's memory has of the account.
    warm: bool,
    with: With,
    /// Over TCP, TCP with TLS, and a Unix socket.
    leads_to: [End; 3],
}

/// Where a login leads.
#[derive(Clone, Copy)]
enum End {
    /// Into a session, by this mechanism.
    In(&'static str),
    /// To an error: its number.
    No(u16),
}

type With = fn(OptionsBuilder, &Server) -> Result<OptionsBuilder>;

const PLAIN: &str = "PLAIN";
const MEMORY: &str = "SHA256_MEMORY";
const ACCOUNT: &str = "BY 'pearl'";

const ROW: Row = Row {
    name: "",
    account: ACCOUNT,
    password: PASSWORD,
    auth: Auth::Auto,
    warm: false,
    with: |options, _| Ok(options),
    leads_to: [No(1045), In(PLAIN), In(PLAIN)],
};

const ROWS: [Row; 18] = [
    Row { name: "cold", ..ROW },
    Row { name: "warm", warm: true, leads_to: [In(MEMORY), In(PLAIN), In(PLAIN)], ..ROW },
    Row { name: "wrong-password", password: "oyster", warm: true, leads_to: [No(1045); 3], ..ROW },
    Row { name: "plain", auth: Auth::Plain, leads_to: [No(2061), In(PLAIN), In(PLAIN)], ..ROW },
    Row {
        name: "plain-wrong",
        auth: Auth::Plain,
        password: "oyster",
        leads_to: [No(2061), No(1045), No(1045)],
        ..ROW
    },
    Row { name: "memory-cold", auth: Auth::Sha256Memory, leads_to: [No(1045); 3], ..ROW },
    Row { name: "memory-warm", auth: Auth::Sha256Memory, warm: true, leads_to: [In(MEMORY); 3], ..ROW },
    Row {
        name: "memory-wrong",
        auth: Auth::Sha256Memory,
        warm: true,
        password: "oyster",
        leads_to: [No(1045); 3],
        ..ROW
    },
    Row {
        name: "sha256_password",
        account: "WITH sha256_password BY 'pearl'",
        warm: true,
        leads_to: [In(MEMORY), In(PLAIN), In(PLAIN)],
        ..ROW
    },
    Row {
        name: "no-password",
        account: "BY ''",
        password: "",
        warm: true,
        leads_to: [In(MEMORY), In(PLAIN), In(PLAIN)],
        ..ROW
    },
    Row { name: "mysql41", auth: Auth::Mysql41, warm: true, leads_to: [No(1045); 3], ..ROW },
    Row { name: "external", auth: Auth::External, leads_to: [No(1251); 3], ..ROW },
    Row {
        name: "locked",
        account: "BY 'pearl' ACCOUNT LOCK",
        leads_to: [No(1045), No(3118), No(3118)],
        ..ROW
    },
    Row {
        name: "expired",
        account: "BY 'pearl' PASSWORD EXPIRE",
        leads_to: [No(1045), No(1862), No(1862)],
        ..ROW
    },
    Row {
        name: "expired-ok",
        account: "BY 'pearl' PASSWORD EXPIRE",
        with: |options, _| Ok(options.connect(|connect| connect.expired_password_ok = true)),
        ..ROW
    },
    Row {
        name: "require-ssl",
        account: "BY 'pearl' REQUIRE SSL",
        leads_to: [No(1045), In(PLAIN), No(1045)],
        ..ROW
    },
    Row { name: "require-x509", account: "BY 'pearl' REQUIRE X509", leads_to: [No(1045); 3], ..ROW },
    Row {
        name: "certificate",
        account: "BY 'pearl' REQUIRE X509",
        with: |options, server| {
            let (cert, key) = (server.file("client-cert.pem")?, server.file("client-key.pem")?);
            Ok(options.tls(|tls| {
                (tls.cert, tls.key) = (Some(PemSource::File(cert)), Some(PemSource::File(key)));
            }))
        },
        leads_to: [No(1045), In(PLAIN), No(1045)],
        ..ROW
    },
];

pub(crate) fn add(suite: &mut Suite) {
    for row in &ROWS {
        for (transport, leads_to) in Transport::ALL.into_iter().zip(row.leads_to) {
            for cell in Cell::on_each_runtime(transport, MYSQL) {
                let name = format!("x-auth::{}::{}::{}", row.name, transport.name(), cell.runner);
                suite.add(name, cell, move |context| log_in(context, row, leads_to));
            }
        }
    }
}

fn log_in(context: &Context, row: &Row, leads_to: End) -> Result<()> {
    let server = context.server()?;
    let over = |transport: Transport| -> Result<OptionsBuilder> {
        let tcp = |mode| -> Result<OptionsBuilder> {
            Ok(Options::builder().host(&server.host).port(server.x_address()?.port()).ssl_mode(mode))
        };
        let options = match transport {
            Transport::Tcp => tcp(SslMode::Disabled)?,
            Transport::Tls => tcp(SslMode::Required)?,
            Transport::Unix => Options::builder().unix_socket(server.x_socket()?).ssl_mode(SslMode::Disabled),
        };
        Ok(options.user("porp_x_auth"))
    };
    let options = over(context.cell.transport)?.password(row.password).auth(row.auth.clone());
    let options = Arc::new((row.with)(options, server)?.build());
    // The server's memory is one for all, and so is the account.
    let _lock = lock()?;
    server.run("DROP USER IF EXISTS porp_x_auth")?;
    server.run(&format!("CREATE USER porp_x_auth IDENTIFIED {}", row.account))?;
    let password = if row.account == "BY ''" { "" } else { PASSWORD };
    let warm = Arc::new(over(Transport::Unix)?.password(password).build());
    let result = context.run(async {
        if row.warm {
            let session = Session::connect(context.runtime(), warm).await;
            session.context("to fill the server's memory")?.close().await?;
        }
        judge(leads_to, Session::connect(context.runtime(), options).await).await
    });
    server.run("DROP USER porp_x_auth")?;
    result
}

async fn judge(leads_to: End, connected: Result<Session, porpoise::x::Error>) -> Result<()> {
    match (leads_to, connected) {
        (In(mechanism), Ok(mut session)) => {
            expect("mechanism", &session.mechanism(), &Some(mechanism))?;
            if session.is_expired() {
                let refused = session.sql("SELECT 1").run().await.err().context("the sandbox lets it run")?;
                expect("number", &refused.code(), &1820)?;
                session.sql("ALTER USER USER() IDENTIFIED BY 'oyster'").run().await?;
            }
            let one: Option<i64> = session.sql("SELECT 1").first().await?;
            expect("SELECT 1", &one, &Some(1))?;
            Ok(session.close().await?)
        }
        (No(code), Err(error)) => expect("number", &error.code(), &code).with_context(|| error.to_string()),
        (_, Err(error)) => bail!("{error}"),
        (_, Ok(session)) => bail!("in by {:?}", session.mechanism()),
    }
}
