//! Values that clients of the X Protocol are known to have got wrong, and bytes that are no value.

use bytes::Bytes;
use libtest_mimic::Trial;
use porpoise_hostile_tests::x::{done, executed, message, row, session_then, statement};
use porpoise_hostile_tests::{Act, watch};
use porpoise_xproto::Event;
use porpoise_xproto::messages::resultset::{ColumnMetaData, column_meta_data::FieldType};

use crate::trial;

const BINARY: u64 = 63;
const TEXT: u64 = 255;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("trap 6: integers of all kinds at their ends", integers),
        trial("trap 7: NULL, nothing, and values with parts left out", short),
        trial("traps 8, 9: years and days of zero, and a year in two bytes", zeros),
        trial("trap 10: a sign is of the whole time", signs),
        trial("trap 11: what is text and what is bytes", text_or_bytes),
        trial("trap 12: nothing is padded", padding),
        trial("values: what is none of its type is an error", none),
    ]
}

fn column(kind: FieldType, change: impl FnOnce(&mut ColumnMetaData)) -> ColumnMetaData {
    let name = Some(Bytes::from_static(b"c"));
    let mut column = ColumnMetaData { r#type: kind.into(), name, ..Default::default() };
    change(&mut column);
    column
}

fn plain(kind: FieldType) -> ColumnMetaData {
    column(kind, |_| {})
}

/// What a cell of such a column is read as, as text.
fn read(column: &ColumnMetaData, cell: &[u8]) -> String {
    let messages = [message(12, column), row(&[cell]), done(), executed()];
    let (mut session, _peer) = session_then(&[&[Act::Hear][..], &messages.map(Act::Say)].concat());
    session.message_now(|connection, cx| connection.send(&statement("x"), cx)).expect("it may be sent");
    let mut found = Vec::new();
    while let Some(event) = watch::run(session.next_event()).expect("a reply") {
        if let Event::Rows(batch) = event {
            found.extend(batch.iter().map(|row| match row.value(0) {
                Ok(value) => format!("{value:?}"),
                Err(_) => "error".to_owned(),
            }));
        }
    }
    assert!(session.is_usable(), "a value is no reason to lose the session");
    found.pop().expect("a row")
}

fn check(column: &ColumnMetaData, cells: &[(&[u8], &str)]) {
    for (cell, value) in cells {
        assert_eq!(read(column, cell), *value, "{cell:x?} as {column:?}");
    }
}

fn integers() {
    const MAX: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    const TWO_53: &[u8] = &[0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
    // Of these only SINT is zigzag.
    check(
        &plain(FieldType::Sint),
        &[
            (&[9], "Int(-5)"),
            (&[2], "Int(1)"),
            (MAX, "Int(-9223372036854775808)"),
            (&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], "Int(9223372036854775807)"),
        ],
    );
    let unsigned =
        [(&[9][..], "UInt(9)"), (MAX, "UInt(18446744073709551615)"), (TWO_53, "UInt(9007199254740993)")];
    check(&plain(FieldType::Uint), &unsigned);
    let bits = [(&[0x81, 4][..], "Bit(513)"), (MAX, "Bit(18446744073709551615)")];
    check(&plain(FieldType::Bit), &bits);
    // An over-long varint is still one.
    check(&plain(FieldType::Uint), &[(&[0x80, 0x80, 0], "UInt(0)")]);
}

fn short() {
    let text = column(FieldType::Bytes, |column| column.collation = Some(TEXT));
    let bytes = column(FieldType::Bytes, |column| column.collation = Some(BINARY));
    check(&text, &[(b"", "Null"), (b"\0", "Text([])")]);
    check(&bytes, &[(b"", "Null"), (b"\0", "Bytes([])")]);
    for kind in [
        FieldType::Sint,
        FieldType::Double,
        FieldType::Time,
        FieldType::Datetime,
        FieldType::Set,
        FieldType::Decimal,
    ] {
        check(&plain(kind), &[(b"", "Null")]);
    }
    let time = |cell: &[u8]| read(&plain(FieldType::Time), cell);
    assert_eq!(time(&[0]), time(&[0, 0, 0, 0, 0]));
    assert_eq!(time(&[0, 100]), time(&[0, 100, 0, 0]));
    let datetime = |cell: &[u8]| read(&of_datetime(2), cell);
    // 2024-02-03, and its midnight
    assert_eq!(datetime(&[0xe8, 0x0f, 2, 3]), datetime(&[0xe8, 0x0f, 2, 3, 0, 0, 0, 0]));
    let set = |cell: &[u8]| read(&plain(FieldType::Set), cell);
    assert_ne!(set(&[1]), set(&[0]), "no member is not a member without a name");
    assert_eq!(set(&[1]), set(&[1]));
}

fn of_datetime(content_type: u32) -> ColumnMetaData {
    column(FieldType::Datetime, |column| column.content_type = Some(content_type))
}

fn zeros() {
    let (date, datetime) = (of_datetime(1), of_datetime(2));
    let shown = |column: &ColumnMetaData, cell: &[u8]| {
        let shown = read(column, cell);
        assert_ne!(shown, "error", "{cell:x?}");
        shown
    };
    assert!(shown(&date, &[0, 0, 0]).starts_with("Date("));
    // The year takes two bytes whatever it is.
    assert_eq!(shown(&datetime, &[0x80, 0, 0, 0]), shown(&datetime, &[0, 0, 0, 0]));
    assert!(shown(&datetime, &[0x80, 0, 0, 0]).starts_with("DateTime("));
    // A month without a day, a day without a month
    assert_ne!(shown(&date, &[0xe8, 0x0f, 2, 0]), shown(&date, &[0xe8, 0x0f, 0, 2]));
    // Where the content type is missing, as in old servers, ten characters are a date.
    let old = column(FieldType::Datetime, |column| column.length = Some(10));
    assert!(shown(&old, &[0xe8, 0x0f, 2, 3]).starts_with("Date"));
}

fn signs() {
    let time = plain(FieldType::Time);
    // -838:59:58.000001 | -00:00:01 | 838:59:58.000001
    let negative = read(&time, &[1, 0xc6, 6, 0x3b, 0x3a, 1]);
    let positive = read(&time, &[0, 0xc6, 6, 0x3b, 0x3a, 1]);
    assert_eq!(negative.replace('-', ""), positive);
    assert!(negative.contains('-') && !positive.contains('-'), "{negative} {positive}");
    assert!(read(&time, &[1, 0, 0, 1]).contains('-'), "the hour is 0, the time is not");
}

fn text_or_bytes() {
    let of = |collation: Option<u64>, content_type: Option<u32>| {
        column(FieldType::Bytes, |column| (column.collation, column.content_type) = (collation, content_type))
    };
    for (column, kind) in [
        (of(Some(TEXT), None), "Text"),
        (of(Some(BINARY), None), "Bytes"),
        // The content type is looked at first.
        (of(Some(BINARY), Some(2)), "Json"),
        (of(Some(46), Some(2)), "Json"),
        (of(None, Some(1)), "Geometry"),
        (of(Some(TEXT), Some(3)), "Text"),
    ] {
        // A point's SRID and WKB, which as a text would do for all of them.
        let cell = [&[0; 4][..], &[1, 1, 0, 0, 0], &[0; 16], &[0]].concat();
        let is = read(&column, &cell);
        assert!(is.starts_with(kind), "{is}, not {kind}: {column:?}");
    }
    // One byte is cut off at the end, and zeros before it are the text's own.
    check(&of(Some(BINARY), None), &[(b"x\0y\0\0", "Bytes([120, 0, 121, 0])")]);
}

fn padding() {
    let char = column(FieldType::Bytes, |column| {
        (column.collation, column.length, column.flags) = (Some(TEXT), Some(20), Some(1));
    });
    check(&char, &[(b"ab\0", "Text([97, 98])")]);
    let binary = column(FieldType::Bytes, |column| {
        (column.collation, column.length, column.flags) = (Some(BINARY), Some(4), Some(1));
    });
    check(&binary, &[(b"ab\0\0\0", "Bytes([97, 98, 0, 0])")]);
}

/// Too short, too long, beyond the range: an error of this value, and of nothing else.
fn none() {
    let cases: [(ColumnMetaData, &[&[u8]]); 9] = [
        (plain(FieldType::Sint), &[&[0x80], &[0x80; 11]]),
        (plain(FieldType::Uint), &[&[0xff], &[0x80; 20]]),
        (plain(FieldType::Bit), &[&[0x80]]),
        (plain(FieldType::Double), &[&[1], &[1; 7], &[1; 9]]),
        (plain(FieldType::Float), &[&[1; 3], &[1; 5]]),
        (plain(FieldType::Time), &[&[2], &[0, 0x80], &[0, 0, 60], &[0, 0xff, 0xff, 0xff, 0xff, 0xff, 1]]),
        (
            of_datetime(2),
            &[&[0x80], &[0xe8, 0x0f, 13, 1], &[0xe8, 0x0f, 1, 1, 24], &[0xff, 0xff, 0xff, 0xff, 0x7f, 1, 1]],
        ),
        (plain(FieldType::Decimal), &[&[2], &[2, 0x12], &[0, 0xa1, 0xc0], &[200, 0x1c]]),
        (plain(FieldType::Set), &[&[5, b'a'], &[0x80], &[1, b'a', 9]]),
    ];
    for (column, cells) in cases {
        for cell in cells {
            assert_eq!(read(&column, cell), "error", "{cell:x?} as {column:?}");
        }
    }
}
