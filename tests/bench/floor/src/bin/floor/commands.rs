//! Commands on one connection.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Result, ensure};
use bench_floor::{Inbox, PING, Param, QUIT, SELECT_1, binary_len, command, execute, field, int, lenenc};
use bench_harness::{Args, Meter, Workload, work};

use crate::{PEER, connect, packet, tcp};

const COM_QUERY: u8 = 0x03;
const COM_STMT_PREPARE: u8 = 0x16;
/// Inserts that are sent before their answers are read.
const WINDOW: u64 = 500;

pub(crate) fn run(args: &Args, inbox: Inbox) -> Result<()> {
    let mut client = Client { stream: tcp(args)?, inbox, out: Vec::new() };
    client.connect(args)?;
    let n = args.n;
    let statement = client.prepare_for(args.workload, n)?;
    let meter = Meter::start()?;
    let (ops, sum) = match args.workload {
        Workload::Ping => client.pings(n)?,
        Workload::Select1 => client.selects(n)?,
        Workload::PointQuery => client.points(n, statement)?,
        Workload::RowsNarrow => client.narrow(n)?,
        Workload::RowsNarrowBin => client.narrow_binary(statement)?,
        Workload::RowsWide => client.wide(n)?,
        Workload::RowsWideBin => client.wide_binary(statement)?,
        Workload::Blob => client.blobs(n)?,
        Workload::InsertPipeline => client.inserts(n, statement, WINDOW)?,
        Workload::InsertSequential => client.inserts(n, statement, 1)?,
        Workload::Multi => client.multi(n)?,
        _ => args.refuse(PEER),
    };
    meter.finish(PEER, args, ops, sum)?;
    Ok(client.stream.write_all(QUIT)?)
}

struct Client {
    stream: TcpStream,
    inbox: Inbox,
    out: Vec<u8>,
}

/// How many operations, and their checksum.
type Done = Result<(u64, u64)>;

impl Client {
    fn connect(&mut self, args: &Args) -> Result<()> {
        connect(&mut self.stream, args, &mut self.inbox, false)
    }

    fn packet(&mut self) -> Result<&[u8]> {
        Ok(packet(&mut self.stream, &mut self.inbox)?.1)
    }

    fn send(&mut self) -> Result<()> {
        self.stream.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    fn query(&mut self, sql: &str) -> Result<()> {
        command(&mut self.out, COM_QUERY, sql.as_bytes());
        self.send()
    }

    /// A statement that answers with OK.
    fn run(&mut self, sql: &str) -> Result<()> {
        self.query(sql)?;
        ensure!(self.packet()?[0] == 0, "{sql} failed");
        Ok(())
    }

    fn prepare_for(&mut self, workload: Workload, n: u64) -> Result<u32> {
        match workload {
            Workload::PointQuery => self.prepare(work::POINT),
            Workload::RowsNarrowBin => self.prepare(&work::narrow(n)),
            Workload::RowsWideBin => self.prepare(&work::wide(n)),
            Workload::InsertPipeline | Workload::InsertSequential => {
                self.run(work::TRUNCATE)?;
                self.prepare(work::INSERT)
            }
            _ => Ok(0),
        }
    }

    fn prepare(&mut self, sql: &str) -> Result<u32> {
        command(&mut self.out, COM_STMT_PREPARE, sql.as_bytes());
        self.send()?;
        let ok = self.packet()?;
        ensure!(ok[0] == 0, "{sql} cannot be prepared");
        let (id, columns, params) = (ok[1..5].try_into()?, ok[5..7].try_into()?, ok[7..9].try_into()?);
        for _ in 0..u16::from_le_bytes(columns) + u16::from_le_bytes(params) {
            self.packet()?;
        }
        Ok(u32::from_le_bytes(id))
    }

    /// The types of a result's columns.
    fn columns(&mut self) -> Result<Vec<u8>> {
        let count = self.packet()?[0];
        ensure!(count != 0xff, "the statement failed");
        let mut types = Vec::with_capacity(count.into());
        for _ in 0..count {
            let definition = self.packet()?;
            let mut at = 0;
            for _ in 0..6 {
                field(definition, &mut at);
            }
            // behind a length (1), the collation (2) and the length (4)
            types.push(definition[at + 7]);
        }
        Ok(types)
    }

    /// All rows of a result; gives the status.
    #[inline]
    fn rows(&mut self, mut row: impl FnMut(&[u8])) -> Result<u16> {
        loop {
            let packet = self.packet()?;
            if packet[0] == 0xfe && packet.len() < 0xff_ffff {
                let mut at = 1;
                lenenc(packet, &mut at);
                lenenc(packet, &mut at);
                return Ok(u16::from_le_bytes([packet[at], packet[at + 1]]));
            }
            ensure!(packet[0] != 0xff, "the statement failed");
            row(packet);
        }
    }

    fn pings(&mut self, n: u64) -> Done {
        for _ in 0..n {
            self.stream.write_all(PING)?;
            self.packet()?;
        }
        Ok((n, 0))
    }

    fn selects(&mut self, n: u64) -> Done {
        let mut sum = 0;
        for _ in 0..n {
            self.stream.write_all(SELECT_1)?;
            ensure!(self.packet()? == [1], "one column");
            self.packet()?;
            self.rows(|row| sum += int(field(row, &mut 0).unwrap_or_default()) as u64)?;
        }
        Ok((n, sum))
    }

    fn points(&mut self, n: u64, statement: u32) -> Done {
        let mut sum = 0;
        for i in 0..n {
            execute(&mut self.out, statement, &[Param::Int(work::key(i))]);
            self.send()?;
            for _ in 0..self.packet()?[0] {
                self.packet()?;
            }
            self.rows(|row| {
                // a header and a bitmap, then two numbers
                let mut at = 10;
                sum += u64::from(u32_at(row, 2));
                sum += (text(row, &mut at) + text(row, &mut at)) as u64;
            })?;
        }
        Ok((n, sum))
    }

    fn narrow(&mut self, n: u64) -> Done {
        self.query(&work::narrow(n))?;
        self.columns()?;
        let (mut ops, mut sum) = (0, 0_u64);
        self.rows(|row| {
            let mut at = 0;
            let mut total = 0;
            for _ in 0..3 {
                total += int(field(row, &mut at).unwrap_or_default());
            }
            sum = sum.wrapping_add((total + text(row, &mut at) as i64) as u64);
            ops += 1;
        })?;
        Ok((ops, sum))
    }

    fn narrow_binary(&mut self, statement: u32) -> Done {
        execute(&mut self.out, statement, &[]);
        self.send()?;
        self.columns()?;
        let (mut ops, mut sum) = (0, 0_u64);
        self.rows(|row| {
            let numbers = [2, 6, 10].map(|at| u32_at(row, at).cast_signed());
            sum = sum.wrapping_add(work::narrow_sum(numbers, text(row, &mut 14)));
            ops += 1;
        })?;
        Ok((ops, sum))
    }

    fn wide(&mut self, n: u64) -> Done {
        self.query(&work::wide(n))?;
        self.columns()?;
        let (mut ops, mut sum) = (0, 0_u64);
        self.rows(|row| {
            let mut at = 0;
            for column in 0..20 {
                let Some(field) = field(row, &mut at) else { continue };
                sum = sum.wrapping_add(match column {
                    0 | 4 | 18 => int(field) as u64,
                    7 => std::str::from_utf8(field).map_or(0, |d| work::whole(d.parse().unwrap_or(0.0))),
                    13 | 14 | 19 => field.len() as u64,
                    _ => 0,
                });
            }
            ops += 1;
        })?;
        Ok((ops, sum))
    }

    fn wide_binary(&mut self, statement: u32) -> Done {
        execute(&mut self.out, statement, &[]);
        self.send()?;
        let types = self.columns()?;
        let (mut ops, mut sum) = (0, 0_u64);
        self.rows(|row| {
            let mut at = 1 + (20 + 9) / 8;
            for (column, column_type) in types.iter().enumerate() {
                if row[1 + (column + 2) / 8] >> ((column + 2) % 8) & 1 == 1 {
                    continue;
                }
                let start = at;
                let len = match binary_len(row, at, *column_type) {
                    Some(len) => {
                        at += len;
                        0
                    }
                    None => text(row, &mut at),
                };
                sum = sum.wrapping_add(match column {
                    0 | 18 => u32_at(row, start).into(),
                    4 => u64_at(row, start),
                    7 => work::whole(f64::from_bits(u64_at(row, start))),
                    13 | 14 | 19 => len as u64,
                    _ => 0,
                });
            }
            ops += 1;
        })?;
        Ok((ops, sum))
    }

    /// Through the buffer as it is: no blob is ever held whole.
    fn blobs(&mut self, n: u64) -> Done {
        self.query(&work::blob(n))?;
        self.columns()?;
        let mut sum = 0;
        loop {
            // a header, then a number of few digits and the length of the blob, or an OK of 7 bytes
            while self.inbox.received_bytes().len() < 11 {
                self.read()?;
            }
            let received = self.inbox.received_bytes();
            let packet = u32::from_le_bytes([received[0], received[1], received[2], 0]) as usize;
            if received[4] == 0xfe && packet < 100 {
                self.packet()?;
                return Ok((n, sum));
            }
            let digits = usize::from(received[4]);
            while self.inbox.received_bytes().len() < 4 + 1 + digits + 9 {
                self.read()?;
            }
            sum += lenenc(self.inbox.received_bytes(), &mut (4 + 1 + digits)).unwrap_or(0) as u64;
            let mut left = self.inbox.skip(4 + packet);
            while left > 0 {
                self.read()?;
                left = self.inbox.skip(left);
            }
        }
    }

    fn read(&mut self) -> Result<()> {
        let n = self.stream.read(self.inbox.room())?;
        self.inbox.received(n)
    }

    fn inserts(&mut self, n: u64, statement: u32, window: u64) -> Done {
        self.run("START TRANSACTION")?;
        let mut next = 0;
        while next < n {
            let until = n.min(next + window);
            for i in next..until {
                let params =
                    [Param::Int(i32::try_from(i)?), Param::Int(work::key(i)), Param::Text(work::INSERTED)];
                execute(&mut self.out, statement, &params);
            }
            self.send()?;
            for _ in next..until {
                ensure!(self.packet()?[0] == 0, "an insert failed");
            }
            next = until;
        }
        self.run("COMMIT")?;
        Ok((n, 0))
    }

    fn multi(&mut self, n: u64) -> Done {
        const MORE_RESULTS: u16 = 8;
        let mut statements = Vec::new();
        command(&mut statements, COM_QUERY, work::multi().as_bytes());
        let mut sum = 0;
        for _ in 0..n {
            self.stream.write_all(&statements)?;
            loop {
                self.packet()?;
                self.packet()?;
                let status = self.rows(|row| sum += int(field(row, &mut 0).unwrap_or_default()) as u64)?;
                if status & MORE_RESULTS == 0 {
                    break;
                }
            }
        }
        Ok((n * work::STATEMENTS, sum))
    }
}

/// The length of a text, which is stepped over.
#[inline]
fn text(row: &[u8], at: &mut usize) -> usize {
    field(row, at).map_or(0, <[u8]>::len)
}

#[inline]
fn u32_at(row: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([row[at], row[at + 1], row[at + 2], row[at + 3]])
}

#[inline]
fn u64_at(row: &[u8], at: usize) -> u64 {
    u64::from(u32_at(row, at)) | u64::from(u32_at(row, at + 4)) << 32
}
