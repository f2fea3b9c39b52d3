//! The X Protocol: `mysqlx://` URLs.

pub(crate) mod connect;
mod crud;
mod exit;
mod login;
mod output;
mod patience;
pub(crate) mod query;
mod reply;
pub(crate) mod report;
mod request;
pub(crate) mod run;
mod shell;
mod step;
mod text;
mod text_format;
mod values;

pub(crate) use self::step::ALL;

/// Whether a URL is one of the X Protocol.
pub(crate) fn is_x(url: &str) -> bool {
    url.split_once("://").is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("mysqlx"))
}
