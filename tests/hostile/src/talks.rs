//! Commands, and what a server that keeps to the rules replies: one talk for each shape of a reply.
//!
//! Whatever is changed in one of them, and wherever it is broken off, must lead to an error or to a result, and
//! never to a panic, to a hang, or to rows that belong to another statement.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use porpoise_classic::{CapabilityFlags, Columns, Event, Misuse, Session};
use porpoise_driver::{Client, Error, Options, Tap};
use porpoise_wire::{Cx, Limits};

use crate::answers::{answer, answer_with_eof, answer_with_metadata, without_drain_clock};
use crate::cases::plain;
use crate::packets::{
    ALL, DEPRECATE_EOF, SSL, column, column_of, end, end_more, eof, err, greeting_of, more, ok, ok_more,
};
use crate::{Act, Reply};

/// Sends a command; the columns are those that came last.
pub type Send = fn(&mut Session, &Columns, &mut Cx<'_, Tap>) -> Result<(), Misuse>;

/// What client and server agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// All that a server of today offers.
    Modern,
    /// Without `CLIENT_DEPRECATE_EOF`.
    Eof,
    /// With `CLIENT_OPTIONAL_RESULTSET_METADATA`.
    Metadata,
}

/// Commands and their replies.
#[derive(Clone)]
pub struct Talk {
    /// What it is about.
    pub name: &'static str,
    /// What was agreed on.
    pub dialect: Dialect,
    /// What the client sends, one after the other's reply.
    pub sends: Vec<Send>,
    /// What the server does, beginning with the first command.
    pub script: Vec<Act>,
}

impl Dialect {
    const fn offers(self) -> u32 {
        match self {
            Self::Eof => ALL & !SSL & !DEPRECATE_EOF,
            Self::Modern | Self::Metadata => ALL & !SSL,
        }
    }

    /// What a server does up to the end of the connect.
    #[must_use]
    pub fn login(self) -> [Act; 4] {
        let greeting = greeting_of(self.offers(), "caching_sha2_password");
        [Act::Say(greeting), Act::Hear, Act::Say(more(&[3])), Act::Say(ok())]
    }

    /// What the client connects with.
    ///
    /// # Panics
    /// When the options cannot be used.
    #[must_use]
    pub fn options(self, limits: Limits) -> Arc<Options> {
        let options = without_drain_clock(plain()).connect(|connect| match self {
            Self::Metadata => {
                connect.limits(limits).with(CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA)
            }
            Self::Modern | Self::Eof => connect.limits(limits),
        });
        Arc::new(options.build().unwrap_or_else(|error| panic!("options: {error}")))
    }

    /// The server answers `rows NAME N` from here on.
    #[must_use]
    pub fn answers(self) -> Act {
        Act::Answer(match self {
            Self::Modern => answer,
            Self::Eof => answer_with_eof,
            Self::Metadata => answer_with_metadata,
        })
    }

    /// The number of columns, and their definitions.
    fn columns(self, definitions: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let count = short(definitions.len());
        let header = if self == Self::Metadata { vec![count, 1] } else { vec![count] };
        let eof = (self == Self::Eof).then(|| eof(2));
        [header].into_iter().chain(definitions).chain(eof).collect()
    }

    /// The end of rows; `status` 8: more results follow.
    fn end(self, status: u8) -> Vec<u8> {
        match self {
            Self::Eof => eof(2 | status),
            _ => vec![0xfe, 0, 0, 2 | status, 0, 0, 0],
        }
    }

    /// The reply to COM_STMT_PREPARE: definitions of parameters and of columns.
    fn prepared(self, params: usize, columns: usize) -> Vec<Vec<u8>> {
        // 00 | statement id | columns | parameters | filler | warnings
        let mut header = vec![0, 7, 0, 0, 0, short(columns), 0, short(params), 0, 0, 0, 0];
        header.extend((self == Self::Metadata).then_some(1));
        let mut packets = vec![header];
        for count in [params, columns] {
            packets.extend(std::iter::repeat_n(column_of("?", 3, 0), count));
            packets.extend((self == Self::Eof && count > 0).then(|| eof(2)));
        }
        packets
    }
}

fn short(count: usize) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}

/// A command's reply: the command is heard, then this is said.
fn reply(packets: impl IntoIterator<Item = Vec<u8>>) -> Vec<Act> {
    [Act::Hear].into_iter().chain(packets.into_iter().map(Act::Say)).collect()
}

impl Talk {
    fn new(name: &'static str, dialect: Dialect, send: Send, reply: Vec<Act>) -> Self {
        Self { name, dialect, sends: vec![send], script: reply }
    }

    fn then(mut self, send: Send, reply: Vec<Act>) -> Self {
        self.sends.push(send);
        self.script.extend(reply);
        self
    }

    /// What the server says in reply to each command; but for a file, which it gets between two packets.
    fn replies(&self) -> Vec<Vec<Vec<u8>>> {
        let mut replies: Vec<Vec<Vec<u8>>> = Vec::new();
        let mut wants_file = false;
        for act in &self.script {
            match act {
                Act::Say(packet) => {
                    wants_file = packet.starts_with(b"\xfb/");
                    replies.last_mut().into_iter().for_each(|reply| reply.push(packet.clone()));
                }
                _ if !std::mem::take(&mut wants_file) => replies.push(Vec::new()),
                _ => {}
            }
        }
        replies
    }

    /// A server that replies to the commands in order, and answers statements `rows NAME N` at any time.
    #[must_use]
    pub fn server(&self) -> Vec<Act> {
        let (replies, next) = (self.replies(), AtomicUsize::new(0));
        let Act::Answer(answer) = self.dialect.answers() else { return Vec::new() };
        let reply = Reply::new(move |packet| {
            if packet.starts_with(b"\x03\0\x01rows ") {
                return answer(packet);
            }
            let asked = next.load(Ordering::Relaxed);
            let reply = |number: usize| replies.get(number).cloned().unwrap_or_default();
            if packet.is_empty() {
                // The file: what is behind the request is the verdict.
                return reply(asked.saturating_sub(1)).split_off(1);
            }
            next.store(asked + 1, Ordering::Relaxed);
            let mut reply = reply(asked);
            if reply.first().is_some_and(|packet| packet.starts_with(b"\xfb/")) {
                reply.truncate(1);
            }
            reply
        });
        self.dialect.login().into_iter().chain([Act::Reply(reply)]).collect()
    }

    /// What the server does, from the greeting on; at last it answers statements.
    #[must_use]
    pub fn whole(&self, script: &[Act]) -> Vec<Act> {
        self.dialect
            .login()
            .into_iter()
            .chain(script.iter().cloned())
            .chain([self.dialect.answers()])
            .collect()
    }

    /// Sends the commands and reads their replies.
    ///
    /// # Errors
    /// The session is over. What the server refuses is told.
    pub async fn run(&self, client: &mut Client, mut tell: impl FnMut(Event)) -> Result<(), Error> {
        let mut columns = Columns::default();
        self.run_some(client, 0..self.sends.len(), &mut columns, &mut tell).await
    }

    /// The same for some of the commands; `columns` are those of the result before.
    ///
    /// # Errors
    /// As there.
    pub async fn run_some(
        &self,
        client: &mut Client,
        commands: Range<usize>,
        columns: &mut Columns,
        tell: &mut impl FnMut(Event),
    ) -> Result<(), Error> {
        for send in self.sends.get(commands).unwrap_or_default() {
            client.command(|session, cx| send(session, columns, cx)).await?;
            while let Some(event) = client.next_event().await? {
                if let Event::Columns(told) = &event {
                    *columns = told.clone();
                }
                tell(event);
            }
        }
        Ok(())
    }
}

/// Each of them in each dialect in which it is different.
#[must_use]
pub fn all() -> Vec<Talk> {
    let mut talks = simple();
    for dialect in [Dialect::Modern, Dialect::Eof, Dialect::Metadata] {
        talks.extend(queries(dialect));
        talks.extend(statements(dialect));
    }
    talks.extend(without_metadata());
    talks
}

/// Replies of one packet.
fn simple() -> Vec<Talk> {
    let modern = |name, send, packet| Talk::new(name, Dialect::Modern, send, reply([packet]));
    vec![
        modern("ping", |s, _, cx| s.ping(cx), ok()),
        modern("init_db", |s, _, cx| s.init_db("reef", cx), ok_with_state()),
        modern("reset_connection", |s, _, cx| s.reset_connection(cx), ok()),
        modern("statistics", |s, _, cx| s.statistics(cx), b"Uptime: 17  Threads: 2".to_vec()),
        modern("set_option", |s, _, cx| s.set_option(true, cx), end()),
        Talk::new("set_option", Dialect::Eof, |s, _, cx| s.set_option(true, cx), reply([eof(2)])),
        modern("debug", |s, _, cx| s.debug(cx), end()),
        modern("process_kill", |s, _, cx| s.process_kill(9, cx), ok()),
        modern("stmt_reset", |s, _, cx| s.stmt_reset(7, cx), ok()),
        modern("query without rows", |s, _, cx| s.query("x", cx), ok_with_state()),
        modern("query that fails", |s, _, cx| s.query("x", cx), err(1064, "no")),
        Talk::new("stmt_close, then ping", Dialect::Modern, |s, _, cx| s.stmt_close(7, cx), vec![Act::Hear])
            .then(|s, _, cx| s.ping(cx), reply([ok()])),
        Talk::new(
            "stmt_send_long_data, then ping",
            Dialect::Modern,
            |s, _, cx| s.stmt_send_long_data(7, 0, b"long", cx),
            vec![Act::Hear],
        )
        .then(|s, _, cx| s.ping(cx), reply([ok()])),
    ]
}

/// OK with a text and each kind of session state.
#[must_use]
pub fn ok_with_state() -> Vec<u8> {
    let state = [
        &b"\x00\x0f\x0aautocommit\x03OFF"[..], // system variable
        b"\x01\x05\x04reef",                   // schema
        b"\x02\x011",                          // state change
        b"\x03\x05\x00\x03u:1",                // GTIDs
        b"\x04\x01\x00",                       // transaction characteristics
        b"\x05\x09\x08T_R_____",               // transaction state
        b"\x63\x02ab",                         // of the future
    ]
    .concat();
    // 00 | 3 rows | id 4 | AUTOCOMMIT, SESSION_STATE_CHANGED | no warnings | text | state
    [&b"\x00\x03\x04\x02\x40\x00\x00\x04text"[..], &[short(state.len())], &state].concat()
}

/// Two text columns.
fn text_columns() -> Vec<Vec<u8>> {
    vec![column("a"), column("b")]
}

/// Rows of them: short cells, NULL, a long cell.
fn text_rows() -> Vec<Vec<u8>> {
    let long = [&b"\x01x\xfc\x2c\x01"[..], &[b'y'; 300]].concat();
    vec![b"\x05first\x05first".to_vec(), vec![0xfb, 0], b"\x05first\xfb".to_vec(), long]
}

fn queries(dialect: Dialect) -> Vec<Talk> {
    let query = |name, packets| Talk::new(name, dialect, |s, _, cx| s.query("x", cx), reply(packets));
    let rows = |status| [dialect.columns(text_columns()), text_rows(), vec![dialect.end(status)]].concat();
    let refused = |verdict| vec![Act::Hear, Act::Say(b"\xfb/etc/passwd".to_vec()), Act::Hear, verdict];
    let mut talks = vec![
        query("query with rows", rows(0)),
        query("query with an empty result", [dialect.columns(text_columns()), vec![dialect.end(0)]].concat()),
        query("query with results", [rows(8), vec![ok_more()], rows(8), vec![ok()]].concat()),
        query(
            "query that fails among its rows",
            [dialect.columns(text_columns()), text_rows(), vec![err(1317, "killed")]].concat(),
        ),
    ];
    if dialect != Dialect::Metadata {
        // A list has no header that could tell of definitions.
        let default = |text: &[u8]| [&column("a")[..], text].concat();
        let list = vec![default(b"\x0242"), default(b"\xfb"), dialect.end(0)];
        talks.push(Talk::new("field_list", dialect, |s, _, cx| s.field_list("t", "", cx), reply(list)));
        let file =
            |name, verdict| Talk::new(name, dialect, |s, _, cx| s.query("x", cx), refused(Act::Say(verdict)));
        talks.push(file("query that asks for a file", ok()));
        talks.push(file("query that asks for a file and fails", err(1148, "no")));
    }
    talks
}

/// Binary columns: the type of each, and the bytes of a value.
const BINARY: [(u8, &[u8]); 14] = [
    (1, &[0xff]),                                    // TINY
    (2, &[1, 2]),                                    // SHORT
    (3, &[1, 2, 3, 4]),                              // LONG
    (8, &[1, 2, 3, 4, 5, 6, 7, 8]),                  // LONGLONG
    (9, &[1, 2, 3, 0]),                              // INT24
    (4, &[0, 0, 0x80, 0x3f]),                        // FLOAT
    (5, &[0, 0, 0, 0, 0, 0, 0xf0, 0x3f]),            // DOUBLE
    (13, &[0xe8, 0x07]),                             // YEAR
    (10, &[4, 0xe8, 0x07, 2, 29]),                   // DATE
    (12, &[7, 0xe8, 0x07, 2, 29, 1, 2, 3]),          // DATETIME
    (7, &[0]),                                       // TIMESTAMP, zero
    (11, &[12, 1, 4, 0, 0, 0, 5, 2, 3, 4, 0, 0, 0]), // TIME
    (246, &[4, b'1', b'.', b'5', b'0']),             // NEWDECIMAL
    (253, b"\x05first"),                             // VAR_STRING
];

fn binary_columns() -> Vec<Vec<u8>> {
    BINARY.iter().map(|(column_type, _)| column_of("c", *column_type, 0)).collect()
}

/// A row with all values, and one with NULLs only but for the last column.
fn binary_rows() -> Vec<Vec<u8>> {
    // 00 | 14 columns and an offset of two: two bytes
    let values = BINARY.iter().flat_map(|(_, value)| value.iter().copied());
    let full = [0, 0, 0].into_iter().chain(values).collect();
    // The last column has bit 15.
    let nulls = [&[0, 0xfc, 0x7f][..], b"\x05first"].concat();
    vec![full, nulls]
}

fn statements(dialect: Dialect) -> Vec<Talk> {
    let execute: Send = |s, _, cx| s.stmt_execute(7, 0, &[], cx);
    let open: Send = |s, _, cx| s.stmt_execute(7, 1, &[], cx);
    let fetch: Send = |s, columns, cx| s.stmt_fetch(7, 2, columns, cx);
    let prepare = |name, params, columns| {
        Talk::new(name, dialect, |s, _, cx| s.stmt_prepare("x", cx), reply(dialect.prepared(params, columns)))
    };
    let rows =
        |status| [dialect.columns(binary_columns()), binary_rows(), vec![dialect.end(status)]].concat();
    // Without CLIENT_DEPRECATE_EOF one EOF ends definitions and tells of the cursor.
    let mut opened = dialect.columns(binary_columns());
    if dialect == Dialect::Eof {
        opened.pop();
    }
    opened.push(dialect.end(0x40));
    vec![
        prepare("prepare", 2, 2),
        prepare("prepare without parameters", 0, 2),
        prepare("prepare without columns", 2, 0),
        prepare("prepare with neither", 0, 0),
        Talk::new("execute", dialect, execute, reply(rows(0))),
        Talk::new("execute with OUT parameters", dialect, execute, {
            reply([rows(8), rows(0x08), vec![ok()]].concat())
        }),
        Talk::new("execute without rows", dialect, execute, reply([ok()])),
        Talk::new("cursor", dialect, open, reply(opened))
            .then(fetch, reply([binary_rows(), vec![dialect.end(0x40)]].concat()))
            .then(fetch, reply([binary_rows(), vec![dialect.end(0x80)]].concat()))
            .then(fetch, reply([err(1421, "The statement has no open cursor.")])),
    ]
}

/// No definitions come.
fn without_metadata() -> Vec<Talk> {
    let rows =
        [vec![vec![2, 0]], text_rows(), vec![end_more(), vec![2, 0]], text_rows(), vec![end()]].concat();
    // 00 | statement id | columns | parameters | filler | warnings | no metadata
    let prepared = vec![0, 7, 0, 0, 0, 2, 0, 2, 0, 0, 0, 0, 0];
    vec![
        Talk::new("query without definitions", Dialect::Metadata, |s, _, cx| s.query("x", cx), reply(rows)),
        Talk::new(
            "prepare without definitions",
            Dialect::Metadata,
            |s, _, cx| s.stmt_prepare("x", cx),
            reply([prepared]),
        ),
    ]
}
