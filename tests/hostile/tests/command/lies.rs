//! Replies that lie about one thing: each ends in the error that says which.

use libtest_mimic::Trial;
use porpoise_classic::{ClassicErrorKind, Event, StateChange};
use porpoise_driver::Error;
use porpoise_hostile_tests::answers::{cells, login};
use porpoise_hostile_tests::packets::{column, column_of, end, eof, frame, header, ok};
use porpoise_hostile_tests::talks::{Dialect, Send, Talk};
use porpoise_hostile_tests::{Act, watch};
use porpoise_wire::WireError;

use super::played::{Ending, LIMIT, options, play, server};

const CR_SERVER_LOST: u16 = 2013;
const CR_NET_PACKET_TOO_LARGE: u16 = 2020;
const CR_MALFORMED_PACKET: u16 = 2027;

const QUERY: Send = |s, _, cx| s.query("x", cx);
const PREPARE: Send = |s, _, cx| s.stmt_prepare("x", cx);
const EXECUTE: Send = |s, _, cx| s.stmt_execute(7, 0, &[], cx);
const FETCH: Send = |s, columns, cx| s.stmt_fetch(7, 2, columns, cx);
const FIELD_LIST: Send = |s, _, cx| s.field_list("t", "", cx);
const PING: Send = |s, _, cx| s.ping(cx);
const STATISTICS: Send = |s, _, cx| s.statistics(cx);
const DEBUG: Send = |s, _, cx| s.debug(cx);

/// What is said in reply to a command, and what must come of it.
struct Lie {
    name: &'static str,
    dialect: Dialect,
    send: Send,
    says: Vec<Act>,
    stage: &'static str,
    code: u16,
    error: fn(&ClassicErrorKind) -> bool,
}

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let lies = [headers(), definitions(), rows(), oks(), prepared(), others(), above_limits()];
    let lies = lies.into_iter().flatten().map(|lie| {
        Trial::test(format!("lie: {}", lie.name), move || {
            lie.check();
            Ok(())
        })
    });
    let state = Trial::test("session state that is malformed", || {
        session_state();
        Ok(())
    });
    lies.chain([state])
}

impl Lie {
    fn check(&self) {
        let Self { dialect, send, .. } = *self;
        let script: Vec<Act> = [Act::Hear].into_iter().chain(self.says.clone()).collect();
        let talk = Talk { name: self.name, dialect, sends: vec![send], script };
        let options = options(&talk);
        let whole = || server(&talk, &talk.script);
        for peer in [whole(), whole().in_pieces_of(1), whole().with_moods(1), whole().with_moods(2)] {
            let ending = play(&talk, &options, &peer, self.name);
            let Ending::Failed(Error::Session(error)) = &ending else { panic!("{}: {ending:?}", self.name) };
            assert_eq!((error.stage().name(), error.client_error()), (self.stage, self.code), "{error}");
            assert!((self.error)(error.kind()), "{}: {:?}", self.name, error.kind());
        }
    }
}

fn wire(kind: &ClassicErrorKind) -> Option<&WireError> {
    match kind {
        ClassicErrorKind::Packet { error, .. } => Some(error),
        _ => None,
    }
}

/// A packet that has no place there, which begins with this byte.
macro_rules! stranger {
    ($first:pat) => {
        |kind| matches!(kind, ClassicErrorKind::Unexpected { first: $first, .. })
    };
}

/// A packet that is malformed in this way.
macro_rules! malformed {
    ($error:pat) => {
        |kind| matches!(wire(kind), Some($error))
    };
}

fn say(payload: impl AsRef<[u8]>) -> Act {
    Act::Say(payload.as_ref().to_vec())
}

type Check = fn(&ClassicErrorKind) -> bool;

fn modern(name: &'static str, send: Send, says: Vec<Act>, stage: &'static str, error: Check) -> Lie {
    Lie { name, dialect: Dialect::Modern, send, says, stage, code: CR_MALFORMED_PACKET, error }
}

impl Lie {
    fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    fn code(mut self, code: u16) -> Self {
        self.code = code;
        self
    }
}

const RESULT: &str = "WAIT_FOR_RESULT";
const FIELD_DEF: &str = "WAIT_FOR_FIELD_DEF";
const ROW: &str = "WAIT_FOR_ROW";
const PARAM_DEF: &str = "WAIT_FOR_PARAM_DEF";
const DESCRIPTION: &str = "WAIT_FOR_PS_DESCRIPTION";

/// The first packet of a result set.
fn headers() -> Vec<Lie> {
    let huge = [&[0xfe][..], &[0xff; 8]].concat();
    let count = |name, payload: &[u8], error| modern(name, QUERY, vec![say(payload)], RESULT, error);
    vec![
        count("2^64 - 1 columns", &huge, malformed!(WireError::BadValue { field: "column_count", .. })),
        count("65,536 columns", &[0xfd, 0, 0, 1], malformed!(WireError::BadValue { value: 65_536, .. })),
        count(
            "a count that is cut off",
            &[0xfc, 1],
            malformed!(WireError::Truncated { needed: 2, left: 1, .. }),
        ),
        count("a count of 0 in two bytes", &[0xfc, 0, 0], malformed!(WireError::BadValue { value: 0, .. })),
        count("a count with a byte behind it", &[1, 1], malformed!(WireError::TrailingBytes { left: 1 })),
        count("a count that is EOF", &eof(2), malformed!(WireError::Truncated { needed: 8, left: 4, .. })),
        modern(
            "a count without the metadata byte",
            QUERY,
            vec![say([1])],
            RESULT,
            malformed!(WireError::Truncated { .. }),
        )
        .dialect(Dialect::Metadata),
        modern(
            "metadata that is neither",
            QUERY,
            vec![say([1, 2])],
            RESULT,
            malformed!(WireError::BadValue { value: 2, .. }),
        )
        .dialect(Dialect::Metadata),
    ]
}

fn definitions() -> Vec<Lie> {
    let second = |name, payload: &[u8], error| {
        modern(name, QUERY, vec![say([2]), Act::Say(column("a")), say(payload)], FIELD_DEF, error)
    };
    let a = || Act::Say(column("a"));
    // def and five names | length of what follows | 12 bytes
    let fixed = |len: u8, bytes: usize| [&b"\x03def\0\0\0\0\0"[..], &[len], &vec![0; bytes]].concat();
    let definition = |name, payload: Vec<u8>, error| {
        modern(name, QUERY, vec![say([1]), Act::Say(payload)], FIELD_DEF, error)
    };
    vec![
        second("fewer columns than promised", &end(), stranger!(0xfe)),
        second("EOF among definitions", &eof(2), stranger!(0xfe)),
        definition(
            "a name of NULL",
            b"\x03def\xfb".to_vec(),
            malformed!(WireError::BadLengthEncoding { first: 0xfb, .. }),
        ),
        definition(
            "a name that is ERR's",
            b"\x03def\xff".to_vec(),
            malformed!(WireError::BadLengthEncoding { first: 0xff, .. }),
        ),
        definition(
            "a name of 2^64 - 1 bytes",
            [&b"\x03def\xfe"[..], &[0xff; 8]].concat(),
            malformed!(WireError::Truncated { needed: u64::MAX, .. }),
        ),
        definition(
            "a name one byte too long",
            b"\x03def\x02a".to_vec(),
            malformed!(WireError::Truncated { needed: 2, left: 1, .. }),
        ),
        definition(
            "a fixed part of 13 bytes",
            fixed(13, 13),
            malformed!(WireError::BadValue { value: 13, .. }),
        ),
        definition("a fixed part that is cut off", fixed(12, 11), malformed!(WireError::Truncated { .. })),
        definition(
            "bytes behind a definition",
            fixed(12, 14),
            malformed!(WireError::TrailingBytes { left: 1 }),
        ),
        modern(
            "definitions without their EOF",
            QUERY,
            vec![say([1]), a(), say(b"\x01x")],
            FIELD_DEF,
            stranger!(1),
        )
        .dialect(Dialect::Eof),
        modern(
            "an EOF of one byte",
            QUERY,
            vec![say([1]), a(), say([0xfe])],
            FIELD_DEF,
            malformed!(WireError::Truncated { .. }),
        )
        .dialect(Dialect::Eof),
        modern("a row for EOF", QUERY, vec![say([1]), a(), say([0xfe; 9])], FIELD_DEF, stranger!(0xfe))
            .dialect(Dialect::Eof),
    ]
}

/// The session's part of rows: what a row is, not what is in it.
fn rows() -> Vec<Lie> {
    let text = |name, act, code, error| {
        modern(name, QUERY, vec![say([1]), Act::Say(column("a")), act], ROW, error).code(code)
    };
    let binary = |name, act, error| {
        modern(name, EXECUTE, vec![say([1]), Act::Say(column_of("a", 3, 0)), act], ROW, error)
    };
    let lost = CR_SERVER_LOST;
    vec![
        text("a row without payload", Act::Raw(header(0, 3, &[])), lost, malformed!(WireError::EmptyPacket)),
        text("a row with another id", Act::Raw(frame(9, b"\x01x")), lost, |kind| {
            matches!(wire(kind), Some(WireError::OutOfOrder { expected: 3, got: 9 }))
        }),
        text(
            "a second frame with another id",
            Act::Raw([frame(3, b"\x01x"), frame(3, b"\x01x")].concat()),
            lost,
            |kind| matches!(wire(kind), Some(WireError::OutOfOrder { expected: 4, got: 3 })),
        ),
        text(
            "an end that is cut off",
            say([0xfe, 0, 0]),
            CR_MALFORMED_PACKET,
            malformed!(WireError::Truncated { .. }),
        ),
        binary("a binary row that begins with 1", say([1, 0, 1, 2, 3, 4]), stranger!(1)),
        binary("a text row among binary ones", say([0xfb]), stranger!(0xfb)),
        modern(
            "a row of COM_STMT_FETCH that is a file",
            FETCH,
            vec![say(b"\xfb/etc/passwd")],
            ROW,
            stranger!(0xfb),
        ),
        modern("columns of COM_STMT_FETCH", FETCH, vec![say([2]), Act::Say(column("a"))], ROW, stranger!(2)),
    ]
}

fn oks() -> Vec<Lie> {
    let ok = |name, payload: &[u8], error| modern(name, QUERY, vec![say(payload)], RESULT, error);
    vec![
        ok("an OK of one byte", &[0], malformed!(WireError::Truncated { .. })),
        ok("an OK without warnings", &[0, 0, 0, 2, 0], malformed!(WireError::Truncated { .. })),
        ok(
            "NULL rows affected",
            &[0, 0xfb, 0, 2, 0, 0, 0],
            malformed!(WireError::BadLengthEncoding { first: 0xfb, .. }),
        ),
        ok(
            "rows affected that are cut off",
            &[0, 0xfe, 1, 2],
            malformed!(WireError::Truncated { needed: 8, left: 2, .. }),
        ),
        ok(
            "a text longer than its packet",
            &[0, 0, 0, 2, 0, 0, 0, 9, b'x'],
            malformed!(WireError::Truncated { .. }),
        ),
        ok(
            "session state longer than its packet",
            &[0, 0, 0, 2, 0x40, 0, 0, 0, 0xfd, 0xff, 0xff, 0xff, 1],
            malformed!(WireError::Truncated { needed: 0xff_ffff, left: 1, .. }),
        ),
        modern(
            "a ping that is answered by a file",
            PING,
            vec![say(b"\xfb/etc/passwd")],
            RESULT,
            stranger!(0xfb),
        ),
        modern("a ping that is answered by a count", PING, vec![say([1])], RESULT, stranger!(1)),
        modern(
            "an EOF of three bytes",
            DEBUG,
            vec![say([0xfe, 0, 0])],
            RESULT,
            malformed!(WireError::Truncated { .. }),
        ),
        modern(
            "a second file for a statement",
            QUERY,
            vec![say(b"\xfb/etc/passwd"), Act::Hear, say(b"\xfb/etc/shadow")],
            RESULT,
            stranger!(0xfb),
        ),
    ]
}

/// Replies to COM_STMT_PREPARE.
fn prepared() -> Vec<Lie> {
    // 00 | statement id | columns | parameters | filler | warnings
    let head = |columns: u16, params: u16| {
        let [[a, b], [c, d]] = [columns.to_le_bytes(), params.to_le_bytes()];
        vec![0, 7, 0, 0, 0, a, b, c, d, 0, 0, 0]
    };
    let first =
        |name, payload: Vec<u8>, error| modern(name, PREPARE, vec![Act::Say(payload)], DESCRIPTION, error);
    let behind = |name, (columns, params), acts: Vec<Act>, stage, error| {
        modern(name, PREPARE, [vec![Act::Say(head(columns, params))], acts].concat(), stage, error)
    };
    let a = || Act::Say(column("?"));
    vec![
        first("a statement of 11 bytes", vec![0; 11], malformed!(WireError::Truncated { .. })),
        first(
            "a statement with a byte behind it",
            [head(0, 0), vec![1]].concat(),
            malformed!(WireError::TrailingBytes { .. }),
        ),
        first("a statement that is a result", vec![1], stranger!(1)),
        first("a statement that is a file", b"\xfb/etc/passwd".to_vec(), stranger!(0xfb)),
        first("a statement without the metadata byte", head(1, 1), malformed!(WireError::Truncated { .. }))
            .dialect(Dialect::Metadata),
        first(
            "metadata of a statement that is neither",
            [head(1, 1), vec![2]].concat(),
            malformed!(WireError::BadValue { value: 2, .. }),
        )
        .dialect(Dialect::Metadata),
        behind("fewer parameters than promised", (0, 2), vec![a(), say(eof(2))], PARAM_DEF, stranger!(0xfe)),
        behind("parameters without end", (0, 2), vec![a(), Act::Close], PARAM_DEF, |kind| {
            matches!(kind, ClassicErrorKind::Lost(_))
        })
        .code(CR_SERVER_LOST),
        behind("no columns, though promised", (1, 1), vec![a(), say(eof(2))], FIELD_DEF, stranger!(0xfe)),
        behind(
            "a parameter that is none",
            (0, 1),
            vec![say([0x00])],
            PARAM_DEF,
            malformed!(WireError::Truncated { .. }),
        ),
        behind("more parameters than promised", (0, 1), vec![a(), a()], PARAM_DEF, stranger!(3))
            .dialect(Dialect::Eof),
        behind("more columns than promised", (1, 0), vec![a(), a()], FIELD_DEF, stranger!(3))
            .dialect(Dialect::Eof),
        behind("65,535 parameters, and none comes", (0, 65_535), vec![Act::Close], PARAM_DEF, |kind| {
            matches!(kind, ClassicErrorKind::Lost(_))
        })
        .code(CR_SERVER_LOST),
    ]
}

fn others() -> Vec<Lie> {
    vec![
        modern(
            "a field list of OK",
            FIELD_LIST,
            vec![say(ok()), say(end())],
            FIELD_DEF,
            malformed!(WireError::Truncated { .. }),
        ),
        modern(
            "a default that is cut off",
            FIELD_LIST,
            vec![say([column("a"), vec![9]].concat()), say(end())],
            FIELD_DEF,
            malformed!(WireError::Truncated { needed: 9, left: 0, .. }),
        ),
        modern(
            "statistics without payload",
            STATISTICS,
            vec![Act::Raw(header(0, 1, &[]))],
            "WAIT_FOR_PACKET",
            |kind| matches!(wire(kind), Some(WireError::EmptyPacket)),
        )
        .code(CR_SERVER_LOST),
    ]
}

/// What is above the limits is refused as soon as that is known.
fn above_limits() -> Vec<Lie> {
    let large = |name, send, says, stage| {
        let error: Check = malformed!(WireError::PacketTooLarge { .. });
        modern(name, send, says, stage, error).code(CR_NET_PACKET_TOO_LARGE)
    };
    let one = |definition| vec![say([1]), Act::Say(definition)];
    let behind = |definition, act| [one(definition), vec![act]].concat();
    let row = |len, id| Act::Raw(header(len, id, &[0]));
    let many = |name: &str| vec![say([0xfc, 0xff, 0xff]), Act::Endless(column(name))];
    let text = || column("a");
    let binary = || column_of("a", 253, 0);
    vec![
        large("a reply above the limit", QUERY, vec![row(LIMIT + 1, 1)], RESULT),
        large("a definition above the limit", QUERY, vec![say([1]), row(LIMIT + 1, 2)], FIELD_DEF),
        large("a text row above the limit", QUERY, behind(text(), row(LIMIT + 1, 3)), ROW),
        large("a text row of a full frame", QUERY, behind(text(), row(0xff_ffff, 3)), ROW),
        large("a binary row above the limit", EXECUTE, behind(binary(), row(LIMIT + 1, 3)), ROW),
        large("a binary row of a full frame", EXECUTE, behind(binary(), row(0xff_ffff, 3)), ROW),
        large("a fetched row above the limit", FETCH, vec![row(LIMIT + 1, 1)], ROW),
        large("definitions above the limit", QUERY, many(&"c".repeat(200)), FIELD_DEF),
        large("small definitions above the limit", QUERY, many(""), FIELD_DEF),
        large(
            "definitions of parameters above the limit",
            PREPARE,
            vec![say([0, 7, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0]), Act::Endless(column("?"))],
            PARAM_DEF,
        ),
        large("a field list without end", FIELD_LIST, vec![Act::Endless(column("a"))], FIELD_DEF),
    ]
}

/// The packet is an OK all the same: who looks at the changes sees where they break off.
fn session_state() {
    let changes: [&[u8]; 10] = [
        &[0xfb],                                        // a type of NULL
        &[0xff],                                        // a type that is ERR's
        &[0],                                           // no data
        &[0, 9, 1],                                     // data longer than the block
        &[0, 3, 9, b'a', b'b'],                         // a name longer than its entry
        &[0, 2, 1, b'a'],                               // no value
        &[1, 0],                                        // no schema
        &[2, 0],                                        // no state
        &[3, 1, 0xfb],                                  // an encoding of NULL
        &[5, 9, 0xfd, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5], // a length of 2^24 - 1
    ];
    for block in changes {
        let length = u8::try_from(block.len()).expect("a short block");
        // OK | AUTOCOMMIT, SESSION_STATE_CHANGED | no warnings | no text | state: a schema, then this
        let schema = b"\x01\x05\x04reef";
        let payload = [&[0, 0, 0, 2, 0x40, 0, 0, 0, length + 7][..], schema, block].concat();
        let script = vec![Act::Hear, Act::Say(payload)];
        let talk = Talk { name: "state", dialect: Dialect::Modern, sends: vec![QUERY], script };
        let mut client = login(&server(&talk, &talk.script), options(&talk));
        let mut seen = Vec::new();
        let told = watch::run(talk.run(&mut client, |event| {
            let Event::Ok(ok) = event else { panic!("{event:?}") };
            seen.extend(ok.session_state().map(|change| change == Ok(StateChange::Schema(b"reef"))));
        }));
        told.unwrap_or_else(|error| panic!("{block:x?}: {error}"));
        assert_eq!(seen, [true, false], "{block:x?}: the good one, then an error, then nothing");
        assert_eq!(watch::run(cells(&mut client, "rows next 1")).expect("rows"), ["next"]);
    }
}
