//! Scenarios beyond those that were recorded: what porpoise means to do otherwise than the reference client, and what that
//! did in no recording that is here. They have nothing to be compared with, but their bytes are kept too.

use anyhow::Result;

use crate::Scenario;

/// Name, what it shows, server, options, steps, special condition.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static [&'static str]],
    &'static [&'static str],
    Option<&'static str>,
);

const SHA2: &[&str] = &["user", "sha2"];
const PASSWORD: &[&str] = &["password", "pw-sha2"];
const PLAIN: &[&str] = &["ssl", "DISABLED"];
const DATABASE: &[&str] = &["db", "odb"];

const ROWS: &[Row] = &[
    (
        "extra-init-db",
        "a server without CLIENT_CONNECT_WITH_DB: COM_INIT_DB in PREP_SELECT_DATABASE",
        "mysql",
        &[SHA2, PASSWORD, PLAIN, DATABASE],
        &["query:select database()", "init_db:odb"],
        Some("clear:3"),
    ),
    (
        "extra-set-names",
        "a collation above 255: SET NAMES behind the login",
        "mysql",
        &[SHA2, PASSWORD, PLAIN, &["charset", "utf8mb4_ja_0900_as_cs"], &["init", "set @a=1"]],
        &["query:select @@collation_connection, @a"],
        Some("warm"),
    ),
    (
        "extra-sha256-fetched",
        "sha256_password without TLS, the key asked for with permission",
        "mysql",
        &[&["user", "s256"], &["password", "pw-256"], PLAIN, &["get_pk"]],
        &[],
        None,
    ),
    (
        "extra-ed25519",
        "client_ed25519 is built in",
        "mariadb",
        &[&["user", "ed"], &["password", "pw-ed"], PLAIN],
        &["query:select 1"],
        None,
    ),
    (
        "extra-field-list",
        "COM_FIELD_LIST, COM_SET_OPTION, COM_DEBUG",
        "mysql",
        &[&["user", "sha2all"], PASSWORD, PLAIN, DATABASE],
        &["field_list:t1", "set_option:0", "query:select 1; select 2", "set_option:1", "debug"],
        Some("warm"),
    ),
    (
        "extra-prepare",
        "statements without parameters, with a result and without one",
        "mysql",
        &[SHA2, PASSWORD, PLAIN, DATABASE],
        &["prepare:set @a=1", "execute", "stmt_close", "prepare:select a,b from t1", "execute", "stmt_close"],
        Some("warm"),
    ),
];

impl Scenario {
    /// Scenarios that were not recorded.
    ///
    /// # Errors
    /// One of them is not well written.
    pub fn extra() -> Result<Vec<Self>> {
        let scenario = |(name, what, server, options, steps, special): &Row| {
            let header = serde_json::json!({
                "name": name, "what": what, "server": server, "transport": "tcp", "options": options, "before": null,
                "special": special, "steps": steps, "needs": [],
            });
            Self::parse(&header.to_string())
        };
        ROWS.iter().map(scenario).collect()
    }
}
