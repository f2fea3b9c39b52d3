//! TLS of X Protocol: the same five modes, the same checks and the same resumption as of the classic one.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use porpoise::transport::{CaSource, SslMode, TlsFacts, TlsOptions, TlsVersion};
use porpoise::x::{Options, OptionsBuilder, Session};
use porpoise_test_support::{Authority, Server, lock};

use crate::resolver::Resolver;
use crate::suite::{Context, MYSQL, Suite, Test, Transport, expect};
use crate::tls::common_name;

pub(crate) fn add(suite: &mut Suite) {
    let tests: &[(&str, Test)] = &[
        ("modes", modes),
        ("verify-identity", verify_identity),
        ("another-ca", another_ca),
        ("resumed", resumed),
        ("over-a-unix-socket", over_a_unix_socket),
    ];
    suite.add_tests("x-tls", Transport::Tls, MYSQL, tests);
}

fn login(server: &Server, tls: impl FnOnce(&mut TlsOptions)) -> Result<OptionsBuilder> {
    let options = Options::builder().host(&server.host).port(server.x_address()?.port());
    Ok(options.user("sha2all").password("pw-sha2").tls(tls))
}

/// What TLS agreed on; nothing if it was not used. The server is asked something, too.
fn used(context: &Context, options: &Arc<Options>) -> Result<Option<TlsFacts>> {
    context.run(async {
        let mut session = Session::connect(context.runtime(), Arc::clone(options)).await?;
        let cipher: Option<(String, String)> =
            session.sql("SHOW STATUS LIKE 'Mysqlx_ssl_cipher'").first().await?;
        let facts = session.tls_facts();
        expect("the server's word", &cipher.is_some_and(|(_, name)| !name.is_empty()), &facts.is_some())?;
        session.close().await?;
        Ok(facts)
    })
}

fn modes(context: &Context) -> Result<()> {
    let server = context.server()?;
    let ca = || -> Result<CaSource> { Ok(CaSource::File(server.file("ca.pem")?)) };
    for (mode, with_ca, verified) in [
        (SslMode::Disabled, false, None),
        (SslMode::Preferred, false, Some(false)),
        (SslMode::Required, false, Some(false)),
        (SslMode::Required, true, Some(true)),
        (SslMode::VerifyCa, true, Some(true)),
    ] {
        let ca = with_ca.then(ca).transpose()?;
        let options = login(server, |tls| {
            tls.mode = mode;
            tls.ca.extend(ca);
        })?;
        // On a clear channel the server must know the password, and nobody may have it forget.
        let lock = (mode == SslMode::Disabled).then(lock).transpose()?;
        if lock.is_some() {
            let warm = options.clone().ssl_mode(SslMode::Required).build();
            used(context, &Arc::new(warm))?;
        }
        let facts = used(context, &Arc::new(options.build()))?;
        expect(&format!("{mode:?}, verified"), &facts.map(|facts| facts.verified), &verified)?;
        drop(lock);
    }
    // A CA that is to be checked against, and is not given.
    let options = login(server, |tls| tls.mode = SslMode::VerifyCa)?;
    refused(context, context.runtime(), options.build())
}

/// The connect fails in TLS, and with advice.
fn refused(
    context: &Context,
    runtime: &'static dyn porpoise::driver::Runtime,
    options: Options,
) -> Result<()> {
    context.run(async {
        let error = Session::connect(runtime, Arc::new(options)).await.err().context("connected")?;
        expect("number", &error.code(), &2026)?;
        ensure!(error.advice().is_some(), "no advice: {error}");
        Ok(())
    })
}

/// The host is a name that only this test's name service knows: the one in the server's certificate.
fn verify_identity(context: &Context) -> Result<()> {
    let server = context.server()?;
    let runtime = Resolver::leak(context.runtime(), vec![server.x_address()?]);
    for (host, good) in [(common_name(server)?, true), ("db.example.com".to_owned(), false)] {
        let ca = CaSource::File(server.file("ca.pem")?);
        let options = login(server, |tls| {
            tls.mode = SslMode::VerifyIdentity;
            tls.ca.push(ca);
        })?;
        let options = options.host(&host).build();
        if !good {
            refused(context, runtime, options)?;
            continue;
        }
        context.run(async {
            let session = Session::connect(runtime, Arc::new(options)).await?;
            let facts = session.tls_facts().context("no TLS")?;
            expect("chain, name checked", &(facts.verified, facts.name_verified), &(true, true))?;
            Ok(session.close().await?)
        })?;
    }
    Ok(())
}

fn another_ca(context: &Context) -> Result<()> {
    let ca = CaSource::Pem(Authority::new("a CA that nobody knows")?.pem().into());
    let options = login(context.server()?, |tls| {
        tls.mode = SslMode::VerifyCa;
        tls.ca.push(ca);
    })?;
    refused(context, context.runtime(), options.build())
}

fn resumed(context: &Context) -> Result<()> {
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        for resume in [true, false] {
            let options = login(context.server()?, |tls| {
                tls.mode = SslMode::Required;
                tls.versions = vec![version];
                tls.resume = resume;
            })?;
            let options = Arc::new(options.build());
            let mut found = Vec::new();
            for _ in 0..3 {
                let facts = used(context, &options)?.context("no TLS")?;
                expect("version", &facts.version, &version.name())?;
                found.push(facts.resumed);
            }
            expect("resumed", &found, &vec![false, resume, resume]).context(version.name())?;
        }
    }
    Ok(())
}

/// Only where it is required: the socket itself is safe.
fn over_a_unix_socket(context: &Context) -> Result<()> {
    let socket = context.server()?.x_socket()?;
    for (mode, encrypted) in [(SslMode::Preferred, false), (SslMode::Required, true)] {
        let options =
            Options::builder().unix_socket(socket).user("sha2all").password("pw-sha2").ssl_mode(mode);
        let facts = used(context, &Arc::new(options.build()))?;
        expect(&format!("{mode:?}"), &facts.is_some(), &encrypted)?;
    }
    Ok(())
}
