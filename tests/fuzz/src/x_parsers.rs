//! X Protocol: frames, messages that are read without prost, expressions.

use bytes::{Bytes, BytesMut};
use porpoise_wire::{Frame, WireError, XFramer};
use porpoise_xproto::expr::{self, Model};
use porpoise_xproto::messages::expr::Expr;
use porpoise_xproto::messages::{notice, resultset};
use porpoise_xproto::{ColumnMetaData, Columns, FieldType, Notice, NoticeBody, RowRef};
use prost::Message;

use crate::paths::Path;
use crate::script::Script;

/// The frame reader: the same frames, however the bytes are cut, and whether they are taken one by one or as a run.
pub fn x_frames(input: &[u8]) -> Vec<u64> {
    let mut script = Script(input);
    let (limit, step) = (usize::from(script.byte()), usize::from(script.byte()) + 1);
    let bytes = script.0;
    let whole = read(bytes, limit, usize::MAX, false);
    for (step, runs) in [(step, false), (step, true), (usize::MAX, true), (1, false)] {
        assert_eq!(whole, read(bytes, limit, step, runs));
    }
    let mut path = Path::default();
    path.counts(whole.0.len());
    path.tells(&whole.1);
    path.steps()
}

type Frames = (Vec<(u8, Vec<u8>)>, Option<WireError>);

fn read(mut bytes: &[u8], limit: usize, step: usize, runs: bool) -> Frames {
    let framer = XFramer::new(limit);
    let (mut rx, mut frames) = (BytesMut::new(), Vec::new());
    loop {
        match framer.poll(&rx) {
            Ok(Frame::Ready) if runs => {
                let before = frames.len();
                let run = framer.take_run(&mut rx, |kind, payload| {
                    frames.push((kind, payload.to_vec()));
                    true
                });
                assert!(run.is_some() && frames.len() > before, "it was ready");
            }
            Ok(Frame::Ready) => {
                let (kind, payload) = framer.take(&mut rx).expect("it was ready");
                assert!(payload.len() < limit);
                frames.push((kind, payload.to_vec()));
            }
            Ok(Frame::Need(needed)) => {
                assert!(needed > rx.len());
                if bytes.is_empty() {
                    return (frames, None);
                }
                let (now, later) = bytes.split_at(step.min(bytes.len()));
                rx.extend_from_slice(now);
                bytes = later;
            }
            Ok(frame) => panic!("{frame:?}"),
            Err(error) => return (frames, Some(error)),
        }
    }
}

pub(crate) fn frame_seeds() -> Vec<Vec<u8>> {
    let three = b"\x05\0\0\0\x0b\x08\x05\x1a\0\x01\0\0\0\x0e\x03\0\0\0\x0dab";
    vec![[&[200, 2], &three[..]].concat(), [&[4, 0], &three[..]].concat(), b"\xff\x01\0\0\0\0\x0b".to_vec()]
}

/// Messages that are read on borrowed bytes, held against prost: what both read is the same, and what prost reads, of which
/// groups are the exception, is read.
pub fn x_messages(input: &[u8]) -> Vec<u64> {
    let mut script = Script(input);
    let kind = script.byte() % 3;
    let payload = Bytes::copy_from_slice(script.0);
    let mut path = Path::default();
    path.passes(&kind);
    match kind {
        0 => column(&payload, &mut path),
        1 => row(&payload, &mut path),
        _ => notice(&payload, &mut path),
    }
    path.steps()
}

/// prost knows groups, which are in no message of this protocol, and what is wrong inside a field that it skips.
fn only_prost(payload: &[u8], error: &WireError) {
    let group = payload.iter().any(|byte| matches!(byte & 7, 3 | 4));
    assert!(group, "prost reads it, here it is {error}: {payload:x?}");
}

fn column(payload: &Bytes, path: &mut Path) {
    let (ours, theirs) = (ColumnMetaData::parse(payload), resultset::ColumnMetaData::decode(&payload[..]));
    match (ours, theirs) {
        (Ok(column), Ok(message)) => {
            let texts = [
                (column.name, &message.name),
                (column.original_name, &message.original_name),
                (column.table, &message.table),
                (column.original_table, &message.original_table),
                (column.schema, &message.schema),
                (column.catalog, &message.catalog),
            ];
            assert!(texts.iter().all(|(ours, theirs)| *ours == theirs.as_deref().unwrap_or_default()));
            let numbers = [
                (column.format.fractional_digits, message.fractional_digits),
                (column.length, message.length),
                (column.format.flags, message.flags),
                (column.format.content_type, message.content_type),
            ];
            assert!(numbers.iter().all(|(ours, theirs)| *ours == theirs.unwrap_or_default()), "{message:?}");
            assert_eq!(column.format.collation, message.collation.unwrap_or_default());
            if let FieldType::Unknown(number) = column.format.field_type {
                assert_eq!(number, message.r#type.cast_unsigned());
            }
            path.tells(&column.format.field_type);
        }
        // prost does not look for what is required.
        (Err(WireError::Truncated { field: "type", .. }), Ok(_)) => path.passes(&"no type"),
        (Err(error), Ok(_)) => only_prost(payload, &error),
        (ours, theirs) => path.passes(&(ours.is_ok(), theirs.is_ok())),
    }
}

fn row(payload: &Bytes, path: &mut Path) {
    let columns = Columns::default();
    let ours: Result<Vec<_>, _> = RowRef::new(payload, &columns).iter().collect();
    match (ours, resultset::Row::decode(&payload[..])) {
        (Ok(cells), Ok(message)) => {
            let cells: Vec<_> = cells.into_iter().map(Option::unwrap_or_default).collect();
            assert_eq!(cells, message.field);
            path.counts(cells.len());
        }
        (Err(error), Ok(_)) => only_prost(payload, &error),
        (ours, theirs) => path.passes(&(ours.is_ok(), theirs.is_ok())),
    }
}

fn notice(payload: &Bytes, path: &mut Path) {
    let (ours, theirs) = (Notice::parse(payload), notice::Frame::decode(&payload[..]));
    match (ours, theirs) {
        (Ok(ours), Ok(message)) => {
            assert_eq!(ours.local, message.scope == Some(notice::frame::Scope::Local as i32));
            path.passes(&std::mem::discriminant(&ours.body));
            body(&ours.body, &message);
        }
        (Err(WireError::Truncated { field: "type", .. }), Ok(_)) => path.passes(&"no type"),
        (Err(error), Ok(_)) => only_prost(payload, &error),
        (ours, theirs) => path.passes(&(ours.is_ok(), theirs.is_ok())),
    }
}

/// The short ways of frequent notices read what prost reads.
fn body(ours: &NoticeBody, message: &notice::Frame) {
    use notice::session_state_changed::Parameter;
    let payload = message.payload.clone().unwrap_or_default();
    let Ok(theirs) = notice::SessionStateChanged::decode(payload.clone()) else {
        if let NoticeBody::Unknown { payload: kept, .. } = ours {
            assert_eq!(*kept, payload);
        }
        return;
    };
    let scalar = theirs.value.last();
    let number = scalar.and_then(|scalar| {
        let signed = scalar.v_signed_int.and_then(|value| u64::try_from(value).ok());
        scalar.v_unsigned_int.or(signed)
    });
    match ours {
        NoticeBody::RowsAffected(n) | NoticeBody::GeneratedInsertId(n) | NoticeBody::ClientIdAssigned(n) => {
            let both = scalar.is_some_and(|s| s.v_signed_int.is_some() && s.v_unsigned_int.is_some());
            assert!(both || Some(*n) == number, "{n} {theirs:?}");
        }
        NoticeBody::GeneratedDocumentIds(ids) => {
            assert_eq!(theirs.param(), Parameter::GeneratedDocumentIds);
            assert_eq!(ids.len(), theirs.value.len());
        }
        NoticeBody::SessionStateChanged(ours) => assert_eq!(*ours, theirs),
        _ => {}
    }
}

pub(crate) fn message_seeds() -> Vec<Vec<u8>> {
    let seed = |kind: u8, message: Vec<u8>| [vec![kind], message].concat();
    let text = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let column = resultset::ColumnMetaData {
        r#type: 7,
        name: text("name"),
        original_name: text("n"),
        table: text("t"),
        original_table: text("t"),
        schema: text("s"),
        catalog: text("def"),
        collation: Some(255),
        fractional_digits: Some(31),
        length: Some(80),
        flags: Some(0x110),
        content_type: Some(2),
    };
    let row = resultset::Row { field: ["\x02", "", "x\0"].map(Bytes::from).into() };
    let notice = |kind, payload: Vec<u8>| {
        let frame = notice::Frame { r#type: kind, scope: Some(2), payload: Some(payload.into()) };
        seed(2, frame.encode_to_vec())
    };
    let changed = |param, value| notice(3, notice::SessionStateChanged { param, value }.encode_to_vec());
    let warning = notice::Warning { level: Some(3), code: 3169, msg: "killed".into() };
    vec![
        seed(0, column.encode_to_vec()),
        seed(1, row.encode_to_vec()),
        notice(5, Vec::new()),
        notice(1, warning.encode_to_vec()),
        changed(2, vec![]),
        changed(4, vec![7_u64.into()]),
        changed(3, vec![7_i64.into()]),
        changed(10, vec!["Rows matched: 2".into()]),
        changed(12, vec![porpoise_xproto::messages::datatypes::Scalar::octets("id", None); 2]),
    ]
}

/// Any text as an expression of both models: what is read is what prost reads again, and servers take its depth.
pub fn x_expression(input: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(input);
    let mut path = Path::default();
    for model in [Model::Document, Model::Table] {
        match expr::parse(&text, model) {
            Ok(parsed) => {
                again(&parsed.expr, &mut path);
                let highest = positions(&parsed.expr);
                assert!(highest.is_none_or(|highest| (highest as usize) < parsed.placeholders.len()));
                path.counts(parsed.placeholders.len());
            }
            Err(error) => {
                assert!(error.at() <= text.len() && text.is_char_boundary(error.at()), "{error}");
                path.tells(error.fault());
            }
        }
        clauses(&text, model, &mut path);
    }
    path.passes(&(expr::parse_path(&text).is_ok(), expr::parse_column(&text).is_ok()));
    path.steps()
}

/// Clauses of one statement: their placeholders are counted together.
fn clauses(text: &str, model: Model, path: &mut Path) {
    let mut known = expr::Placeholders::default();
    let mut trees = Vec::new();
    if let Ok(tree) = expr::parse_with(text, model, &mut known) {
        trees.push(tree);
    }
    let orders = expr::parse_orders(text, model, &mut known).unwrap_or_default();
    let projections = expr::parse_projections(text, model, &mut known).unwrap_or_default();
    let list = expr::parse_list(text, model, &mut known).unwrap_or_default();
    path.passes(&(orders.len(), projections.len(), list.len()));
    trees.extend(orders.into_iter().map(|order| order.expr));
    trees.extend(projections.into_iter().map(|projection| projection.source));
    trees.extend(list);
    for tree in &trees {
        again(tree, path);
        assert!(positions(tree).is_none_or(|highest| (highest as usize) < known.names().len()));
    }
}

fn again(tree: &Expr, path: &mut Path) {
    // prost has the same limit for messages within each other as servers.
    let read = Expr::decode(&tree.encode_to_vec()[..]).expect("no deeper than a hundred messages");
    assert_eq!(read, *tree);
    shape(tree, path);
}

fn shape(tree: &Expr, path: &mut Path) {
    path.passes(&(tree.r#type, tree.operator.as_ref().map(|operator| &operator.name)));
    for operand in children(tree) {
        shape(operand, path);
    }
}

fn children(tree: &Expr) -> impl Iterator<Item = &Expr> {
    let operands = tree.operator.iter().flat_map(|operator| &operator.param);
    let arguments = tree.function_call.iter().flat_map(|call| &call.param);
    let elements = tree.array.iter().flat_map(|array| &array.value);
    let fields = tree.object.iter().flat_map(|object| &object.fld).map(|field| &field.value);
    operands.chain(arguments).chain(elements).chain(fields)
}

/// The highest position of a placeholder.
fn positions(tree: &Expr) -> Option<u32> {
    tree.position.into_iter().chain(children(tree).filter_map(positions)).max()
}

pub(crate) fn expression_seeds() -> Vec<Vec<u8>> {
    [
        "age > :a AND name LIKE 'x%' escape '!'",
        "a = 1 or b = 2 and c not in (1, 2.5e3, -3, 'x', null, true)",
        "$.a[0].* between ? and ? xor $**.b is not null",
        "{\"a\": [1, {b: null}]} overlaps tags or 'x' in tags",
        "cast(a as decimal(10, 2)) + interval 1 day - binary 'x'",
        "s.t.c -> '$.a[*]' regexp `x y` and t.c = default",
        "count(*) as n, a.b desc, c asc, s.f(1, ?) x",
        "((((1 + 2) * 3) div 4) << 5) & ~6 | !7",
    ]
    .map(|seed| seed.as_bytes().to_vec())
    .into()
}
