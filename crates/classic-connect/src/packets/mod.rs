//! The packets of the connection phase, one file each.

mod auth_next_factor;
mod auth_switch;
mod change_user;
mod handshake_response;
mod handshake_v10;
mod ssl_request;

pub use auth_next_factor::AuthNextFactor;
pub use auth_switch::AuthSwitchRequest;
pub use change_user::ComChangeUser;
pub use handshake_response::HandshakeResponse41;
pub use handshake_v10::HandshakeV10;
pub use ssl_request::SslRequest;
