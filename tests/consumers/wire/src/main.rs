//! Reads MySQL packets that arrive in pieces, as a sniffer or a proxy would, with `porpoise-wire` alone.

use bytes::BytesMut;
use porpoise_wire::{Frame, Framer, Limits, Reader, WireError};

/// What a column definition of the text protocol tells first.
#[derive(Debug, PartialEq)]
struct Column<'a> {
    schema: &'a [u8],
    table: &'a [u8],
    name: &'a [u8],
}

impl<'a> Column<'a> {
    fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(payload);
        assert_eq!(reader.lenenc_bytes("catalog")?, b"def");
        let (schema, table) = (reader.lenenc_bytes("schema")?, reader.lenenc_bytes("table")?);
        let _org_table = reader.lenenc_bytes("org_table")?;
        Ok(Self { schema, table, name: reader.lenenc_bytes("name")? })
    }
}

/// Header (length 0x1f, sequence id 2), then the payload: def, odb, t1, t1, a, a, and the fixed part.
const PACKET: &[u8] =
    b"\x1f\0\0\x02\x03def\x03odb\x02t1\x02t1\x01a\x01a\x0c\x3f\0\x0b\0\0\0\x03\x03\x50\0\0\0";

fn main() -> Result<(), WireError> {
    let mut framer = Framer::new(Limits::default());
    framer.begin_command();
    let mut rx = BytesMut::new();
    let mut packets = 0;

    // The packets before it, so that its sequence id is the one that is due; then it, a byte at a time.
    let stream = [b"\x01\0\0\0\x03", b"\x01\0\0\x01\x01", PACKET].concat();
    for byte in stream {
        rx.extend_from_slice(&[byte]);
        if framer.poll(&mut rx)? != Frame::Ready {
            continue;
        }
        packets += 1;
        if packets == 3 {
            let column = Column::parse(framer.payload(&rx))?;
            assert_eq!(column, Column { schema: b"odb", table: b"t1", name: b"a" });
            println!(
                "{}.{}.{}",
                column.schema.escape_ascii(),
                column.table.escape_ascii(),
                column.name.escape_ascii()
            );
        }
        framer.consume(&mut rx);
    }
    assert_eq!((packets, rx.len()), (3, 0));

    // A length that promises more than there is is an error, not a panic.
    let error = Column::parse(b"\x03def\xfd\xff\xff\xffodb").unwrap_err();
    println!("{error}");
    Ok(())
}
