//! The commands of `porpoise run`: names, arguments, what each does.

use crate::script::{self, About, Unknown, about, is_blank, word_of};

/// A command of the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Query,
    Use,
    Qattr,
    Ping,
    Statistics,
    InitDb,
    SetOption,
    Reset,
    ChangeUser,
    Autocommit,
    Commit,
    Rollback,
    Charset,
    FieldList,
    Debug,
    Prepare,
    Bind,
    LongData,
    Cursor,
    Execute,
    Fetch,
    FreeResult,
    StmtNext,
    StmtReset,
    StmtClose,
    StmtNew,
    BinlogDump,
    KillQueryMid,
    KillMid,
    KillIdle,
}

/// All commands, as the help lists them.
pub(super) const ALL: [About<Name>; 30] = [
    about(Name::Query, "query", "SQL", "COM_QUERY; reads all results, each to its end"),
    about(Name::Use, "use", "SQL", "COM_QUERY; reads row by row (mysql_use_result)"),
    about(Name::Qattr, "qattr", "NAME=VALUE|SQL", "COM_QUERY with a query attribute"),
    about(Name::Ping, "ping", "", "COM_PING"),
    about(Name::Statistics, "statistics", "", "COM_STATISTICS"),
    about(Name::InitDb, "init_db", "DATABASE", "COM_INIT_DB: another default database"),
    about(
        Name::SetOption,
        "set_option",
        "0|1",
        "COM_SET_OPTION: several statements in one query on (0), off (1)",
    ),
    about(Name::Reset, "reset", "", "COM_RESET_CONNECTION; all statements are gone"),
    about(
        Name::ChangeUser,
        "change_user",
        "USER:PASSWORD:DB",
        "COM_CHANGE_USER; all statements are gone, and a refusal ends the connection",
    ),
    about(Name::Autocommit, "autocommit", "0|1", "COM_QUERY `set autocommit=0` or `=1`"),
    about(Name::Commit, "commit", "", "COM_QUERY `commit`"),
    about(Name::Rollback, "rollback", "", "COM_QUERY `rollback`"),
    about(Name::Charset, "charset", "NAME", "COM_QUERY `SET NAMES name`, if the name is known"),
    about(Name::FieldList, "field_list", "TABLE", "COM_FIELD_LIST: the columns of a table"),
    about(Name::Debug, "debug", "", "COM_DEBUG: the server writes to its log"),
    about(
        Name::Prepare,
        "prepare",
        "SQL",
        "COM_STMT_PREPARE; before it COM_STMT_CLOSE, if the statement was prepared already",
    ),
    about(
        Name::Bind,
        "bind",
        "VALUE|VALUE...",
        "parameters: i1, d1.5, stext, x00ff (bytes), n (NULL), Lx (long data follow); sends nothing",
    ),
    about(Name::LongData, "long_data", "PARAM:TEXT", "COM_STMT_SEND_LONG_DATA; parameters count from 0"),
    about(
        Name::Cursor,
        "cursor",
        "ROWS",
        "read-only cursor from the next execute on, ROWS a fetch; 0 for none; sends nothing",
    ),
    about(
        Name::Execute,
        "execute",
        "[one|store]",
        "COM_STMT_EXECUTE, with a cursor COM_STMT_FETCH until the last row; reads all rows, or one, or stores them",
    ),
    about(Name::Fetch, "fetch", "[ROWS]", "reads more rows (1) of what `execute one` left"),
    about(Name::FreeResult, "free_result", "", "reads what is left of a statement's rows; sends nothing"),
    about(Name::StmtNext, "stmt_next", "", "the next result of a statement, as CALL has; reads all its rows"),
    about(Name::StmtReset, "stmt_reset", "", "COM_STMT_RESET: drops long data and the cursor"),
    about(Name::StmtClose, "stmt_close", "", "reads what is left of all results, then COM_STMT_CLOSE"),
    about(
        Name::StmtNew,
        "stmt_new",
        "",
        "from here on another statement; the one before stays open; sends nothing",
    ),
    about(
        Name::BinlogDump,
        "binlog_dump",
        "[FILE]",
        "COM_BINLOG_DUMP from position 4 to the end of the log; the trace ends with it, as MySQL's own does",
    ),
    about(Name::KillQueryMid, "kill_query_mid", "SQL", "`query`, while another connection sends KILL QUERY"),
    about(Name::KillMid, "kill_mid", "SQL", "`query`, while another connection sends KILL CONNECTION"),
    about(
        Name::KillIdle,
        "kill_idle",
        "",
        "another connection sends KILL CONNECTION, while this one is idle",
    ),
];

impl Name {
    /// The word in a script.
    pub(super) fn word(self) -> &'static str {
        word_of(&self, &ALL)
    }
}

/// One command with its argument.
pub(super) type Step = script::Step<Name>;

impl Step {
    /// A line: `name argument` or `name:argument`. `None` for an empty one and for a comment, which begins with `#`.
    pub(super) fn parse(line: &str) -> Result<Option<Self>, Unknown> {
        if is_blank(line) {
            return Ok(None);
        }
        let line = line.trim_start().trim_end_matches(['\r', '\n']);
        let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(line.len());
        let (word, rest) = line.split_at(end);
        let argument = match rest.strip_prefix(':') {
            Some(argument) => argument,
            None => rest.trim_start(),
        };
        Self::of(line, word, argument, &ALL).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(line: &str) -> Option<(Name, String)> {
        Step::parse(line).unwrap().map(|step| (step.name, step.argument))
    }

    #[test]
    fn lines() {
        let query = |sql: &str| Some((Name::Query, sql.to_owned()));
        assert_eq!(step("query select 1\r\n"), query("select 1"));
        assert_eq!(step("  query:select 1 "), query("select 1 "));
        assert_eq!(step("query: select 1"), query(" select 1"));
        assert_eq!(step("query"), query(""));
        assert_eq!(step("execute:one"), Some((Name::Execute, "one".to_owned())));
        assert_eq!(step("change_user:u:p:d"), Some((Name::ChangeUser, "u:p:d".to_owned())));
        assert_eq!((step(""), step(" # query 1"), step("\n")), (None, None, None));
    }

    #[test]
    fn lines_that_are_none() {
        let error = |line| Step::parse(line).unwrap_err().to_string();
        assert_eq!(error("quey select 1"), "no command \"quey\"; is \"query\" meant?");
        assert_eq!(error("select 1"), "no command \"select\"");
        assert_eq!(error("+1"), "no command \"+1\"");
    }

    #[test]
    fn each_command_is_listed_once() {
        for (i, about) in ALL.iter().enumerate() {
            assert_eq!(about.name.word(), about.word);
            assert!(ALL.iter().skip(i + 1).all(|other| other.word != about.word && other.name != about.name));
        }
    }
}
