//! Scenarios beyond those that were recorded: what porpoise means to do otherwise than the reference client, and what that
//! did in no recording that is here. They have nothing to be compared with, but their bytes are kept too.

use anyhow::Result;

use crate::Scenario;

/// Name, what it shows, server, options, steps, special condition. A step that is meant to fail ends with the number of its
/// error: `-> 1054`.
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
    (
        "extra-eof-statements",
        "statements, a cursor and replies of one packet without CLIENT_DEPRECATE_EOF",
        "mysql",
        &[&["user", "sha2all"], PASSWORD, PLAIN, DATABASE],
        &[
            "prepare:select a,b from t1 where a > ? order by a",
            "bind:i1",
            "execute",
            "cursor:2",
            "execute",
            "stmt_reset",
            "stmt_close",
            "prepare:select nosuch -> 1054",
            "field_list:t1",
            "set_option:0",
            "query:select 1; select 1/0; do 0",
            "debug",
        ],
        Some("clear:24"),
    ),
    (
        "extra-results",
        "several results, an error among them, warnings",
        "mysql",
        &[SHA2, PASSWORD, PLAIN, DATABASE, &["multi"]],
        &[
            "query:select 1; select 1/0; do 0; select null, '', 'x'",
            "query:select 1; select nosuch; select 2 -> 1054",
            "use:select a,b from t1; select a from t1 where 1 = 0",
            "query:select repeat('x', 250), repeat('y', 251), repeat('z', 300)",
            "query:signal sqlstate '45000' set message_text = 'own', mysql_errno = 1234 -> 1234",
        ],
        Some("warm"),
    ),
    (
        "extra-tracking",
        "session state of each kind",
        "mysql",
        &[SHA2, PASSWORD, PLAIN],
        &[
            "query:set session_track_system_variables='autocommit,character_set_client,time_zone'",
            "query:set session_track_state_change=1, session_track_transaction_info='CHARACTERISTICS'",
            "init_db:odb",
            "query:set time_zone='+01:00', autocommit=0",
            "query:start transaction with consistent snapshot, read only",
            "query:select a from t1",
            "query:commit",
            "query:set names latin1",
            "ping",
        ],
        Some("warm"),
    ),
    (
        "extra-types",
        "values of many types, as text and as binary",
        "mysql",
        &[&["user", "sha2all"], PASSWORD, PLAIN, DATABASE],
        &[
            "query:create temporary table types (a tinyint, b bigint unsigned, c decimal(10,3), d double, e float, f date, \
             g datetime(6), h time(3), i year, j bit(9), k varchar(300), l blob, m json, n enum('x'), o vector(2))",
            "query:insert into types values (-128, 18446744073709551615, -1.5, 1e300, 0.1, '2024-02-29', \
             '2024-02-29 01:02:03.000004', '-837:59:59.5', 2024, b'101010101', repeat('k', 300), x'00ff', '{\"a\": 1}', \
             'x', to_vector('[1, -2]'))",
            "query:insert into types (a) values (null)",
            "query:select * from types",
            "prepare:select * from types where a < ? or a is null",
            "bind:i5",
            "execute",
            "stmt_close",
        ],
        Some("warm"),
    ),
    (
        "extra-maria-statements",
        "statements of MariaDB, with a cursor",
        "mariadb",
        &[&["user", "ed"], &["password", "pw-ed"], PLAIN],
        &[
            "prepare:select ? as a, ? as b union select 2, 'y'",
            "bind:i1|sx",
            "execute",
            "cursor:1",
            "execute",
            "stmt_reset",
            "stmt_close",
            "field_list:nothing -> 1046",
            "statistics",
        ],
        None,
    ),
    (
        "extra-zlib-statements",
        "statements and long cells through zlib",
        "mysql",
        &[SHA2, PASSWORD, PLAIN, DATABASE, &["compress", "zlib"]],
        &[
            "query:select repeat('dolphin', 9000)",
            "prepare:select a, ? from t1",
            "bind:stext",
            "execute",
            "stmt_close",
            "query:select nosuch -> 1054",
        ],
        Some("warm"),
    ),
    (
        "extra-zstd-statements",
        "statements and long cells through zstd",
        "mysql",
        &[SHA2, PASSWORD, PLAIN, DATABASE, &["compress", "zstd"], &["zstd_level", "7"]],
        &[
            "query:select repeat('dolphin', 9000)",
            "prepare:select a, b from t1",
            "cursor:2",
            "execute",
            "ping",
        ],
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
            let (steps, errors): (Vec<_>, Vec<_>) = steps
                .iter()
                .map(|step| match step.rsplit_once(" -> ") {
                    Some((step, error)) => (step, error.parse::<u16>().ok()),
                    None => (*step, None),
                })
                .unzip();
            let errors: Vec<u16> = errors.into_iter().flatten().collect();
            let header = serde_json::json!({
                "name": name, "what": what, "server": server, "transport": "tcp", "options": options, "before": null,
                "special": special, "steps": steps, "needs": [], "errors": errors,
            });
            Self::parse(&header.to_string())
        };
        ROWS.iter().map(scenario).collect()
    }
}
