//! The connection's collation: what the handshake says of it, and what only `SET NAMES` can.

use porpoise_classic::Collation;

use crate::error::ConnectErrorKind;
use crate::options::Charset;
use crate::packets::HandshakeV10;

/// utf8mb4_0900_ai_ci: MySQL 8.0 and later.
const UTF8MB4_0900_AI_CI: u16 = 255;
/// utf8mb4_general_ci: MySQL 5.x and MariaDB.
const UTF8MB4_GENERAL_CI: u16 = 45;

/// A collation on its way to the server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chosen {
    /// What the handshake's field of 8 bits can say.
    pub(crate) handshake: u8,
    /// The id of the collation.
    pub(crate) id: u16,
    /// What has to be said once more after the login.
    pub(crate) set_names: Option<&'static Collation>,
}

/// The collation for a server.
pub(crate) fn choose(charset: &Charset, greeting: &HandshakeV10<'_>) -> Result<Chosen, ConnectErrorKind> {
    let mariadb = greeting.is_mariadb();
    let new = !mariadb && !["3.", "4.", "5."].iter().any(|old| greeting.server_version.starts_with(old));
    let default = if new { UTF8MB4_0900_AI_CI } else { UTF8MB4_GENERAL_CI };
    let default_of = |charset: &str| match Collation::default_of(charset) {
        Some(collation) if collation.charset == "utf8mb4" => Some(default),
        found => found.map(|collation| collation.id),
    };
    let by_name = |name| if mariadb { Collation::by_name_mariadb(name) } else { Collation::by_name(name) };
    let by_id = |id| if mariadb { Collation::by_id_mariadb(id) } else { Collation::by_id(id) };
    // A character set's name means its default collation; `binary` is both.
    let (id, named) = match charset {
        Charset::Default => (Some(default), None),
        Charset::Id(id) => (Some(*id), by_id(*id)),
        Charset::Name(name) => match default_of(name) {
            Some(id) => (Some(id), None),
            None => (by_name(name).map(|collation| collation.id), by_name(name)),
        },
    };
    let unknown = || {
        ConnectErrorKind::UnknownCharset(match charset {
            Charset::Name(name) => name.clone(),
            Charset::Id(id) => id.to_string().into(),
            Charset::Default => "utf8mb4".into(),
        })
    };
    let id = id.ok_or_else(unknown)?;
    if let Ok(handshake) = u8::try_from(id) {
        // MariaDB may take a default of its own for the character set of the handshake's collation.
        return Ok(Chosen { handshake, id, set_names: named.filter(|_| mariadb) });
    }
    let near = named.and_then(|collation| default_of(collation.charset)).and_then(|id| u8::try_from(id).ok());
    near.map(|handshake| Chosen { handshake, id, set_names: named }).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(version: &str, charset: Charset) -> Option<(u8, u16, Option<&'static str>)> {
        let mut bytes = b"\x0a".to_vec();
        bytes.extend_from_slice(version.as_bytes());
        bytes.extend_from_slice(b"\0\x01\0\0\0ABCDEFGH\0\xff\xff");
        let greeting = HandshakeV10::parse(&bytes).unwrap();
        let chosen = choose(&charset, &greeting).ok()?;
        Some((chosen.handshake, chosen.id, chosen.set_names.map(|collation| collation.name)))
    }

    #[test]
    fn by_server_and_by_name() {
        let name = |name: &str| Charset::Name(name.into());
        let maria = "5.5.5-10.11.6-MariaDB";
        assert_eq!(chosen("9.7.4", Charset::Default), Some((255, 255, None)));
        assert_eq!(chosen("5.7.44", name("utf8mb4")), Some((45, 45, None)));
        assert_eq!(chosen(maria, name("UTF8MB4")), Some((45, 45, None)));
        assert_eq!(chosen("9.7.4", name("latin1")), Some((8, 8, None)));
        assert_eq!(chosen("9.7.4", name("utf8mb4_general_ci")), Some((45, 45, None)));
        // MySQL keeps what the handshake says, MariaDB may not.
        assert_eq!(chosen(maria, name("utf8mb4_general_ci")), Some((45, 45, Some("utf8mb4_general_ci"))));
        assert_eq!(chosen("9.7.4", Charset::Id(309)), Some((255, 309, Some("utf8mb4_0900_bin"))));
        let uca = "utf8mb4_uca1400_as_cs";
        assert_eq!(chosen(maria, name(uca)).map(|c| (c.0, c.2)), Some((45, Some(uca))));
        assert_eq!(chosen("9.7.4", name("klingon")), None);
        assert_eq!(chosen("9.7.4", Charset::Id(60_000)), None);
    }
}
