//! Replies that are owed: what they are made of, and what they change.

use std::any::Any;

use bytes::{Bytes, BytesMut};
use prost::Message as _;

use crate::connection::mask;
use crate::messages::{connection, datatypes, session};
use crate::{Algorithm, ClientKind, ClientMessage, LifeCycle};

/// A request whose reply is owed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owed {
    pub(crate) kind: ClientKind,
    pub(crate) expect: Expect,
    pub(crate) then: Then,
    /// The compression that is asked for.
    pub(crate) compression: Option<Asked>,
}

/// A compression as it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) algorithm: Algorithm,
    pub(crate) level: Option<i32>,
}

impl Asked {
    pub(crate) fn of<M: ClientMessage>(message: &M) -> Option<Self> {
        let message: &dyn Any = message;
        let set = message.downcast_ref::<connection::CapabilitiesSet>()?;
        let mut all = set.capabilities.capabilities.iter();
        let object = all.find(|capability| capability.name == "compression")?.value.obj.as_ref()?;
        let field = |key: &str| object.fld.iter().find(|field| field.key.eq_ignore_ascii_case(key));
        let algorithm = field("algorithm")?.value.scalar.as_ref()?.text()?;
        let level = field("level").and_then(|field| field.value.scalar.as_ref()).and_then(whole);
        Some(Self { algorithm: Algorithm::from_name(std::str::from_utf8(algorithm).ok()?)?, level })
    }
}

/// A whole number, signed or not.
fn whole(scalar: &datatypes::Scalar) -> Option<i32> {
    let signed = scalar.v_signed_int.and_then(|value| i32::try_from(value).ok());
    signed.or_else(|| scalar.v_unsigned_int.and_then(|value| i32::try_from(value).ok()))
}

/// What a reply is made of. An Error may take the place of all of it, at any point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    Ok,
    Capabilities,
    /// AuthenticateContinue or AuthenticateOk.
    Authentication,
    /// Results, then StmtExecuteOk.
    Results,
}

/// What success changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    /// The TLS handshake follows.
    Tls,
    /// There is a session, if no challenge comes before.
    Login {
        challenge: bool,
    },
    SessionClosed,
    Closed,
}

impl Expect {
    pub(crate) const fn of(kind: ClientKind) -> Self {
        match kind {
            ClientKind::CON_CAPABILITIES_GET => Self::Capabilities,
            ClientKind::SESS_AUTHENTICATE_START | ClientKind::SESS_AUTHENTICATE_CONTINUE => {
                Self::Authentication
            }
            ClientKind::SQL_STMT_EXECUTE
            | ClientKind::CRUD_FIND
            | ClientKind::CRUD_INSERT
            | ClientKind::CRUD_UPDATE
            | ClientKind::CRUD_DELETE
            | ClientKind::PREPARE_EXECUTE
            | ClientKind::CURSOR_OPEN
            | ClientKind::CURSOR_FETCH => Self::Results,
            _ => Self::Ok,
        }
    }

    /// For errors.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "Ok or Error",
            Self::Capabilities => "Capabilities or Error",
            Self::Authentication => "AuthenticateContinue, AuthenticateOk or Error",
            Self::Results => "a part of a result, StmtExecuteOk or Error",
        }
    }
}

impl Then {
    pub(crate) fn of<M: ClientMessage>(message: &M) -> Self {
        let message: &dyn Any = message;
        match M::KIND {
            ClientKind::CON_CAPABILITIES_SET => match message.downcast_ref::<connection::CapabilitiesSet>() {
                Some(set) if asks_for_tls(set) => Self::Tls,
                _ => Self::Nothing,
            },
            ClientKind::SESS_AUTHENTICATE_START => Self::Login { challenge: true },
            ClientKind::SESS_AUTHENTICATE_CONTINUE => Self::Login { challenge: false },
            ClientKind::SESS_RESET => match message.downcast_ref::<session::Reset>() {
                Some(reset) if reset.keep_open() => Self::Nothing,
                _ => Self::SessionClosed,
            },
            ClientKind::SESS_CLOSE => Self::SessionClosed,
            ClientKind::CON_CLOSE => Self::Closed,
            _ => Self::Nothing,
        }
    }

    /// The state after success.
    pub(crate) const fn after(self, kind: ClientKind, before: LifeCycle) -> LifeCycle {
        match (self, before) {
            (Self::Tls, _) => LifeCycle::Tls,
            (Self::Login { challenge: true }, _) => LifeCycle::Authenticating,
            (Self::Login { challenge: false }, _) => LifeCycle::Session,
            (Self::SessionClosed, LifeCycle::Session) => LifeCycle::SessionClosed,
            (Self::Closed, _) => LifeCycle::Closing,
            (Self::Nothing, LifeCycle::Connected | LifeCycle::Tls)
                if matches!(kind, ClientKind::CON_CAPABILITIES_GET | ClientKind::CON_CAPABILITIES_SET) =>
            {
                LifeCycle::Negotiating
            }
            _ => before,
        }
    }
}

/// What success changes, and the compression that is asked for, of a message that is encoded already. What cannot be read
/// changes nothing: the server cannot read it either.
pub(crate) fn encoded(kind: ClientKind, payload: &[u8]) -> (Then, Option<Asked>) {
    match kind {
        ClientKind::CON_CAPABILITIES_SET => match connection::CapabilitiesSet::decode(payload) {
            Ok(set) => (Then::of(&set), Asked::of(&set)),
            Err(_) => (Then::Nothing, None),
        },
        ClientKind::SESS_RESET => {
            (session::Reset::decode(payload).map_or(Then::Nothing, |m| Then::of(&m)), None)
        }
        ClientKind::SESS_AUTHENTICATE_START => (Then::Login { challenge: true }, None),
        ClientKind::SESS_AUTHENTICATE_CONTINUE => (Then::Login { challenge: false }, None),
        ClientKind::SESS_CLOSE => (Then::SessionClosed, None),
        ClientKind::CON_CLOSE => (Then::Closed, None),
        _ => (Then::Nothing, None),
    }
}

/// Writes a message of authentication with a mask in place of each of its data.
pub(crate) fn encode_masked(kind: ClientKind, payload: &[u8], shown: &mut BytesMut) {
    let masked = |data: Bytes| Bytes::copy_from_slice(mask(&data));
    if kind == ClientKind::SESS_AUTHENTICATE_START {
        if let Ok(mut message) = session::AuthenticateStart::decode(payload) {
            message.auth_data = message.auth_data.map(masked);
            message.initial_response = message.initial_response.map(masked);
            message.encode_raw(shown);
        }
    } else if let Ok(mut message) = session::AuthenticateContinue::decode(payload) {
        message.auth_data = masked(message.auth_data);
        message.encode_raw(shown);
    }
}

/// Whether TLS begins after the Ok: any number but 0 will do.
fn asks_for_tls(set: &connection::CapabilitiesSet) -> bool {
    set.capabilities.capabilities.iter().any(|capability| {
        let scalar = capability.value.scalar.as_ref();
        capability.name == "tls" && scalar.is_some_and(datatypes::Scalar::is_true)
    })
}
