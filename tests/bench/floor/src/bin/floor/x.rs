//! X Protocol, over a Unix socket; connects over TCP, too.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, Result, bail, ensure};
use bench_floor::mask;
use bench_harness::{Args, Meter, Workload, work};

use crate::{PEER, ROOM, tcp};

// Mysqlx.ServerMessages.Type and Mysqlx.ClientMessages.Type
const OK: u8 = 0;
const ERROR: u8 = 1;
const AUTHENTICATE_CONTINUE: u8 = 3;
const AUTHENTICATE_OK: u8 = 4;
const NOTICE: u8 = 11;
const ROW: u8 = 13;
const STMT_EXECUTE_OK: u8 = 17;
const AUTHENTICATE_START: u8 = 4;
const CONTINUE: u8 = 5;
const STMT_EXECUTE: u8 = 12;
const INSERT: u8 = 18;
/// `Mysqlx.Connection.Close`
const CLOSE: &[u8] = &[1, 0, 0, 0, 3];

/// How many inserts are in flight.
const WINDOW: u64 = 200;

/// Received frames.
struct Frames {
    buf: Vec<u8>,
    start: usize,
    end: usize,
}

impl Frames {
    fn new() -> Self {
        Self { buf: vec![0; ROOM], start: 0, end: 0 }
    }

    fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// The next message that is no notice: its type and payload.
    #[inline]
    fn next(&mut self, stream: &mut impl Read) -> Result<(u8, &[u8])> {
        loop {
            let received = &self.buf[self.start..self.end];
            let len = received.first_chunk().map(|len| 4 + u32::from_le_bytes(*len) as usize);
            let Some(len) = len.filter(|len| *len <= received.len()) else {
                self.buf.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
                let n = stream.read(&mut self.buf[self.end..])?;
                ensure!(n > 0, "the server closed the connection");
                self.end += n;
                continue;
            };
            let at = self.start;
            self.start += len;
            match self.buf[at + 4] {
                NOTICE => {}
                ERROR => bail!("{}", String::from_utf8_lossy(&self.buf[at + 5..at + len])),
                kind => return Ok((kind, &self.buf[at + 5..at + len])),
            }
        }
    }

    fn expect(&mut self, stream: &mut impl Read, kind: u8) -> Result<()> {
        let (found, _) = self.next(stream)?;
        ensure!(found == kind, "message {found} in place of {kind}");
        Ok(())
    }

    /// One result; `row` sees each row.
    fn result(&mut self, stream: &mut impl Read, mut row: impl FnMut(&[u8])) -> Result<()> {
        loop {
            match self.next(stream)? {
                (ROW, payload) => row(payload),
                (STMT_EXECUTE_OK, _) => return Ok(()),
                _ => {}
            }
        }
    }
}

fn varint(out: &mut Vec<u8>, mut value: usize) {
    while value > 127 {
        out.push(value.to_le_bytes()[0] | 128);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn frame(out: &mut Vec<u8>, kind: u8, body: &[u8]) -> Result<()> {
    out.extend_from_slice(&u32::try_from(body.len() + 1)?.to_le_bytes());
    out.push(kind);
    out.extend_from_slice(body);
    Ok(())
}

fn statement(out: &mut Vec<u8>, sql: &str) -> Result<()> {
    let mut body = Vec::with_capacity(sql.len() + 8);
    field(&mut body, 1, sql.as_bytes());
    // compact_metadata
    body.extend_from_slice(&[4 << 3, 1]);
    frame(out, STMT_EXECUTE, &body)
}

fn plain(out: &mut Vec<u8>, args: &Args) -> Result<()> {
    let mut body = Vec::with_capacity(64);
    field(&mut body, 1, b"PLAIN");
    field(&mut body, 2, format!("{}\0{}\0{}", args.db, args.user, args.pass).as_bytes());
    frame(out, AUTHENTICATE_START, &body)
}

/// SHA256_MEMORY: the server must have the account in its cache.
fn memory(stream: &mut (impl Read + Write), frames: &mut Frames, args: &Args) -> Result<()> {
    let (mut out, mut body) = (Vec::with_capacity(128), Vec::with_capacity(128));
    field(&mut body, 1, b"SHA256_MEMORY");
    frame(&mut out, AUTHENTICATE_START, &body)?;
    stream.write_all(&out)?;
    let (kind, payload) = frames.next(stream)?;
    ensure!(kind == AUTHENTICATE_CONTINUE, "message {kind}");
    let nonce = payload.get(2..).and_then(|nonce| nonce.first_chunk()).context("no nonce")?;
    let proof: String = mask(&args.pass, nonce).iter().map(|byte| format!("{byte:02X}")).collect();
    out.clear();
    body.clear();
    field(&mut body, 1, format!("{}\0{}\0{proof}", args.db, args.user).as_bytes());
    frame(&mut out, CONTINUE, &body)?;
    stream.write_all(&out)?;
    frames.expect(stream, AUTHENTICATE_OK)
}

fn unix(frames: &mut Frames, args: &Args) -> Result<UnixStream> {
    frames.clear();
    Ok(UnixStream::connect(args.socket()?)?)
}

fn close(stream: &mut (impl Read + Write), frames: &mut Frames) -> Result<()> {
    stream.write_all(CLOSE)?;
    frames.expect(stream, OK)
}

/// One X workload.
pub(crate) fn run(args: &Args) -> Result<()> {
    let (frames, mut login) = (&mut Frames::new(), Vec::new());
    plain(&mut login, args)?;
    // Fills the server's cache, too.
    let mut stream = unix(frames, args)?;
    stream.write_all(&login)?;
    frames.expect(&mut stream, AUTHENTICATE_OK)?;
    if args.workload == Workload::XInsertDocs {
        for sql in work::DOCS {
            execute(&mut stream, frames, sql)?;
        }
    }
    let meter = Meter::start()?;
    let (mut ops, mut sum) = (args.n, 0_u64);
    match args.workload {
        Workload::XConnect => {
            for _ in 0..ops {
                let mut stream = tcp(args)?;
                frames.clear();
                memory(&mut stream, frames, args)?;
                close(&mut stream, frames)?;
            }
        }
        Workload::XConnectUnix => {
            for _ in 0..ops {
                let mut stream = unix(frames, args)?;
                stream.write_all(&login)?;
                frames.expect(&mut stream, AUTHENTICATE_OK)?;
                close(&mut stream, frames)?;
            }
        }
        Workload::XConnectPipelined => {
            statement(&mut login, "SELECT 1")?;
            for _ in 0..ops {
                let mut stream = unix(frames, args)?;
                stream.write_all(&login)?;
                frames.expect(&mut stream, AUTHENTICATE_OK)?;
                frames.result(&mut stream, |_| {})?;
                close(&mut stream, frames)?;
            }
        }
        Workload::XSelect1 => {
            let mut out = Vec::new();
            statement(&mut out, "SELECT 1")?;
            for _ in 0..ops {
                stream.write_all(&out)?;
                // field 1, length 1, zigzag
                frames.result(&mut stream, |row| sum += u64::from(row[2] / 2))?;
            }
        }
        Workload::XRowsNarrow => {
            let mut out = Vec::new();
            statement(&mut out, &work::narrow(args.n))?;
            stream.write_all(&out)?;
            ops = 0;
            frames.result(&mut stream, |row| {
                sum = sum.wrapping_add(narrow(row));
                ops += 1;
            })?;
        }
        Workload::XInsertDocs => inserts(&mut stream, frames, args)?,
        _ => args.refuse(PEER),
    }
    meter.finish(PEER, args, ops, sum)?;
    close(&mut stream, frames)
}

fn execute(stream: &mut UnixStream, frames: &mut Frames, sql: &str) -> Result<()> {
    let mut out = Vec::new();
    statement(&mut out, sql)?;
    stream.write_all(&out)?;
    frames.result(stream, |_| {})
}

#[inline]
fn number(row: &[u8], at: &mut usize) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = row[*at];
        *at += 1;
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return value;
        }
        shift += 7;
    }
}

/// Three numbers and a text: a tag and a length before each, and a zero behind the text.
#[inline]
fn narrow(row: &[u8]) -> u64 {
    let (mut at, mut total) = (0, 0_i64);
    for _ in 0..3 {
        at += 2;
        let zigzag = number(row, &mut at);
        total += (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
    }
    at += 1;
    total.cast_unsigned().wrapping_add(number(row, &mut at) - 1)
}

fn inserts(stream: &mut UnixStream, frames: &mut Frames, args: &Args) -> Result<()> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < args.n {
        out.clear();
        let some = WINDOW.min(args.n - at);
        for i in at..at + some {
            insert(&mut out, args, i)?;
        }
        stream.write_all(&out)?;
        for _ in 0..some {
            frames.result(stream, |_| {})?;
        }
        at += some;
    }
    execute(stream, frames, "COMMIT")
}

/// `Mysqlx.Crud.Insert` of one document.
fn insert(out: &mut Vec<u8>, args: &Args, i: u64) -> Result<()> {
    let [mut collection, mut octets, mut scalar, mut expr, mut row, mut body] = [const { Vec::new() }; 6];
    field(&mut collection, 1, work::DOCS_NAME.as_bytes());
    field(&mut collection, 2, args.db.as_bytes());
    field(&mut octets, 1, work::document(i).as_bytes());
    // content_type: JSON
    octets.extend_from_slice(&[2 << 3, 2]);
    // type: V_OCTETS
    scalar.extend_from_slice(&[1 << 3, 4]);
    field(&mut scalar, 5, &octets);
    // type: LITERAL
    expr.extend_from_slice(&[1 << 3, 2]);
    field(&mut expr, 4, &scalar);
    field(&mut row, 1, &expr);
    field(&mut body, 1, &collection);
    // data_model: DOCUMENT
    body.extend_from_slice(&[2 << 3, 1]);
    field(&mut body, 4, &row);
    frame(out, INSERT, &body)
}
