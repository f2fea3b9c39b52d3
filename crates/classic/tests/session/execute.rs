//! Query attributes, parameters of executions, and the columns that an execution brings along.

use bytes::BytesMut;
use porpoise_classic::{CapabilityFlags, Columns, Event, Execute, ExecuteError, Misuse, RowError, Session};
use porpoise_trace::{NoTrace, Record};
use porpoise_value::{ConvertError, Named, ParamError, ParamRef, Params, Placeholders, ToValue, Value};
use porpoise_wire::{Cx, Machine as _, Step};

use crate::support::{Arg, LONG, MODERN, Reply, VAR_STRING, column, session, session_of};

const NO_ATTRIBUTES: CapabilityFlags = MODERN.difference(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);
const OPTIONAL: CapabilityFlags = MODERN.union(CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA);

/// What is sent, without the packet's header. The same with a trace and without.
fn sent(
    session: impl Fn() -> Session,
    send: impl Fn(&mut Session, &mut BytesMut, bool) -> Result<(), ExecuteError>,
) -> Vec<u8> {
    let both = [false, true].map(|traced| {
        let mut tx = BytesMut::new();
        send(&mut session(), &mut tx, traced).unwrap();
        assert_eq!(usize::from(tx[0]) + 4, tx.len());
        assert_eq!(tx[1..4], [0, 0, 0]);
        tx[4..].to_vec()
    });
    assert_eq!(both[0], both[1]);
    both[0].clone()
}

macro_rules! with_cx {
    ($tx:expr, $traced:expr, $cx:ident => $call:expr) => {{
        let mut rx = BytesMut::new();
        if $traced {
            let mut record = Record::new();
            let $cx = &mut Cx::new(&mut rx, $tx, &mut record);
            $call
        } else {
            let mut none = NoTrace;
            let $cx = &mut Cx::new(&mut rx, $tx, &mut none);
            $call
        }
    }};
}

fn query(capabilities: CapabilityFlags, attributes: &[(&str, Value)]) -> Vec<u8> {
    sent(
        || session(capabilities),
        |session, tx, traced| with_cx!(tx, traced, cx => session.query_with("do 1", attributes, cx)),
    )
}

fn execute<P: Params>(
    version: &str,
    capabilities: CapabilityFlags,
    count: usize,
    params: &P,
    attributes: &[(&str, Value)],
) -> Vec<u8> {
    let execute = Execute::new(7, Placeholders::positional(count), params).attributes(attributes);
    sent(
        || session_of(version, capabilities),
        |session, tx, traced| with_cx!(tx, traced, cx => session.stmt_execute_with(&execute, cx)),
    )
}

#[test]
fn query_attributes() {
    assert_eq!(query(MODERN, &[]), b"\x03\x00\x01do 1");
    // COM_QUERY | 2 of 1 set | second NULL | bound | VAR_STRING "k" | NULL "n" | "v" | SQL
    let attributes = [("k", Value::Text("v".into())), ("n", Value::Null)];
    assert_eq!(query(MODERN, &attributes), b"\x03\x02\x01\x02\x01\xfd\x00\x01k\x06\x00\x01n\x01vdo 1");
    // A server that does not know them gets the statement.
    assert_eq!(query(NO_ATTRIBUTES, &attributes), b"\x03do 1");
}

#[test]
fn executions_with_and_without_query_attributes() {
    let seven = (7u8,);
    let attribute = [("k", Value::Int(-1))];
    const HEAD: &[u8] = b"\x17\x07\x00\x00\x00";
    const NUMBER: &[u8] = b"\x07\x00\x00\x00\x00\x00\x00\x00";
    let minus = [0xff; 8];
    let bytes = |parts: &[&[u8]]| parts.concat();
    // flags PARAMETER_COUNT_AVAILABLE | 1 | number | nulls | bound | types and names | values
    assert_eq!(execute("9.7.4", MODERN, 0, &(), &[]), bytes(&[HEAD, b"\x08\x01\0\0\0\x00"]));
    assert_eq!(
        execute("9.7.4", MODERN, 1, &seven, &[]),
        bytes(&[HEAD, b"\x08\x01\0\0\0\x01\x00\x01\x08\x80\x00", NUMBER])
    );
    assert_eq!(
        execute("9.7.4", MODERN, 1, &seven, &attribute),
        bytes(&[HEAD, b"\x08\x01\0\0\0\x02\x00\x01\x08\x80\x00\x08\x00\x01k", NUMBER, &minus])
    );
    assert_eq!(
        execute("9.7.4", MODERN, 0, &(), &attribute),
        bytes(&[HEAD, b"\x08\x01\0\0\0\x01\x00\x01\x08\x00\x01k", &minus])
    );
    // A server that takes every flag for a cursor: the number comes only with parameters, and so do attributes.
    assert_eq!(execute("8.0.24", MODERN, 0, &(), &attribute), bytes(&[HEAD, b"\x00\x01\0\0\0"]));
    assert_eq!(
        execute("8.0.24", MODERN, 1, &seven, &attribute),
        bytes(&[HEAD, b"\x00\x01\0\0\0\x02\x00\x01\x08\x80\x00\x08\x00\x01k", NUMBER, &minus])
    );
    // A server without attributes: no number, no names.
    assert_eq!(execute("8.0.11", NO_ATTRIBUTES, 0, &(), &attribute), bytes(&[HEAD, b"\x00\x01\0\0\0"]));
    assert_eq!(
        execute("8.0.11", NO_ATTRIBUTES, 1, &seven, &attribute),
        bytes(&[HEAD, b"\x00\x01\0\0\0\x00\x01\x08\x80", NUMBER])
    );
    // Nine parameters: two bytes of bitmap; the first is long data, the last is NULL.
    let mut args: Vec<Arg> = (0..9).map(|_| Arg::Value(Value::Text(String::new()))).collect();
    (args[0], args[8]) = (Arg::Long, Arg::Value(Value::Null));
    let types: Vec<u8> = [252].iter().chain(&[253; 7]).chain(&[6]).flat_map(|kind| [*kind, 0, 0]).collect();
    assert_eq!(
        execute("9.7.4", MODERN, 9, &args, &[]),
        bytes(&[HEAD, b"\x08\x01\0\0\0\x09\x00\x01\x01", &types, &[0; 7]])
    );
}

#[test]
fn a_cursor_and_names() {
    let names = ["b".into(), "a".into()];
    let params = Named(&[("a", &1i8), ("b", &"x")]);
    let execute = Execute::new(7, Placeholders::named(&names), &params).cursor(true);
    let bytes = sent(
        || session(NO_ATTRIBUTES),
        |session, tx, traced| with_cx!(tx, traced, cx => session.stmt_execute_with(&execute, cx)),
    );
    // flags CURSOR_TYPE_READ_ONLY | ... | VAR_STRING, LONGLONG | "x", 1
    let expected = b"\x17\x07\0\0\0\x01\x01\0\0\0\x00\x01\xfd\x00\x08\x00\x01x\x01\0\0\0\0\0\0\0";
    assert_eq!(bytes, expected);
}

/// Has no form in MySQL.
struct Never;

impl ToValue for Never {
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        Err(ConvertError::Kind)
    }
}

#[test]
fn what_cannot_be_sent_leaves_nothing() {
    for traced in [false, true] {
        let mut session = session(MODERN);
        let mut tx = BytesMut::from(&b"before"[..]);
        let params = |error| matches!(error, Err(ExecuteError::Params(_)));
        let none = Execute::new(7, Placeholders::positional(1), &());
        let count = with_cx!(&mut tx, traced, cx => session.stmt_execute_with(&none, cx));
        let wanted = ParamError::count(1, 0);
        assert_eq!(count, Err(ExecuteError::Params(wanted)));
        let args = (Never,);
        let never = Execute::new(7, Placeholders::positional(1), &args);
        assert!(params(with_cx!(&mut tx, traced, cx => session.stmt_execute_with(&never, cx))));
        let ok = Execute::new(7, Placeholders::positional(0), &()).attributes(&[("k", Never)]);
        assert!(params(with_cx!(&mut tx, traced, cx => session.stmt_execute_with(&ok, cx))));
        assert!(params(with_cx!(&mut tx, traced, cx => session.query_with("x", &[("k", Never)], cx))));
        assert_eq!((&tx[..], session.is_idle(), session.replies_owed()), (&b"before"[..], true, 0));
        // In the middle of a pipeline, too: the replies that are owed are still found.
        session.set_pipelining(true);
        let (mut rx, mut tx) = (BytesMut::from(Reply::new().ok(2).bytes()), BytesMut::new());
        let mut none = NoTrace;
        session.ping(&mut Cx::new(&mut rx, &mut tx, &mut none)).unwrap();
        assert!(params(with_cx!(&mut tx, traced, cx => session.stmt_execute_with(&never, cx))));
        assert_eq!((tx.len(), session.replies_owed()), (5, 1));
        let mut none = NoTrace;
        let mut cx = Cx::new(&mut rx, &mut tx, &mut none);
        assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::Ok(_)))));
        session.set_pipelining(false);
        session.ping(&mut cx).unwrap();
        let busy = session.stmt_execute_with(&never, &mut cx).unwrap_err();
        assert_eq!(busy, ExecuteError::Misuse(Misuse::Busy));
        assert_eq!(session.query_with("x", &[("k", "v")], &mut cx), Err(busy));
    }
}

/// Definitions as they come when a statement is prepared.
fn prepared(types: &[u8]) -> Columns {
    let mut session = session(MODERN);
    let count = u8::try_from(types.len()).unwrap();
    let reply = Reply::new().packet([0x00, 7, 0, 0, 0, count, 0, 0, 0, 0, 0, 0]);
    let reply = types.iter().fold(reply, |reply, kind| reply.packet(column("odb", "t1", "a", *kind)));
    let (mut rx, mut tx) = (BytesMut::from(reply.bytes()), BytesMut::new());
    let mut none = NoTrace;
    let mut cx = Cx::new(&mut rx, &mut tx, &mut none);
    session.stmt_prepare("x", &mut cx).unwrap();
    let Ok(Step::Event(Event::Prepared(prepared))) = session.advance(&mut cx) else { panic!() };
    prepared.columns
}

/// What a statement with kept columns leads to.
fn run(kept: &Columns, reply: &Reply) -> Vec<Event> {
    let mut session = session(OPTIONAL);
    let (mut rx, mut tx) = (BytesMut::from(reply.bytes()), BytesMut::new());
    let mut none = NoTrace;
    let mut cx = Cx::new(&mut rx, &mut tx, &mut none);
    let execute = Execute::new(7, Placeholders::positional(0), &()).columns(kept);
    session.stmt_execute_with(&execute, &mut cx).unwrap();
    let mut events = Vec::new();
    loop {
        match session.advance(&mut cx).unwrap() {
            Step::Event(event) => events.push(event),
            Step::Idle => return events,
            step => panic!("{step:?}"),
        }
    }
}

/// 00 | bitmap | int<4> 7 | "x"
const ROW: [u8; 8] = [0x00, 0x00, 7, 0, 0, 0, 1, b'x'];

#[test]
fn rows_are_read_by_the_columns_that_were_kept() {
    let kept = prepared(&[LONG, VAR_STRING]);
    let events = run(&kept, &Reply::new().packet([2, 0]).packet(ROW).end(2));
    let [Event::Columns(columns), Event::Rows(batch), Event::End(_)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*columns, kept);
    let row = batch.iter().next().unwrap();
    assert_eq!((row.get(0), row.get(1)), (Ok(Some(&[7, 0, 0, 0][..])), Ok(Some(&b"x"[..]))));
    // They are those of the first result alone.
    let more = Reply::new().packet([2, 0]).packet(ROW).end(10).packet([2, 0]).packet(ROW).end(2);
    let events = run(&kept, &more);
    let [_, _, _, Event::Columns(columns), Event::Rows(batch), Event::End(_)] = &events[..] else {
        panic!("{events:?}")
    };
    assert!(!columns.is_defined());
    assert_eq!(batch.iter().next().unwrap().get(0), Err(RowError::NoDefinitions));
    // Definitions that come are believed.
    let [a, b] = [column("", "", "n", VAR_STRING), column("", "", "m", LONG)];
    let full = Reply::new().packet([2, 1]).packet(a).packet(b).end(2);
    let Event::Columns(columns) = &run(&kept, &full)[0] else { panic!() };
    assert_eq!(columns.get(0).unwrap().name(), b"n");
}

#[test]
fn a_schema_that_has_changed_is_noticed() {
    let kept = prepared(&[LONG, VAR_STRING]);
    // Three columns now; the rows are skipped, and so is an error no further than itself.
    let events = run(&kept, &Reply::new().packet([3, 0]).packet(ROW).packet(ROW).end(2));
    let [Event::ColumnsChanged(changed), Event::End(_)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((changed.kept, changed.sent), (2, 3));
    let text = "the result has 3 columns, but 2 definitions were kept: the schema has changed";
    assert_eq!(changed.to_string(), text);
    let events = run(&kept, &Reply::new().packet([1, 0]).packet(ROW).err(1317, "70100", "no"));
    assert!(matches!(events[..], [Event::ColumnsChanged(_), Event::Err(_)]), "{events:?}");
    // As many as before, but an INT is a BIGINT now: the row does not end where it should.
    let wider = [0x00, 0x00, 7, 0, 0, 0, 0, 0, 0, 0, 1, b'x'];
    let events = run(&kept, &Reply::new().packet([2, 0]).packet(wider).end(2));
    let Event::Rows(batch) = &events[1] else { panic!("{events:?}") };
    let row = batch.iter().next().unwrap();
    assert!(row.iter().any(|cell| cell.is_err()));
    // Nothing was kept: nothing is compared.
    let events = run(&Columns::default(), &Reply::new().packet([3, 0]).packet(ROW).end(2));
    assert!(matches!(events[..], [Event::Columns(_), Event::Rows(_), Event::End(_)]), "{events:?}");
}

#[test]
fn kept_columns_are_of_their_own_command() {
    // In a pipeline each execution has its own, and what follows has none.
    let (one, two) = (prepared(&[LONG]), prepared(&[LONG, VAR_STRING]));
    let mut session = session(OPTIONAL);
    session.set_pipelining(true);
    let (mut rx, mut tx) = (BytesMut::new(), BytesMut::new());
    let mut none = NoTrace;
    let mut cx = Cx::new(&mut rx, &mut tx, &mut none);
    for kept in [&one, &two, &one] {
        let execute = Execute::new(7, Placeholders::positional(0), &()).columns(kept);
        session.stmt_execute_with(&execute, &mut cx).unwrap();
    }
    session.stmt_execute(7, 0, &[0], &mut cx).unwrap();
    for reply in [
        Reply::new().packet([1, 0]).end(2),
        Reply::new().packet([2, 0]).end(2),
        Reply::new().err(1317, "70100", "no"),
        Reply::new().packet([1, 0]).end(2),
    ] {
        cx.rx.extend_from_slice(reply.bytes());
    }
    let mut columns = Vec::new();
    while let Step::Event(event) = session.advance(&mut cx).unwrap() {
        if let Event::Columns(told) = event {
            columns.push(told);
        }
    }
    assert_eq!(columns, [one, two, Columns::undefined(1)]);
}
