//! Long tables that are searched: collations and error numbers.

use std::fmt::Write as _;

use super::spec::{ClientErrors, Collation, Collations, ServerErrors};
use super::text::{doc, header};

/// Width of the lines of a packed table.
const WIDTH: usize = 106;

pub(super) fn collations(spec: &Collations) -> String {
    header("collations", "Collations and their character sets.")
        + COLLATION
        + &collation_table("MYSQL", "Collations of MySQL", &spec.mysql)
        + &collation_table(
            "MARIADB",
            "Collations that only MariaDB has, or has by another id or name",
            &spec.mariadb,
        )
        + COLLATION_TESTS
}

/// The rows by id, and their places by name.
fn collation_table(ident: &str, text: &str, rows: &[Collation]) -> String {
    let count = rows.len();
    let mut out = format!("/// {text}, by id.\n#[rustfmt::skip]\nstatic {ident}: [Collation; {count}] = [\n");
    for row in rows {
        let Collation { id, name, charset, default, maxlen } = row;
        let _ = writeln!(out, "    row({id}, \"{name}\", \"{charset}\", {default}, {maxlen}),");
    }
    out.push_str("];\n\n");
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by_key(|place| rows.get(*place).map(|row| &row.name));
    let _ = writeln!(out, "/// Places in [`{ident}`], by name.\n#[rustfmt::skip]");
    let _ = writeln!(out, "static {ident}_BY_NAME: [u16; {count}] = [");
    out.push_str(&packed(places.iter().map(|place| format!("{place},"))));
    out.push_str("];\n\n");
    out
}

pub(super) fn server_errors(spec: &ServerErrors) -> String {
    let mut out = header("server_errors", "Error numbers of the server.") + SERVER_ERROR;
    out.push_str("/// The numbers that code refers to by name.\nimpl ServerError {\n");
    for (code, _, name) in spec.error.iter().filter(|(.., name)| spec.constants.contains(name)) {
        let _ = writeln!(out, "/// Error {code}.\npub const {name}: u16 = {code};");
    }
    let _ = writeln!(out, "}}\n\n/// Number, SQLSTATE and name, by number.\n#[rustfmt::skip]");
    let _ = writeln!(out, "static ERRORS: [(u16, &str, &str); {}] = [", spec.error.len());
    let rows = spec.error.iter();
    out.push_str(&packed(rows.map(|(code, state, name)| format!("({code}, \"{state}\", \"{name}\"),"))));
    out.push_str("];\n");
    out + SERVER_ERROR_TESTS
}

pub(super) fn client_errors(spec: &ClientErrors) -> String {
    let mut out = header("client_errors", "Error numbers that a client gives itself.") + CLIENT_ERROR;
    for error in &spec.error {
        let _ = writeln!(out, "{}pub const {}: u16 = {};", doc(&error.doc), error.name, error.code);
    }
    out.push_str("\n/// The name of a number: `CR_SERVER_LOST`.\n#[must_use]\n");
    out.push_str("pub const fn name(code: u16) -> Option<&'static str> {\nSome(match code {\n");
    for error in &spec.error {
        let _ = writeln!(out, "Self::{0} => \"{0}\",", error.name);
    }
    out.push_str("_ => return None,\n})\n}\n}\n");
    out + CLIENT_ERROR_TESTS
}

/// As many items a line as fit.
fn packed(items: impl Iterator<Item = String>) -> String {
    let mut out = String::new();
    let mut line = String::from("   ");
    for item in items {
        if line.len() + 1 + item.len() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = String::from("   ");
        }
        line.push(' ');
        line.push_str(&item);
    }
    out + &line + "\n"
}

const COLLATION: &str = r#"
/// A collation and its character set.
///
/// Follows "MySQL Source Code Documentation: Character Set" and `information_schema.COLLATIONS` of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collation {
    /// The number. Those above 255 do not fit the handshake: `SET NAMES` chooses them.
    pub id: u16,
    /// The name: `utf8mb4_0900_ai_ci`.
    pub name: &'static str,
    /// The character set: `utf8mb4`.
    pub charset: &'static str,
    /// Whether the character set's default.
    pub default: bool,
    /// The most bytes that one character takes.
    pub maxlen: u8,
}

impl Collation {
    /// The collation of an id. Where MySQL and MariaDB differ, MySQL's.
    #[must_use]
    pub fn by_id(id: u16) -> Option<&'static Self> {
        find_id(&MYSQL, id).or_else(|| find_id(&MARIADB, id))
    }

    /// The collation of a name, in any case. Where MySQL and MariaDB differ, MySQL's.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        find_name(&MYSQL, &MYSQL_BY_NAME, name).or_else(|| find_name(&MARIADB, &MARIADB_BY_NAME, name))
    }

    /// The collation of an id as MariaDB has it.
    #[must_use]
    pub fn by_id_mariadb(id: u16) -> Option<&'static Self> {
        find_id(&MARIADB, id).or_else(|| find_id(&MYSQL, id))
    }

    /// The collation of a name, in any case, as MariaDB has it.
    #[must_use]
    pub fn by_name_mariadb(name: &str) -> Option<&'static Self> {
        find_name(&MARIADB, &MARIADB_BY_NAME, name).or_else(|| find_name(&MYSQL, &MYSQL_BY_NAME, name))
    }

    /// The default collation of a character set, in any case; `utf8` means `utf8mb3`.
    ///
    /// MariaDB's default for `utf8mb4` is another one: 45, `utf8mb4_general_ci`.
    #[must_use]
    pub fn default_of(charset: &str) -> Option<&'static Self> {
        let charset = if charset.eq_ignore_ascii_case("utf8") { "utf8mb3" } else { charset };
        MYSQL.iter().find(|row| row.default && row.charset.eq_ignore_ascii_case(charset))
    }

    /// Every collation of MySQL, by id.
    #[must_use]
    pub fn mysql() -> &'static [Self] {
        &MYSQL
    }

    /// Every collation that only MariaDB has, or has by another id or name, by id.
    #[must_use]
    pub fn mariadb() -> &'static [Self] {
        &MARIADB
    }
}

fn find_id(rows: &'static [Collation], id: u16) -> Option<&'static Collation> {
    rows.binary_search_by_key(&id, |row| row.id).ok().and_then(|place| rows.get(place))
}

fn find_name(rows: &'static [Collation], places: &[u16], name: &str) -> Option<&'static Collation> {
    let row = |place: &u16| rows.get(usize::from(*place));
    let wanted = || name.bytes().map(|byte| byte.to_ascii_lowercase());
    places
        .binary_search_by(|place| row(place).map_or("", |row| row.name).bytes().cmp(wanted()))
        .ok()
        .and_then(|found| places.get(found))
        .and_then(row)
}

const fn row(id: u16, name: &'static str, charset: &'static str, default: bool, maxlen: u8) -> Collation {
    Collation { id, name, charset, default, maxlen }
}

"#;

const COLLATION_TESTS: &str = r#"
#[cfg(test)]
mod tests {
    use super::Collation;

    #[test]
    fn ids_and_names_lead_back() {
        for row in Collation::mysql() {
            assert_eq!(Collation::by_id(row.id), Some(row));
            assert_eq!(Collation::by_name(row.name), Some(row));
            assert_eq!(Collation::by_name(&row.name.to_uppercase()), Some(row));
            assert!(row.name == "binary" || row.name.starts_with(row.charset));
        }
        for row in Collation::mariadb() {
            assert_eq!(Collation::by_id_mariadb(row.id), Some(row));
            assert_eq!(Collation::by_name_mariadb(row.name), Some(row));
        }
        assert_eq!(Collation::by_id(0), None);
        assert_eq!(Collation::by_name("no_such_collation"), None);
        assert_eq!(Collation::by_name(""), None);
    }

    #[test]
    fn each_charset_has_one_default() {
        for row in Collation::mysql() {
            let same = Collation::mysql().iter().filter(|other| other.charset == row.charset && other.default);
            assert_eq!(same.count(), 1, "{}", row.charset);
        }
        assert_eq!(Collation::default_of("UTF8MB4").map(|row| row.id), Some(255));
        assert_eq!(Collation::default_of("utf8").map(|row| row.id), Some(33));
        assert_eq!(Collation::default_of("klingon"), None);
    }
}
"#;

const SERVER_ERROR: &str = r#"
/// An error number of the server, with its name and SQLSTATE.
///
/// Follows "MySQL Error Message Reference: Server Error Message Reference". Errors of the server's log are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerError {
    /// The number: 1045.
    pub code: u16,
    /// The name: `ER_ACCESS_DENIED_ERROR`.
    pub name: &'static str,
    /// The SQLSTATE that the server sends with it: `28000`.
    pub sqlstate: &'static str,
}

impl ServerError {
    /// What is known of a number.
    #[must_use]
    pub fn by_code(code: u16) -> Option<Self> {
        let place = ERRORS.binary_search_by_key(&code, |row| row.0).ok()?;
        ERRORS.get(place).map(|&(code, sqlstate, name)| Self { code, name, sqlstate })
    }

    /// What is known of a name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let row = ERRORS.iter().find(|row| row.2 == name);
        row.map(|&(code, sqlstate, name)| Self { code, name, sqlstate })
    }
}

"#;

const SERVER_ERROR_TESTS: &str = r#"
#[cfg(test)]
mod tests {
    use super::{ERRORS, ServerError};

    #[test]
    fn every_number_is_found() {
        for &(code, sqlstate, name) in &ERRORS {
            assert_eq!(ServerError::by_code(code), Some(ServerError { code, name, sqlstate }));
            assert_eq!(sqlstate.len(), 5);
        }
        assert_eq!(ServerError::by_code(0), None);
        assert_eq!(ServerError::by_code(u16::MAX), None);
        assert_eq!(ServerError::by_name("ER_ACCESS_DENIED_ERROR").map(|error| error.code), Some(1045));
        assert_eq!(ServerError::by_name(""), None);
    }
}
"#;

const CLIENT_ERROR: &str = r#"
/// Error numbers that a client gives itself, by MySQL's names. A namespace: it has no values.
///
/// Follows "MySQL Error Message Reference: Client Error Message Reference".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError {}

impl ClientError {
"#;

const CLIENT_ERROR_TESTS: &str = r#"
#[cfg(test)]
mod tests {
    use super::ClientError;

    #[test]
    fn numbers_have_names() {
        assert_eq!(ClientError::name(ClientError::CR_SERVER_LOST), Some("CR_SERVER_LOST"));
        assert_eq!(ClientError::name(2000), Some("CR_UNKNOWN_ERROR"));
        assert_eq!(ClientError::name(1999), None);
        assert_eq!(ClientError::name(2076), None);
    }
}
"#;
