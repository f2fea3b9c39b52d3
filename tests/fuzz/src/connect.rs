//! The whole connector, and a change of user, against a server that says anything.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use porpoise_auth::{Answer, Channel, Secret};
use porpoise_classic::{CapabilityFlags, Session, SessionSeed};
use porpoise_classic_connect::{
    ChangeUser, ChangeUserEvent, ConnectError, ConnectEvent, ConnectOptions, ConnectOptionsBuilder,
    ConnectStage, Connector, TlsUse, Transport,
};
use porpoise_trace::{Record, RecordEntry};
use porpoise_wire::{Cx, Framer, Limits, Lost, Machine, Step, TlsInfo};

use crate::mechanisms::{PASSWORD, PLUGINS};
use crate::parsers::GREETING;
use crate::paths::Path;
use crate::script::{Script, Wire, acts};

/// What a login and its init commands can come to; all else is runaway output.
const MUCH: usize = 64 << 10;
const TURNS: usize = 10_000;

fn bit(choice: u8, n: u8) -> bool {
    choice >> n & 1 == 1
}

fn login(choice: u8, plugin: u8) -> ConnectOptionsBuilder {
    let mut builder = ConnectOptions::builder()
        .user("u")
        .enable_cleartext_plugin(bit(choice, 0))
        .get_server_public_key(bit(choice, 1));
    builder = if bit(choice, 2) { builder.ask_password(1) } else { builder.password(PASSWORD) };
    builder = builder.factor_password(2, PASSWORD).factor_password(3, PASSWORD);
    if bit(choice, 6) {
        builder = builder.max_auth_switches(3);
    }
    match PLUGINS.get(usize::from(plugin)) {
        Some(name) => builder.default_auth(name),
        None => builder,
    }
}

fn options(choice: u8, plugin: u8) -> Arc<ConnectOptions> {
    let tls = [TlsUse::Disabled, TlsUse::Preferred, TlsUse::Required];
    let mut builder = login(choice, plugin).tls(tls[usize::from(choice >> 3 & 3).min(2)]);
    if bit(choice, 5) {
        builder = builder.database("db").init_command("set @a = 1").init_command("select 1");
    }
    Arc::new(builder.build().expect("these options are sound"))
}

/// Why the outside fails, if it does: at the end of the input, or after so many reads.
fn lost(choice: u8) -> Lost {
    let error = || Arc::new(io::Error::from(io::ErrorKind::BrokenPipe));
    match choice % 7 {
        0 => Lost::Closed,
        1 => Lost::Read(error()),
        2 => Lost::Write(error()),
        3 => Lost::Deadline { after: Duration::from_secs(1), stage: bit(choice, 6) },
        4 => Lost::Tls { error: error(), unrecognized_name: bit(choice, 6) },
        5 => Lost::Dial(error()),
        _ => Lost::Resolve(error()),
    }
}

/// What a machine of this crate says.
enum Said<S> {
    Ask,
    Ready(S),
    Nothing,
}

/// A connector or a change of user, driven over a script.
struct Drive<M: Machine, S> {
    machine: M,
    said: fn(M::Event) -> Said<S>,
    answer: fn(&mut M, Answer),
    secure: bool,
    answers: bool,
}

/// What became of it.
struct Outcome<S> {
    record: Record,
    error: Option<ConnectError>,
    ready: Option<S>,
    switched: bool,
}

impl<M: Machine<Error = ConnectError, Stage = ConnectStage>, S> Drive<M, S> {
    fn run(mut self, mut script: Script<'_>, piece: usize, ends: u8) -> Outcome<S> {
        let (mut rx, mut tx, mut record) = (BytesMut::new(), BytesMut::new(), Record::new());
        let mut wire = Wire::new(piece);
        let (mut error, mut ready, mut switched, mut total) = (None, None, false, 0);
        for _ in 0..TURNS {
            let cx = &mut Cx::new(&mut rx, &mut tx, &mut record);
            let step = self.machine.advance(cx);
            total += tx.len();
            assert!(total <= MUCH, "too much to send");
            let clear = tx.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
            assert!(!clear || self.secure, "the password in clear");
            match step {
                Ok(Step::NeedRead { at_least }) => {
                    assert!(at_least > rx.len());
                    wire.hear(&mut tx);
                    if !wire.give(&mut script, &mut rx) {
                        error =
                            Some(self.machine.lost(lost(ends), &mut Cx::new(&mut rx, &mut tx, &mut record)));
                        break;
                    }
                }
                Ok(Step::StartTls) => {
                    assert!(rx.is_empty());
                    wire.hear(&mut tx);
                    (self.secure, switched) = (true, true);
                    let info = TlsInfo::new(bit(ends, 7));
                    self.machine.tls_ready(&info, &mut Cx::new(&mut rx, &mut tx, &mut record));
                }
                Ok(Step::Event(event)) => match (self.said)(event) {
                    Said::Ask => {
                        let secret = Answer::Secret(Secret::from(PASSWORD));
                        (self.answer)(&mut self.machine, if self.answers { secret } else { Answer::Refused });
                    }
                    Said::Ready(session) => ready = Some(session),
                    Said::Nothing => {}
                },
                Ok(Step::NeedWrite) => wire.hear(&mut tx),
                Ok(_) => break,
                Err(why) => {
                    error = Some(why);
                    break;
                }
            }
        }
        if let Some(error) = &error {
            self.is_final(error, &mut Cx::new(&mut rx, &mut tx, &mut record));
        }
        assert!(error.is_some() != ready.is_some(), "neither done nor failed");
        Outcome { record, error, ready, switched }
    }

    /// An error is told again and again, and hides the password.
    fn is_final(&mut self, error: &ConnectError, cx: &mut Cx<'_, Record>) {
        let shown = format!("{error:?} {error}");
        assert!(!shown.contains(PASSWORD) && !error.got().is_empty() && !error.expected().is_empty());
        assert_eq!(self.machine.stage(), ConnectStage::NotStarted);
        let told = cx.trace.entries().len();
        for again in [self.machine.advance(cx).err(), Some(self.machine.lost(Lost::Closed, cx))] {
            let again = again.expect("an error is final");
            assert_eq!(format!("{again:?} {again}"), shown);
        }
        assert_eq!(cx.trace.entries().len(), told, "an error is told once");
    }
}

impl<S> Outcome<S> {
    /// Stages follow each other as the tables say, and nothing that was told holds the password.
    fn check(&self, mut stage: ConnectStage) -> Path {
        let mut path = Path::default();
        for entry in self.record.entries() {
            if let RecordEntry::Stage { number, .. } = entry {
                let next = ConnectStage::from_number(number);
                assert!(next.may_follow(stage), "{next} after {stage}");
                stage = next;
            }
            path.tells(&entry);
            if let RecordEntry::Stage { number, .. } = entry {
                path.passes(&number);
            }
        }
        let illegal = self.record.illegal_edges();
        assert!(illegal.is_empty(), "{illegal:?}");
        assert!(!self.record.to_jsonl().contains(PASSWORD));
        if let Some(error) = &self.error {
            path.tells(error);
        }
        path
    }
}

/// The whole connector against a server that says anything, in pieces of any size.
pub fn connector(input: &[u8]) -> Vec<u64> {
    let mut script = Script(input);
    let (choice, plugin, ends, piece) = (script.byte(), script.byte(), script.byte(), script.byte());
    let transport = if bit(choice, 7) { Transport::UnixSocket } else { Transport::Tcp };
    let run = |piece: usize| {
        let drive = Drive {
            machine: Connector::new(options(choice, plugin), transport),
            said: |event| match event {
                ConnectEvent::Ask(_) => Said::Ask,
                ConnectEvent::Ready(session) => Said::Ready(session),
                _ => Said::Nothing,
            },
            answer: |machine: &mut Connector, answer| machine.answer(answer).expect("it asked"),
            secure: transport == Transport::UnixSocket,
            answers: bit(choice, 0),
        };
        drive.run(Script(script.0), piece, ends)
    };
    let whole = run(usize::MAX);
    let cut = run(usize::from(piece) + 1);
    // What comes together with the greeting is a man in the middle's, unless it comes too late to be seen.
    if !whole.switched && !cut.switched {
        assert_eq!(whole.record.to_jsonl(), cut.record.to_jsonl(), "it depends on how bytes are cut");
        assert_eq!(format!("{:?}", whole.error), format!("{:?}", cut.error));
    }
    cut.check(ConnectStage::NotStarted);
    let mut path = whole.check(ConnectStage::NotStarted);
    path.passes(&whole.ready.is_some());
    path.steps()
}

/// A change of user against a server that says anything.
pub fn change_user(input: &[u8]) -> Vec<u64> {
    let mut script = Script(input);
    let (choice, plugin, ends, piece) = (script.byte(), script.byte(), script.byte(), script.byte());
    let flags: [u8; 4] = std::array::from_fn(|_| script.byte());
    let capabilities =
        CapabilityFlags::from_bits(u32::from_le_bytes(flags)) | CapabilityFlags::CLIENT_PROTOCOL_41;
    let channel = if bit(choice, 7) { Channel::UnixSocket } else { Channel::Plain };
    let run = |piece: usize| {
        let limits = Limits::default();
        let session = Session::resume(SessionSeed::new(Framer::new(limits), capabilities, limits));
        let options = Arc::new(login(choice, plugin).build().expect("these options are sound"));
        let machine = ChangeUser::new(Box::new(session), options, channel).expect("an idle session");
        let drive = Drive {
            machine,
            said: |event| match event {
                ChangeUserEvent::Ask(_) => Said::Ask,
                ChangeUserEvent::Ready(session) => Said::Ready(session),
                _ => Said::Nothing,
            },
            answer: |machine: &mut ChangeUser, answer| machine.answer(answer).expect("it asked"),
            secure: channel.is_secure(),
            answers: bit(choice, 0),
        };
        drive.run(Script(script.0), piece, ends)
    };
    let (whole, cut) = (run(usize::MAX), run(usize::from(piece) + 1));
    assert_eq!(whole.record.to_jsonl(), cut.record.to_jsonl(), "it depends on how bytes are cut");
    assert_eq!(format!("{:?}", whole.error), format!("{:?}", cut.error));
    assert!(whole.ready.as_ref().is_none_or(|session| session.is_idle()));
    whole.check(ConnectStage::Complete).steps()
}

const OK: &[u8] = b"\0\0\0\x02\0\0\0";
const FAST: &[u8] = b"\x01\x03";
const FULL: &[u8] = b"\x01\x04";
const SWITCH: &[u8] = b"\xfemysql_native_password\0ABCDEFGHIJKLMNOPQRST\0";
const FACTOR: &[u8] = b"\x02mysql_clear_password\0";

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let column = b"\x03def\0\0\0\x011\0\x0c\x3f\0\x02\0\0\0\x08\x81\0\0\0\0";
    vec![
        acts(&[0, 9, 0, 0], &[GREETING, FAST, OK]),
        acts(&[0, 9, 0, 2], &[GREETING, FULL]),
        acts(&[2, 9, 3, 2], &[GREETING, FULL, b"\x01-----BEGIN PUBLIC KEY-----\n"]),
        acts(&[0x10, 9, 0, 3], &[GREETING, FULL, OK]),
        acts(&[0, 9, 1, 50], &[GREETING, SWITCH, OK]),
        acts(&[0x40, 9, 1, 50], &[GREETING, SWITCH, SWITCH, SWITCH, OK]),
        acts(&[0x11, 9, 0x80, 9], &[GREETING, FAST, FACTOR, FACTOR, OK]),
        acts(&[0x20, 9, 0, 7], &[GREETING, FAST, OK, OK, OK, OK]),
        acts(&[0x20, 9, 0, 7], &[GREETING, FAST, OK, b"\x01", column, b"\x011", b"\xfe\0\0\x02\0\0\0", OK]),
        acts(&[0x80, 9, 2, 1], &[GREETING, FULL, b"\xff\x15\x04#28000no"]),
        acts(&[0x05, 1, 0, 0], &[GREETING, SWITCH, OK]),
        acts(&[0, 5, 0, 0], &[GREETING, b"\xfeclient_ed25519\0ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", OK]),
        acts(&[0, 9, 0, 0], &[b"\xff\x10\x04Too many connections"]),
    ]
}

pub(crate) fn change_user_seeds() -> Vec<Vec<u8>> {
    let head = |choice: u8, plugin: u8| {
        let modern = 0x19bf_a285_u32.to_le_bytes();
        [&[choice, plugin, 0, 5][..], &modern].concat()
    };
    vec![
        acts(&head(0, 9), &[SWITCH, OK]),
        acts(&head(0, 9), &[b"\xfecaching_sha2_password\0ABCDEFGHIJKLMNOPQRST\0", FAST, OK]),
        acts(&head(0x81, 9), &[b"\xfecaching_sha2_password\0ABCDEFGHIJKLMNOPQRST\0", FULL, FACTOR, OK]),
        acts(&head(4, 2), &[SWITCH, b"\xff\x15\x04#28000no"]),
    ]
}
