//! Both sides of a `mysql_native_password` login, with `porpoise-auth` alone, and a password that is not sent.

use bytes::BytesMut;
use porpoise_auth::{AuthError, AuthStep, Channel, Exchange, Input, Policy, Registry, Secret, scramble};

/// What a server keeps and checks.
struct Server {
    nonce: [u8; 20],
    password: &'static [u8],
}

impl Server {
    fn accepts(&self, response: &[u8]) -> bool {
        response == scramble::native_password(self.password, &self.nonce)
    }
}

/// What a client sends first, with the plugin that the server names.
fn login(plugin: &str, password: &str, channel: Channel, nonce: &[u8]) -> Result<BytesMut, AuthError> {
    let (policy, password) = (Policy::default(), Secret::from(password));
    let mut mechanism = Registry::default().make(plugin)?;
    mechanism.enabled(&policy)?;
    let exchange = Exchange::new(channel, &policy, "app", &password);
    let mut out = BytesMut::new();
    let step = mechanism.step(Input::Start { challenge: Some(nonce) }, &exchange, &mut out)?;
    assert!(matches!(step, AuthStep::Reply { .. }), "{step:?}");
    Ok(out)
}

fn main() -> Result<(), AuthError> {
    let server = Server { nonce: *b"0123456789abcdefghij", password: b"hunter2" };
    let response = login("mysql_native_password", "hunter2", Channel::Plain, &server.nonce)?;
    assert!(server.accepts(&response));
    let response = login("mysql_native_password", "hunter3", Channel::Plain, &server.nonce)?;
    assert!(!server.accepts(&response));

    // A server that asks for the password itself does not get it.
    let error = login("mysql_clear_password", "hunter2", Channel::Plain, b"").unwrap_err();
    println!("{error} ({})", error.client_error());
    println!("{}", error.advice().unwrap_or_default());
    let error = login("mysql_old_password", "hunter2", Channel::Plain, b"12345678").unwrap_err();
    println!("{error}");
    Ok(())
}
