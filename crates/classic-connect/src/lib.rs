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

mod advice;
mod auth_data;
mod change_user;
mod connector;
mod error;
mod generated;
mod greeting;
mod login;
mod options;
mod packets;
mod prepare;
mod verdict;

pub use change_user::{ChangeUser, ChangeUserEvent};
pub use connector::{ConnectEvent, Connector, Transport};
pub use error::{ConnectError, ConnectErrorKind, Stranger};
pub use generated::stage::ConnectStage;
pub use login::{Ask, Misuse};
pub use options::{Charset, ConnectOptions, ConnectOptionsBuilder, OptionsError, TlsUse};
pub use packets::{AuthNextFactor, AuthSwitchRequest, ComChangeUser, HandshakeResponse41, HandshakeV10, SslRequest};
