//! The commands of `porpoise run mysqlx://`: names, arguments, what each does.

use crate::script::{self, About, Unknown, about, is_blank, word_of};

/// A command of the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Capabilities,
    SetCapability,
    SetCapabilities,
    Starttls,
    Login,
    Sql,
    SqlCompact,
    SqlArgs,
    Admin,
    Prepare,
    PrepareCrud,
    Execute,
    Deallocate,
    CursorOpen,
    CursorFetch,
    CursorClose,
    Insert,
    Upsert,
    Find,
    Modify,
    Remove,
    InsertRows,
    Select,
    Update,
    Delete,
    ExpectOpen,
    ExpectClose,
    Reset,
    Close,
    ConnectionClose,
    Pipeline,
    End,
    Send,
    SendBytes,
    Recv,
    RecvUntil,
    RecvEof,
    TlsHandshake,
    Other,
    Reconnect,
}

/// All commands, as the help lists them.
pub(crate) const ALL: [About<Name>; 40] = [
    about(Name::Capabilities, "capabilities", "", "CapabilitiesGet"),
    about(
        Name::SetCapability,
        "set_capability",
        "NAME JSON",
        "CapabilitiesSet; an Ok to tls is followed by TLS",
    ),
    about(Name::SetCapabilities, "set_capabilities", "OBJECT", "CapabilitiesSet of several"),
    about(Name::Starttls, "starttls", "", "the same as `set_capability tls true`"),
    about(
        Name::Login,
        "login",
        "MECHANISM [USER[:PASSWORD[:SCHEMA]]]",
        "AuthenticateStart, AuthenticateContinue; the URL's account if none is named; percent-encoded",
    ),
    about(Name::Sql, "sql", "STATEMENT", "StmtExecute"),
    about(Name::SqlCompact, "sql_compact", "STATEMENT", "StmtExecute; columns come without names"),
    about(Name::SqlArgs, "sql_args", "ARRAY | STATEMENT", "StmtExecute with values for each ?"),
    about(Name::Admin, "admin", "COMMAND [OBJECT]", "StmtExecute in the namespace mysqlx"),
    about(Name::Prepare, "prepare", "ID STATEMENT", "Prepare of a statement"),
    about(
        Name::PrepareCrud,
        "prepare_crud",
        "ID COMMAND...",
        "Prepare of find, select, modify, update, remove, delete; unbound placeholders are its parameters",
    ),
    about(Name::Execute, "execute", "ID [ARRAY]", "Execute what is prepared"),
    about(Name::Deallocate, "deallocate", "ID", "Deallocate what is prepared"),
    about(
        Name::CursorOpen,
        "cursor_open",
        "CURSOR ID [ROWS] [ARRAY]",
        "Cursor.Open on what is prepared; ROWS come at once",
    ),
    about(Name::CursorFetch, "cursor_fetch", "CURSOR [ROWS]", "Cursor.Fetch"),
    about(Name::CursorClose, "cursor_close", "CURSOR", "Cursor.Close"),
    about(Name::Insert, "insert", "WHERE JSON", "Insert of a document, or of an array of them"),
    about(Name::Upsert, "upsert", "WHERE JSON", "the same; what has their _id is replaced"),
    about(
        Name::Find,
        "find",
        "WHERE [EXPR] [; CLAUSE]...",
        "Find: fields, group_by, having, sort, limit, lock_shared, lock_exclusive, bind",
    ),
    about(
        Name::Modify,
        "modify",
        "WHERE EXPR [; CLAUSE]...",
        "Update: set, unset, replace, patch, array_insert, array_append, sort, limit, bind",
    ),
    about(Name::Remove, "remove", "WHERE EXPR [; CLAUSE]...", "Delete: sort, limit, bind"),
    about(
        Name::InsertRows,
        "insert_rows",
        "WHERE COLUMN,... ARRAY...",
        "Insert into a table, an array of values for each row",
    ),
    about(Name::Select, "select", "WHERE [EXPR] [; CLAUSE]...", "Find in a table"),
    about(Name::Update, "update", "WHERE EXPR [; CLAUSE]...", "Update of a table"),
    about(Name::Delete, "delete", "WHERE EXPR [; CLAUSE]...", "Delete from a table"),
    about(
        Name::ExpectOpen,
        "expect_open",
        "[empty] [CONDITION[=V]]...",
        "Expect.Open: no_error, field_exist, docid_generated, a number, unset:CONDITION",
    ),
    about(Name::ExpectClose, "expect_close", "", "Expect.Close"),
    about(Name::Reset, "reset", "[keep_open]", "Session.Reset; without keep_open a login must follow"),
    about(Name::Close, "close", "", "Session.Close; another login may follow"),
    about(Name::ConnectionClose, "connection_close", "", "Connection.Close; reads to the end of the stream"),
    about(Name::Pipeline, "pipeline", "", "what follows up to `end` goes in one write"),
    about(Name::End, "end", "", "sends the pipeline, then reads the replies in order"),
    about(Name::Send, "send", "MESSAGE { FIELDS }", "a message in protobuf text format; reads no reply"),
    about(Name::SendBytes, "send_bytes", "HEX", "any bytes; reads no reply"),
    about(Name::Recv, "recv", "[N]", "reads N messages (1)"),
    about(Name::RecvUntil, "recv_until", "MESSAGE", "reads up to a message of that name, or an Error"),
    about(Name::RecvEof, "recv_eof", "", "reads to the end of the stream"),
    about(Name::TlsHandshake, "tls_handshake", "", "TLS, after a request for it by `send`"),
    about(Name::Other, "other", "STATEMENT", "SQL on a second session, kept to the end; it is not shown"),
    about(Name::Reconnect, "reconnect", "", "ends the connection, and connects anew"),
];

impl Name {
    /// The word in a script.
    pub(crate) fn word(self) -> &'static str {
        word_of(&self, &ALL)
    }
}

/// One command with its argument.
pub(crate) type Step = script::Step<Name>;

impl Step {
    /// A line: a name, and an argument behind a blank. `None` for an empty one and for a comment, which begins with `#`.
    pub(crate) fn parse(line: &str) -> Result<Option<Self>, Unknown> {
        if is_blank(line) {
            return Ok(None);
        }
        let line = line.trim();
        let (word, argument) = word(line);
        Self::of(line, word, argument, &ALL).map(Some)
    }
}

/// The first word, and what follows.
pub(crate) fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    (word, rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(line: &str) -> Option<(Name, String)> {
        Step::parse(line).unwrap().map(|step| (step.name, step.argument))
    }

    #[test]
    fn lines() {
        assert_eq!(step("  sql select 1 \r\n"), Some((Name::Sql, "select 1".to_owned())));
        assert_eq!(step("sql"), Some((Name::Sql, String::new())));
        assert_eq!(step("reset\tkeep_open"), Some((Name::Reset, "keep_open".to_owned())));
        assert_eq!((step(""), step(" # sql"), step("\n")), (None, None, None));
        let error = |line| Step::parse(line).unwrap_err().to_string();
        assert_eq!(error("sqll select 1"), "no command \"sqll\"; is \"sql\" meant?");
        assert_eq!(error("query select 1"), "no command \"query\"");
    }

    #[test]
    fn each_command_is_listed_once() {
        for (i, about) in ALL.iter().enumerate() {
            assert_eq!(about.name.word(), about.word);
            assert!(ALL.iter().skip(i + 1).all(|other| other.word != about.word && other.name != about.name));
        }
    }
}
