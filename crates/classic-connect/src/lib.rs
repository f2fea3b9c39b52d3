//! MySQL's 24 connect stages as a sans-I/O machine: greeting, TLS switch, authentication, preparation.
//!
//! ```text
//! NET_BEGIN_CONNECT -> (NET_WAIT_CONNECT) -> NET_COMPLETE_CONNECT        the owner dials
//!   -> READ_GREETING -> PARSE_HANDSHAKE -> ESTABLISH_SSL                 Step::StartTls
//!   -> AUTHENTICATE -> AUTH_BEGIN -> AUTH_RUN_FIRST_AUTHENTICATE_USER -> ... -> AUTH_FINISH_AUTH
//!   -> PREP_SELECT_DATABASE -> PREP_INIT_COMMANDS -> SEND_ONE_INIT_COMMAND ... -> COMPLETE
//! ```
//!
//! A [`Connector`] owns no socket and no buffer. It is lent received bytes and a place for bytes to send, and
//! says what it needs next; [`ConnectEvent::Ready`] hands over the [`Session`](porpoise_classic::Session) of the
//! command phase. [`ChangeUser`] runs the authentication stages again on a session.
//!
//! The server's bytes in this example are written down; a real owner reads them from a socket. See
//! `tests/consumers/classic-connect` for a loop over `std::net`.
//!
//! ```
//! use std::sync::Arc;
//!
//! use bytes::BytesMut;
//! use porpoise_classic_connect::{ConnectEvent, ConnectOptions, ConnectStage, Connector, TlsUse, Transport};
//! use porpoise_trace::NoTrace;
//! use porpoise_wire::{Cx, Machine, Step};
//!
//! let options = ConnectOptions::builder().user("dolphin").tls(TlsUse::Disabled).build()?;
//! let mut connector = Connector::new(Arc::new(options), Transport::Tcp);
//! let (mut rx, mut tx) = (BytesMut::new(), BytesMut::new());
//!
//! // Nothing is sent before the greeting.
//! let step = connector.advance(&mut Cx::new(&mut rx, &mut tx, &mut NoTrace))?;
//! assert!(matches!(step, Step::NeedRead { .. }) && tx.is_empty());
//! assert_eq!(connector.stage(), ConnectStage::ReadGreeting);
//!
//! rx.extend_from_slice(b"\x49\0\0\x00\x0a9.7.4\0\x08\0\0\0ABCDEFGH\0\xff\xf7\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0");
//! rx.extend_from_slice(b"IJKLMNOPQRST\0caching_sha2_password\0");
//! let step = connector.advance(&mut Cx::new(&mut rx, &mut tx, &mut NoTrace))?;
//! assert!(matches!(step, Step::NeedRead { .. }) && !tx.is_empty());
//! // An empty password needs no exchange: the plugin is done, and the verdict is awaited.
//! assert_eq!(connector.stage(), ConnectStage::AuthReadChangeUserResult);
//!
//! rx.extend_from_slice(b"\x07\0\0\x02\0\0\0\x02\0\0\0");
//! let step = connector.advance(&mut Cx::new(&mut rx, &mut tx, &mut NoTrace))?;
//! let Step::Event(ConnectEvent::Ready(session)) = step else { panic!("{step:?}") };
//! assert_eq!(connector.stage(), ConnectStage::Complete);
//! assert_eq!(session.server_version(), "9.7.4");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod advice;
mod auth_data;
mod change_user;
mod charset;
mod compression;
mod connector;
mod error;
mod flow;
mod generated;
mod greeting;
mod login;
mod options;
mod packets;
mod prepare;
mod send;
mod server;
mod verdict;

pub use change_user::{ChangeUser, ChangeUserEvent};
pub use compression::{CompressionAlgorithm, UnknownAlgorithm};
pub use connector::{ConnectEvent, Connector, Transport};
pub use error::{ConnectError, ConnectErrorKind, Stranger};
pub use flow::{Ask, Misuse};
pub use generated::stage::ConnectStage;
pub use options::{Charset, ConnectOptions, ConnectOptionsBuilder, OptionsError, TlsUse};
pub use packets::{
    AuthNextFactor, AuthSwitchRequest, ComChangeUser, HandshakeResponse41, HandshakeV10, SslRequest,
};
