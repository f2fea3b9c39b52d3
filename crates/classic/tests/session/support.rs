//! A scripted server in memory, and ways to feed its bytes.

use bytes::BytesMut;
use porpoise_classic::{
    BinlogDump, CapabilityFlags, ClassicError, Columns, Encoding, Event, Execute, ExecuteError, Misuse,
    RegisterReplica, RowError, Session, SessionSeed,
};
use porpoise_trace::{Record, TraceSink};
use porpoise_value::{ConvertError, ParamRef, Placeholders, ToValue, Value};
use porpoise_wire::{Cx, Framer, Limits, Machine, Put, Step};

/// What the client and a 9.7 server agree on by default.
pub(crate) const MODERN: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_TRANSACTIONS)
    .union(CapabilityFlags::CLIENT_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_SESSION_TRACK)
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF)
    .union(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);

/// The same without CLIENT_DEPRECATE_EOF.
pub(crate) const WITH_EOF: CapabilityFlags = MODERN.difference(CapabilityFlags::CLIENT_DEPRECATE_EOF);

pub(crate) fn session(capabilities: CapabilityFlags) -> Session {
    session_of("9.7.4", capabilities)
}

/// A session with a server of that version.
pub(crate) fn session_of(version: &str, capabilities: CapabilityFlags) -> Session {
    let limits = Limits::default();
    let mut seed = SessionSeed::new(Framer::new(limits), capabilities, limits);
    seed.server_version = version.into();
    Session::resume(seed)
}

/// A parameter.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    Value(Value),
    Long,
}

impl ToValue for Arg {
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        match self {
            Self::Value(value) => value.to_value(),
            Self::Long => Ok(ParamRef::LongData),
        }
    }
}

/// What the server sends in reply to one command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    bytes: Vec<u8>,
    id: u8,
}

impl Reply {
    /// No reply at all.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// A reply to a command of one packet.
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), id: 1 }
    }

    pub(crate) fn packet(mut self, payload: impl AsRef<[u8]>) -> Self {
        let payload = payload.as_ref();
        let [a, b, c, ..] = payload.len().to_le_bytes();
        self.bytes.extend_from_slice(&[a, b, c, self.id]);
        self.bytes.extend_from_slice(payload);
        self.id = self.id.wrapping_add(1);
        self
    }

    /// A packet of more than one frame.
    pub(crate) fn packet_in_frames(mut self, payload: &[u8]) -> Self {
        for frame in payload.chunks(0xff_ffff) {
            self = self.packet(frame);
        }
        self
    }

    /// The client sends a packet meanwhile.
    pub(crate) fn client_packet(mut self) -> Self {
        self.id += 1;
        self
    }

    /// Goes on with another id.
    pub(crate) fn id(mut self, id: u8) -> Self {
        self.id = id;
        self
    }

    /// OK with that status.
    pub(crate) fn ok(self, status: u8) -> Self {
        self.packet([0x00, 0, 0, status, 0, 0, 0])
    }

    /// OK with affected rows, an id, and a text.
    pub(crate) fn ok_info(self, affected: u8, insert_id: u8, info: &str) -> Self {
        let head = [0x00, affected, insert_id, 2, 0, 0, 0, short(info.len())];
        self.packet([&head, info.as_bytes()].concat())
    }

    /// OK in place of EOF, with that status.
    pub(crate) fn end(self, status: u8) -> Self {
        self.packet([0xfe, 0, 0, status, 0, 0, 0])
    }

    pub(crate) fn eof(self, status: u8) -> Self {
        self.packet([0xfe, 0, 0, status, 0])
    }

    pub(crate) fn err(self, code: u16, sqlstate: &str, message: &str) -> Self {
        let code = code.to_le_bytes();
        self.packet([&[0xff], &code[..], b"#", sqlstate.as_bytes(), message.as_bytes()].concat())
    }

    /// The number of columns, and what follows it.
    pub(crate) fn columns(self, names: &[&[u8]]) -> Self {
        names.iter().fold(self.packet([short(names.len())]), |reply, name| reply.packet(name))
    }

    /// A text row.
    pub(crate) fn row(self, cells: &[Option<&str>]) -> Self {
        let mut payload = BytesMut::new();
        for cell in cells {
            match cell {
                Some(text) => payload.put_lenenc_bytes(text.as_bytes()),
                None => payload.extend_from_slice(&[0xfb]),
            }
        }
        self.packet(payload)
    }

    /// Bytes as they are.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// The id of the packet that would come next.
    pub(crate) const fn next_id(&self) -> u8 {
        self.id
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A length or count of one byte.
pub(crate) fn short(len: usize) -> u8 {
    u8::try_from(len).ok().filter(|len| *len < 0xfb).unwrap()
}

/// A column definition.
pub(crate) fn column(schema: &str, table: &str, name: &str, kind: u8) -> Vec<u8> {
    let mut payload = BytesMut::new();
    let org_name = if schema.is_empty() { "" } else { name };
    for text in ["def", schema, table, table, name, org_name] {
        payload.put_lenenc_bytes(text.as_bytes());
    }
    // 12 | collation | length | type | flags | decimals | reserved
    payload.extend_from_slice(&[12, 63, 0, 11, 0, 0, 0, kind, 0, 0, 0, 0, 0]);
    payload.to_vec()
}

pub(crate) const LONG: u8 = 3;
pub(crate) const VAR_STRING: u8 = 253;

/// The two columns of `odb.t1`.
pub(crate) fn t1() -> [Vec<u8>; 2] {
    [column("odb", "t1", "a", LONG), column("odb", "t1", "b", VAR_STRING)]
}

/// A step of a script: a command, and what the server sends in reply.
pub(crate) type Exchange = (Act, Reply);

/// What the client does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Query(&'static str),
    /// A query that may be asked for a file, and the file.
    Load(&'static str, &'static [&'static [u8]]),
    /// With query attributes.
    QueryWith(&'static str, &'static [(&'static str, &'static str)]),
    Ping,
    InitDb(&'static str),
    Reset,
    Statistics,
    SetOption(bool),
    Debug,
    ProcessKill(u32),
    FieldList(&'static str),
    Prepare(&'static str),
    Execute(u8, Vec<u8>),
    /// With parameters, and with a cursor or without.
    Bound(bool, Vec<Arg>),
    Fetch(u32),
    StmtReset,
    StmtClose,
    LongData(&'static str),
    Register,
    Dump,
    Quit,
    /// Gives the connection up without COM_QUIT.
    Close,
}

impl Act {
    pub(crate) fn send<T: TraceSink>(
        &self,
        session: &mut Session,
        last: &Columns,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        const ID: u32 = 1;
        match self {
            Self::Query(sql) => session.query(sql, cx),
            Self::Load(sql, _) => {
                session.allow_infile(true);
                session.query(sql, cx)
            }
            Self::QueryWith(sql, attributes) => unvalued(session.query_with(sql, attributes, cx)),
            Self::Ping => session.ping(cx),
            Self::InitDb(schema) => session.init_db(schema, cx),
            Self::Reset => session.reset_connection(cx),
            Self::Statistics => session.statistics(cx),
            Self::SetOption(on) => session.set_option(*on, cx),
            Self::Debug => session.debug(cx),
            Self::ProcessKill(id) => session.process_kill(*id, cx),
            Self::FieldList(table) => session.field_list(table, "", cx),
            Self::Prepare(sql) => session.stmt_prepare(sql, cx),
            Self::Execute(flags, parameters) => session.stmt_execute(ID, *flags, parameters, cx),
            Self::Bound(cursor, args) => {
                let execute = Execute::new(ID, Placeholders::positional(args.len()), args).cursor(*cursor);
                unvalued(session.stmt_execute_with(&execute, cx))
            }
            Self::Fetch(rows) => session.stmt_fetch(ID, *rows, last, cx),
            Self::StmtReset => session.stmt_reset(ID, cx),
            Self::StmtClose => session.stmt_close(ID, cx),
            Self::LongData(data) => session.stmt_send_long_data(ID, 0, data.as_bytes(), cx),
            Self::Register => session.register_replica(&RegisterReplica::default(), cx),
            Self::Dump => session.binlog_dump(&BinlogDump::new(9), cx),
            Self::Quit => session.quit(cx),
            Self::Close => {
                session.closed(cx);
                Ok(())
            }
        }
    }
}

/// The values of scripts can all be sent.
fn unvalued(sent: Result<(), ExecuteError>) -> Result<(), Misuse> {
    match sent {
        Ok(()) => Ok(()),
        Err(ExecuteError::Misuse(misuse)) => Err(misuse),
        Err(error) => panic!("{error}"),
    }
}

/// An event with rows taken out of their batches, because a batch is whatever came together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Event(Event),
    Row(Encoding, Vec<Result<Option<Vec<u8>>, RowError>>),
    Idle,
    /// More bytes are needed, but there are none.
    Waits,
    Misuse(Misuse),
    /// The error's text: the error itself cannot be compared.
    Failed(String),
}

/// What a script led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) told: Vec<Told>,
    pub(crate) trace: Vec<String>,
    /// All that the client sent.
    pub(crate) sent: Vec<u8>,
    pub(crate) illegal: usize,
}

/// How many bytes are handed over at a time, for each reply.
#[derive(Clone, Copy)]
pub(crate) enum Feed {
    Whole,
    Bytewise,
    /// In two pieces.
    Split(usize),
    Chunks(usize),
}

impl Feed {
    fn piece(self, done: usize, left: usize) -> usize {
        match self {
            Self::Whole => left,
            Self::Bytewise => 1,
            Self::Split(at) if done < at => (at - done).min(left),
            Self::Split(_) => left,
            Self::Chunks(size) => size.min(left),
        }
    }
}

/// Plays a script, once with a record and once without a trace: both must tell the same.
pub(crate) fn play(capabilities: CapabilityFlags, script: &[Exchange], feed: Feed) -> Outcome {
    let mut record = Record::new();
    let (told, sent) = run(capabilities, script, feed, &mut record);
    let untraced = run(capabilities, script, feed, &mut porpoise_trace::NoTrace);
    assert_eq!(untraced, (told.clone(), sent.clone()), "a trace must not change what happens");
    let trace = record.to_jsonl().lines().map(str::to_owned).collect();
    Outcome { told, trace, sent, illegal: record.illegal_edges().len() }
}

fn run<T: TraceSink>(
    capabilities: CapabilityFlags,
    script: &[Exchange],
    feed: Feed,
    trace: &mut T,
) -> (Vec<Told>, Vec<u8>) {
    let mut session = session(capabilities);
    let (mut rx, mut tx) = (BytesMut::new(), BytesMut::new());
    let (mut told, mut sent, mut last) = (Vec::new(), Vec::new(), Columns::default());
    for (act, reply) in script {
        let mut cx = Cx::new(&mut rx, &mut tx, trace);
        if let Err(misuse) = act.send(&mut session, &last, &mut cx) {
            told.push(Told::Misuse(misuse));
        }
        let (mut done, mut steps) = (0, 0);
        loop {
            steps += 1;
            assert!(steps < 100_000, "the machine does not come to rest");
            let mut cx = Cx::new(&mut rx, &mut tx, trace);
            match session.advance(&mut cx) {
                Ok(Step::Event(event)) => {
                    if let (Event::LocalInfile(_), Act::Load(_, blocks)) = (&event, act) {
                        load(&mut session, blocks, &mut cx);
                    }
                    tell(event, &mut last, &mut told);
                }
                Ok(Step::NeedWrite) => sent.extend_from_slice(&tx.split()),
                Ok(step @ (Step::NeedRead { .. } | Step::Idle)) => {
                    sent.extend_from_slice(&tx.split());
                    if let Step::NeedRead { at_least } = step {
                        assert!(at_least > rx.len(), "what is there was not looked at");
                    }
                    let left = reply.bytes.len() - done;
                    if left > 0 {
                        let piece = feed.piece(done, left);
                        rx.extend_from_slice(&reply.bytes[done..done + piece]);
                        done += piece;
                        continue;
                    }
                    told.push(if step == Step::Idle { Told::Idle } else { Told::Waits });
                    if let Act::Quit = act {
                        session.closed(&mut Cx::new(&mut rx, &mut tx, trace));
                    }
                    break;
                }
                Ok(step) => panic!("{step:?}"),
                Err(error) => {
                    sent.extend_from_slice(&tx.split());
                    told.push(Told::Failed(error.to_string()));
                    assert_repeats(&mut session, &error, trace);
                    return (told, sent);
                }
            }
        }
    }
    (told, sent)
}

fn load<T: TraceSink>(session: &mut Session, blocks: &[&[u8]], cx: &mut Cx<'_, T>) {
    assert!(session.wants_file() && !session.is_idle());
    assert_eq!(session.ping(cx), Err(Misuse::Busy));
    assert_eq!(session.quit(cx), Err(Misuse::Busy));
    for block in blocks {
        session.send_file(block, cx).unwrap();
    }
    session.end_file(cx).unwrap();
    assert!(!session.wants_file());
    assert_eq!(session.end_file(cx), Err(Misuse::NoFileRequest));
    assert_eq!(session.send_file(b"more", cx), Err(Misuse::NoFileRequest));
}

/// An error is final, and told to the trace once.
fn assert_repeats<T: TraceSink>(session: &mut Session, error: &ClassicError, trace: &mut T) {
    let (mut rx, mut tx) = (BytesMut::from(&[1, 0, 0, 1, 0][..]), BytesMut::new());
    let mut cx = Cx::new(&mut rx, &mut tx, trace);
    let again = session.advance(&mut cx).unwrap_err();
    assert_eq!(again.to_string(), error.to_string());
    assert_eq!(session.ping(&mut cx), Err(Misuse::Closed));
    assert_eq!(session.quit(&mut cx), Err(Misuse::Closed));
    session.closed(&mut cx);
    assert!(tx.is_empty());
}

pub(crate) fn tell(event: Event, last: &mut Columns, told: &mut Vec<Told>) {
    if let Event::Columns(columns) = &event {
        *last = columns.clone();
    }
    let Event::Rows(batch) = event else {
        told.push(Told::Event(event));
        return;
    };
    assert_eq!(batch.iter().count(), batch.len());
    for row in &batch {
        let cells = row.iter().map(|cell| cell.map(|bytes| bytes.map(<[u8]>::to_vec))).collect();
        assert_eq!((row.share(), row.detach()), (row.detach(), row.share()));
        told.push(Told::Row(batch.encoding(), cells));
    }
}

/// Plays a script in every way that a reply can be cut in two, and more; all must lead to the same.
pub(crate) fn play_every_way(capabilities: CapabilityFlags, script: &[Exchange]) -> Outcome {
    let whole = play(capabilities, script, Feed::Whole);
    let longest = script.iter().map(|(_, reply)| reply.bytes.len()).max().unwrap_or(0);
    let splits = (1..longest).map(Feed::Split);
    let chunks = [2, 3, 5, 7, 64].map(Feed::Chunks);
    for feed in splits.chain(chunks).chain([Feed::Bytewise]) {
        assert_eq!(play(capabilities, script, feed), whole);
    }
    whole
}
