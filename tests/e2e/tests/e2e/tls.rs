//! TLS with the server's own certificate, which has a common name and no alternative names.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use porpoise::classic_connect::{ConnectError, ConnectErrorKind};
use porpoise::driver::Runtime;
use porpoise::transport::{CaSource, SslMode, TlsError, TlsFacts, TlsOptions, TlsVersion};
use porpoise::wire::Lost;
use porpoise::{Connecting, Error, FlightRecord, Options, OptionsBuilder};
use porpoise_test_support::{Authority, ClearingProxy, Server};
use x509_parser::pem::Pem;

use crate::resolver::Resolver;
use crate::suite::{Context, MYSQL, Suite, Test, Transport, expect, first_cell};

pub(crate) fn add(suite: &mut Suite) {
    let tests: &[(&str, Test)] = &[
        ("verify-ca", verify_ca),
        ("verify-identity", verify_identity),
        ("verify-identity-of-another", verify_identity_of_another),
        ("another-ca", another_ca),
        ("system-ca", system_ca),
        ("no-ca", no_ca),
        ("resumed", resumed),
        ("facts", facts),
        ("not-offered", not_offered),
        ("disabled", disabled),
        ("over-a-unix-socket", over_a_unix_socket),
    ];
    suite.add_tests("tls", Transport::Tls, MYSQL, tests);
}

/// A login that works however full the server's cache is, unless TLS is in its way.
fn login(options: OptionsBuilder, tls: impl FnOnce(&mut TlsOptions)) -> Result<Arc<Options>> {
    let options = options.user("sha2all").password("pw-sha2").flight_record(true).tls(tls);
    Ok(Arc::new(options.connect(|c| c.get_server_public_key(true)).build()?))
}

fn verified(mode: SslMode, server: &Server) -> Result<impl FnOnce(&mut TlsOptions) + use<>> {
    let ca = CaSource::File(server.file("ca.pem")?);
    Ok(move |tls: &mut TlsOptions| {
        tls.mode = mode;
        tls.ca.push(ca);
    })
}

/// What TLS agreed on in a connect that succeeds; nothing if it was not used. The client is asked something, too.
fn used(
    context: &Context,
    runtime: &'static dyn Runtime,
    options: &Arc<Options>,
) -> Result<Option<TlsFacts>> {
    context.run(async {
        let mut client = Connecting::new(runtime, Arc::clone(options)).await?;
        expect("SELECT 1", &first_cell(&mut client, "SELECT 1").await?.as_deref(), &Some("1"))?;
        let record = client.flight_record().context("no flight record")?;
        let facts = record.tls;
        expect("encrypted", &client.is_encrypted(), &facts.is_some())?;
        client.close().await?;
        Ok(facts)
    })
}

/// Why a connect fails in ESTABLISH_SSL, and what it did.
fn refused(
    context: &Context,
    runtime: &'static dyn Runtime,
    options: &Arc<Options>,
) -> Result<(ConnectError, FlightRecord)> {
    context.run(async {
        let mut connecting = Connecting::new(runtime, Arc::clone(options));
        let error = match (&mut connecting).await {
            Ok(_) => bail!("connected"),
            Err(Error::Connect(error)) => error,
            Err(error) => bail!("{error}"),
        };
        let record = connecting.flight_record().cloned().context("no flight record")?;
        expect("number, stage", &(error.code(), error.stage().name()), &(2026, "ESTABLISH_SSL"))?;
        expect("last stage", &record.stages.last().map(|stage| stage.stage.name), &Some("ESTABLISH_SSL"))?;
        Ok((error, record))
    })
}

fn tls_error(error: &ConnectError) -> Result<&TlsError> {
    let cause = match error.kind() {
        ConnectErrorKind::Lost(Lost::Tls { error, .. }) | ConnectErrorKind::TlsSettings(error) => error,
        kind => bail!("not TLS: {kind}"),
    };
    cause.downcast_ref().context("not the transport's error")
}

fn verify_ca(context: &Context) -> Result<()> {
    let server = context.server()?;
    let options = login(server.tcp(), verified(SslMode::VerifyCa, server)?)?;
    let facts = used(context, context.runtime(), &options)?.context("no TLS")?;
    expect("chain, name checked", &(facts.verified, facts.name_verified), &(true, false))
}

/// The host is a name that only this test's name service knows: the one in the server's certificate.
fn verify_identity(context: &Context) -> Result<()> {
    let server = context.server()?;
    let runtime = Resolver::leak(context.runtime(), vec![server.address()?]);
    let target = server.tcp().host(&common_name(server)?);
    let options = login(target, verified(SslMode::VerifyIdentity, server)?)?;
    let facts = used(context, runtime, &options)?.context("no TLS")?;
    expect("chain, name checked", &(facts.verified, facts.name_verified), &(true, true))
}

fn verify_identity_of_another(context: &Context) -> Result<()> {
    let server = context.server()?;
    let runtime = Resolver::leak(context.runtime(), vec![server.address()?]);
    for host in ["db.example.com", &server.host] {
        let options = login(server.tcp().host(host), verified(SslMode::VerifyIdentity, server)?)?;
        let (error, record) = refused(context, runtime, &options)?;
        match tls_error(&error)? {
            TlsError::NameMismatch { host: named, presented } => {
                expect("host", &named.as_str(), &host)?;
                expect("names", presented, &vec![common_name(server)?])?;
            }
            other => bail!("{other}"),
        }
        expect("plugin that ran", &record.auth_plugin.as_str(), &"")?;
    }
    Ok(())
}

fn another_ca(context: &Context) -> Result<()> {
    let server = context.server()?;
    let ca = CaSource::Pem(Authority::new("a CA that nobody knows")?.pem().into());
    // A CA that is given is used, whatever the mode.
    for mode in [SslMode::Preferred, SslMode::Required, SslMode::VerifyCa, SslMode::VerifyIdentity] {
        let options = login(server.tcp(), |tls| {
            tls.mode = mode;
            tls.ca.push(ca.clone());
        })?;
        let (error, _) = refused(context, context.runtime(), &options)?;
        expect("error", tls_error(&error)?, &TlsError::UnknownIssuer).with_context(|| mode.to_string())?;
    }
    Ok(())
}

/// No authority of the operating system's store knows a test's server.
fn system_ca(context: &Context) -> Result<()> {
    let server = context.server()?;
    let options = login(server.tcp(), |tls| {
        tls.mode = SslMode::VerifyCa;
        tls.ca.push(CaSource::System);
    })?;
    let (error, _) = refused(context, context.runtime(), &options)?;
    match tls_error(&error)? {
        // A machine without a store says that instead.
        TlsError::UnknownIssuer | TlsError::Load { .. } => Ok(()),
        other => bail!("{other}"),
    }
}

fn no_ca(context: &Context) -> Result<()> {
    let server = context.server()?;
    for mode in [SslMode::VerifyCa, SslMode::VerifyIdentity] {
        let options = login(server.tcp(), |tls| tls.mode = mode)?;
        let (error, record) = refused(context, context.runtime(), &options)?;
        expect("error", tls_error(&error)?, &TlsError::MissingCa { mode })?;
        let (received, sent) = record.bytes();
        expect("bytes sent", &sent, &0)?;
        ensure!(received > 0, "the greeting was not waited for");
    }
    Ok(())
}

fn resumed(context: &Context) -> Result<()> {
    let server = context.server()?;
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        for resume in [true, false] {
            let options = login(server.tcp(), |tls| {
                tls.mode = SslMode::Required;
                tls.versions = vec![version];
                tls.resume = resume;
            })?;
            let mut found = Vec::new();
            for _ in 0..3 {
                let facts = used(context, context.runtime(), &options)?.context("no TLS")?;
                expect("version", &facts.version, &version.name())?;
                found.push(facts.resumed);
            }
            expect("resumed", &found, &vec![false, resume, resume]).context(version.name())?;
        }
    }
    Ok(())
}

/// What the flight record says of TLS is what the server says.
fn facts(context: &Context) -> Result<()> {
    let server = context.server()?;
    let options = login(server.tcp(), |tls| {
        tls.mode = SslMode::Required;
        tls.sni = Some("db.example.com".to_owned());
    })?;
    context.run(async {
        let mut client = Connecting::new(context.runtime(), options).await?;
        let facts = client.flight_record().and_then(|record| record.tls).context("no TLS")?;
        expect("version", &status(&mut client, "Ssl_version").await?.as_str(), &facts.version)?;
        expect("cipher", &status(&mut client, "Ssl_cipher").await?.as_str(), &facts.cipher_suite)?;
        expect("group", &facts.group, &Some("secp256r1"))?;
        expect("chain, name checked", &(facts.verified, facts.name_verified), &(false, false))?;
        Ok(client.close().await?)
    })
}

async fn status(client: &mut porpoise::Client, name: &str) -> Result<String> {
    let sql = format!(
        "SELECT variable_value FROM performance_schema.session_status WHERE variable_name = '{name}'"
    );
    first_cell(client, &sql).await?.context("NULL")
}

/// `PREFERRED` does without what is not offered; that `REQUIRED` does not is in the recordings.
fn not_offered(context: &Context) -> Result<()> {
    const CLIENT_SSL: u8 = 11;
    let proxy = ClearingProxy::new(context.server()?.address()?, CLIENT_SSL)?;
    let target = Options::builder().host(&proxy.address().ip().to_string()).port(proxy.address().port());
    let options = login(target, |tls| tls.mode = SslMode::Preferred)?;
    expect("TLS", &used(context, context.runtime(), &options)?, &None)
}

fn disabled(context: &Context) -> Result<()> {
    let options = login(context.server()?.tcp(), |tls| tls.mode = SslMode::Disabled)?;
    expect("TLS", &used(context, context.runtime(), &options)?, &None)
}

/// From `REQUIRED` on a Unix socket has TLS too.
fn over_a_unix_socket(context: &Context) -> Result<()> {
    let target = || Ok::<_, anyhow::Error>(Options::builder().unix_socket(context.server()?.socket()?));
    for (mode, encrypted) in [(SslMode::Preferred, false), (SslMode::Required, true)] {
        let options = login(target()?, |tls| tls.mode = mode)?;
        expect("encrypted", &used(context, context.runtime(), &options)?.is_some(), &encrypted)?;
    }
    Ok(())
}

/// The name in the server's certificate.
pub(crate) fn common_name(server: &Server) -> Result<String> {
    let pem = std::fs::read(server.file("server-cert.pem")?)?;
    let pem = Pem::iter_from_buffer(&pem).next().context("no certificate")??;
    let certificate = pem.parse_x509()?;
    let name = certificate.subject().iter_common_name().next().context("no common name")?;
    Ok(name.as_str()?.to_owned())
}
