//! Commands of a replica: registering, and reading the binary log.

use bytes::{BufMut, Bytes};
use porpoise_trace::{Payload, ProtocolStage, TraceEvent, TraceSink};
use porpoise_wire::{Cx, HEADER_LEN, Run, Step};

use crate::error::Misuse;
use crate::reply::Read;
use crate::session::Session;
use crate::state::State;
use crate::{Columns, Command, Event, GtidSet};

/// The first byte of a packet that carries an event.
const EVENT: u8 = 0x00;

/// Where to begin to read the binary log, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BinlogDump<'a> {
    server_id: u32,
    file: &'a [u8],
    position: u32,
    flags: u16,
}

impl<'a> BinlogDump<'a> {
    /// In [`flags`](Self::flags): at the end of the log the server ends the reply instead of waiting for more.
    pub const NON_BLOCK: u16 = 1;

    /// From the first event of the oldest file on, as the replica of this id. Another one of the same id is
    /// disconnected.
    #[must_use]
    pub const fn new(server_id: u32) -> Self {
        // The first event follows four bytes by which a file is known.
        Self { server_id, file: &[], position: 4, flags: 0 }
    }

    /// From an event of a file on.
    #[must_use]
    pub const fn from(mut self, file: &'a [u8], position: u32) -> Self {
        self.file = file;
        self.position = position;
        self
    }

    /// Sets the flags, [`NON_BLOCK`](Self::NON_BLOCK) for instance.
    #[must_use]
    pub const fn flags(mut self, flags: u16) -> Self {
        self.flags = flags;
        self
    }
}

/// Who a replica says that it is: what `SHOW REPLICAS` lists.
#[derive(Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "the packet has these fields")]
pub struct RegisterReplica<'a> {
    /// Its server id.
    pub server_id: u32,
    /// Where it can be reached.
    pub host: &'a [u8],
    /// As whom.
    pub user: &'a [u8],
    /// By what password; sent as it is.
    pub password: &'a [u8],
    /// At what port.
    pub port: u16,
    /// Unused by servers: 0.
    pub rank: u32,
    /// The server id of its source; 0 leaves it to the server.
    pub source_id: u32,
}

impl std::fmt::Debug for RegisterReplica<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegisterReplica")
            .field("server_id", &self.server_id)
            .field("host", &String::from_utf8_lossy(self.host))
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// COM_REGISTER_SLAVE: registers the connection as that of a replica. The reply is [`Event::Ok`] or [`Event::Err`].
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now, or for a host, user or password of more than 255 bytes.
    pub fn register_replica<T: TraceSink>(
        &mut self,
        replica: &RegisterReplica<'_>,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        self.admit()?;
        let short = |text: &[u8]| u8::try_from(text.len()).map_err(|_| Misuse::NameTooLong);
        let (host, user, password) = (short(replica.host)?, short(replica.user)?, short(replica.password)?);
        let len = 4 + 3 + replica.host.len() + replica.user.len() + replica.password.len() + 10;
        let stage = ProtocolStage::ReadyForCommand;
        self.emit_in(stage, cx, || TraceEvent::SendCommand {
            cmd: Command::RegisterReplica.byte(),
            cmd_name: Command::RegisterReplica.name(),
            hdr: Payload::open(&[]),
            pkt: Payload::withheld(len),
        });
        let reading = self.framer.mark();
        self.framer.begin_command();
        self.framer.write(cx.tx, |payload| {
            payload.put_u8(Command::RegisterReplica.byte());
            payload.put_u32_le(replica.server_id);
            for (len, text) in [(host, replica.host), (user, replica.user), (password, replica.password)] {
                payload.put_u8(len);
                payload.put_slice(text);
            }
            payload.put_u16_le(replica.port);
            payload.put_u32_le(replica.rank);
            payload.put_u32_le(replica.source_id);
        });
        self.emit_in(stage, cx, || TraceEvent::PacketSent { pkt_len: len });
        self.written(State::Registration, Columns::default(), reading);
        Ok(())
    }

    /// COM_BINLOG_DUMP: reads the binary log from a position on. The reply is [`Event::Binlog`] again and again; with
    /// [`NON_BLOCK`](BinlogDump::NON_BLOCK) [`Event::End`] at last, without only [`Event::Err`] ends it. The
    /// server closes the connection then: no further command can be sent. A trace ends with this one, as that of MySQL's
    /// own client does.
    ///
    /// Statements before tell the server what the events shall be like: `SET @source_binlog_checksum='NONE'`,
    /// `SET @source_heartbeat_period=...` in nanoseconds. A server that was asked for semi-synchronous replication puts
    /// two bytes, 0xEF and a flag, before each event.
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now; this one is never sent behind another whose reply is owed.
    pub fn binlog_dump<T: TraceSink>(
        &mut self,
        dump: &BinlogDump<'_>,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        // int<4> position | int<2> flags | int<4> server_id | string<EOF> file
        let mut argument = Vec::with_capacity(10 + dump.file.len());
        argument.put_u32_le(dump.position);
        argument.put_u16_le(dump.flags);
        argument.put_u32_le(dump.server_id);
        argument.put_slice(dump.file);
        self.dump(Command::BinlogDump, &argument, cx)
    }

    /// COM_BINLOG_DUMP_GTID: reads the transactions of the binary log that are not in a set. The reply is that of
    /// [`binlog_dump`](Self::binlog_dump). MariaDB does not know it.
    ///
    /// # Errors
    /// As there.
    pub fn binlog_dump_gtid<T: TraceSink>(
        &mut self,
        dump: &BinlogDump<'_>,
        executed: &GtidSet,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        let executed = executed.encode();
        let (Ok(file_len), Ok(set_len)) = (u32::try_from(dump.file.len()), u32::try_from(executed.len()))
        else {
            return Err(Misuse::NameTooLong);
        };
        // int<2> flags | int<4> server_id | int<4> length, file | int<8> position | int<4> length, GTIDs
        let mut argument = Vec::with_capacity(22 + dump.file.len() + executed.len());
        argument.put_u16_le(dump.flags);
        argument.put_u32_le(dump.server_id);
        argument.put_u32_le(file_len);
        argument.put_slice(dump.file);
        argument.put_u64_le(dump.position.into());
        argument.put_u32_le(set_len);
        argument.put_slice(&executed);
        self.dump(Command::BinlogDumpGtid, &argument, cx)
    }

    fn dump<T: TraceSink>(
        &mut self,
        command: Command,
        argument: &[u8],
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        self.admit()?;
        if !self.is_idle() {
            return Err(Misuse::Busy);
        }
        self.write(command, &[], argument, State::Binlog, Columns::default(), cx);
        self.emit_in(ProtocolStage::ReadyForCommand, cx, || TraceEvent::Disconnected);
        (self.untraced, self.served_out) = (true, true);
        Ok(())
    }

    /// An event of the binary log, or what ends them.
    pub(crate) fn binlog<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Read {
        let mut taken = false;
        let run = self.framer.take_run(cx.rx, |payload| {
            !std::mem::replace(&mut taken, true) && payload.first() == Some(&EVENT)
        });
        let event: Bytes = match run.map_err(|error| self.unread(error))? {
            Some(Run::Frames(mut frame)) => frame.split_off((HEADER_LEN + 1).min(frame.len())),
            Some(run) => run.into_bytes().split_off(1),
            None => return self.packet(cx),
        };
        Ok(Step::Event(Event::Binlog(event)))
    }
}
