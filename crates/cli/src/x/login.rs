//! A login, message by message.

use std::sync::Arc;

use bytes::BytesMut;
use percent_encoding::percent_decode_str;
use porpoise::auth::{
    AuthError, AuthStep, Channel, Exchange, Input, Mechanism, SaslExternal, SaslPlain, Secret,
};
use porpoise::x::Options;
use porpoise::xproto::ClientKind;
use porpoise::xproto::connect::ConnectOptions;
use porpoise::xproto::messages::session::{AuthenticateContinue, AuthenticateStart};
use zeroize::Zeroize as _;

use super::reply::Failed;
use super::request::Request;
use super::step::word;
use crate::exit::Exit;

pub(super) struct Login {
    name: String,
    /// None for a name that nobody knows: the server is to say what it thinks of it.
    mechanism: Option<Box<dyn Mechanism>>,
    channel: Channel,
    options: Arc<ConnectOptions>,
    user: String,
    password: Secret,
    schema: String,
}

/// What a mechanism says.
type Said = Option<BytesMut>;

impl Login {
    /// `MECHANISM [USER[:PASSWORD[:SCHEMA]]]`: the URL's account if none is named.
    pub(super) fn new(argument: &str, options: &Options, channel: Channel) -> Result<Self, Failed> {
        let connect = Arc::clone(options.connect());
        let (name, account) = word(argument);
        let (user, password, schema) = match account {
            "" => (connect.user.clone(), connect.password.clone(), connect.schema.clone()),
            account => {
                let mut parts = account.splitn(3, ':').map(decoded);
                let mut part = || parts.next().unwrap_or_else(|| Ok(String::new()));
                (part()?, part()?.into_bytes().into(), part()?)
            }
        };
        if name.is_empty() {
            return Err(Failed::usage("a mechanism is missing"));
        }
        let mechanism = connect.registry.make(name).ok();
        if let Some(mechanism) = &mechanism {
            mechanism.enabled(&connect.policy).map_err(failed)?;
        }
        Ok(Self { name: name.to_owned(), mechanism, channel, options: connect, user, password, schema })
    }

    /// The first message.
    pub(super) fn start(&mut self) -> Result<Request, Failed> {
        let mut said = self.step(Input::Start { challenge: None })?;
        let data = said.as_deref().map(<[u8]>::to_vec).map(Into::into);
        if let Some(said) = &mut said {
            said.zeroize();
        }
        let mut start = AuthenticateStart { mech_name: self.name.clone(), ..AuthenticateStart::default() };
        match self.name == SaslExternal::NAME {
            true => start.initial_response = data,
            false => start.auth_data = data,
        }
        Ok(Request::of(&start))
    }

    /// The only message, of a mechanism that needs no more.
    pub(super) fn only(mut self) -> Result<Request, Failed> {
        match self.name.as_str() {
            SaslPlain::NAME | SaslExternal::NAME => self.start(),
            _ => Err(Failed::usage("in a pipeline a login takes PLAIN or EXTERNAL only")),
        }
    }

    /// The answer to a challenge.
    pub(super) fn answer(&mut self, challenge: &[u8]) -> Result<Request, Failed> {
        let said = self.step(Input::Packet(challenge))?.unwrap_or_default();
        let auth_data = said.freeze();
        let request = Request {
            kind: ClientKind::SESS_AUTHENTICATE_CONTINUE,
            ..Request::of(&AuthenticateContinue { auth_data })
        };
        Ok(request)
    }

    /// The server let it in.
    pub(super) fn finish(mut self, data: &[u8]) -> Result<(), Failed> {
        if !data.is_empty() && self.mechanism.as_ref().is_some_and(|mechanism| !mechanism.accepts_verdict()) {
            self.step(Input::Packet(data))?;
        }
        match self.mechanism.is_none_or(|mechanism| mechanism.accepts_verdict()) {
            true => Ok(()),
            false => Err(failed(AuthError::ServerNotProven)),
        }
    }

    fn step(&mut self, input: Input<'_>) -> Result<Said, Failed> {
        let Some(mechanism) = &mut self.mechanism else { return Ok(None) };
        let exchange = Exchange::new(self.channel, &self.options.policy, &self.user, &self.password)
            .schema(&self.schema);
        let mut out = BytesMut::new();
        match mechanism.step(input, &exchange, &mut out).map_err(failed)? {
            AuthStep::Reply { .. } => Ok(Some(out)),
            AuthStep::Wait | AuthStep::Done => Ok(None),
            _ => Err(failed(AuthError::OutOfTurn)),
        }
    }
}

fn decoded(part: &str) -> Result<String, Failed> {
    let decoded = percent_decode_str(part).decode_utf8().map_err(|error| error.to_string())?;
    Ok(decoded.into_owned())
}

fn failed(error: AuthError) -> Failed {
    Failed::Client { code: error.client_error(), message: error.to_string(), exit: Exit::Authentication }
}
