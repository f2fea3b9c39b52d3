//! PREP_SELECT_DATABASE, PREP_INIT_COMMANDS and SEND_ONE_INIT_COMMAND.

use std::time::Duration;

use porpoise_classic::ClassicErrorKind;
use porpoise_classic_connect::ConnectErrorKind::{self, InfileRefused, Lost as Outside, Server, Session};
use porpoise_classic_connect::ConnectStage::{PrepSelectDatabase, SendOneInitCommand};
use porpoise_driver::OptionsBuilder;
use porpoise_hostile_tests::Act;
use porpoise_hostile_tests::cases::Case;
use porpoise_hostile_tests::packets::{
    ALL, CONNECT_WITH_DB, SSL, column, err, frame, greeting, greeting_of, header, more, ok, ok_more, row,
};
use porpoise_wire::{Lost, WireError};

const CR_SERVER_LOST: u16 = 2013;
const CR_NET_PACKET_TOO_LARGE: u16 = 2020;
const CR_MALFORMED_PACKET: u16 = 2027;
const CR_LOAD_DATA_LOCAL_INFILE_REJECTED: u16 = 2068;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = database();
    cases.extend(replies());
    cases.extend(files());
    cases.extend(floods());
    cases.extend(silences());
    cases
}

/// A login that succeeds, the init command, and then this.
fn command(name: &'static str, acts: Vec<Act>, code: u16, kind: fn(&ConnectErrorKind) -> bool) -> Case {
    let login = [Act::Say(greeting()), Act::Hear, Act::Say(more(&[3])), Act::Say(ok()), Act::Hear];
    let script: Vec<Act> = login.into_iter().chain(acts).collect();
    Case::new(name, script, SendOneInitCommand, code, kind).with(init)
}

fn init(options: OptionsBuilder) -> OptionsBuilder {
    options.connect(|connect| connect.init_command("SELECT * FROM pearls"))
}

fn wire(kind: &ConnectErrorKind) -> Option<&WireError> {
    match kind {
        Session(error) => match error.kind() {
            ClassicErrorKind::Packet { error, .. } => Some(error),
            _ => None,
        },
        _ => None,
    }
}

fn database() -> Vec<Case> {
    let greeting = greeting_of(ALL & !SSL & !CONNECT_WITH_DB, "caching_sha2_password");
    let case = |name, verdict: Act, code, kind: fn(&ConnectErrorKind) -> bool| {
        let script =
            [Act::Say(greeting.clone()), Act::Hear, Act::Say(more(&[3])), Act::Say(ok()), Act::Hear, verdict];
        Case::new(name, script, PrepSelectDatabase, code, kind).with(|options| options.database("reef"))
    };
    vec![
        case(
            "no such database",
            Act::Say(err(1049, "no")),
            1049,
            |kind| matches!(kind, Server(err) if err.code() == 1049),
        ),
        case("closed at COM_INIT_DB", Act::Close, CR_SERVER_LOST, |kind| {
            matches!(kind, Outside(Lost::Closed))
        }),
        case(
            "no verdict on COM_INIT_DB",
            Act::Say(vec![3]),
            CR_MALFORMED_PACKET,
            |kind| matches!(kind, Session(error) if matches!(error.kind(), ClassicErrorKind::Unexpected { .. })),
        ),
    ]
}

fn replies() -> Vec<Case> {
    vec![
        command(
            "ERR to an init command",
            vec![Act::Say(err(1146, "no"))],
            1146,
            |kind| matches!(kind, Server(err) if err.code() == 1146),
        ),
        command(
            "ERR to an init command, unasked",
            vec![Act::Raw(frame(0, &err(1053, "bye")))],
            1053,
            |kind| matches!(kind, Server(err) if err.code() == 1053),
        ),
        command(
            "ERR in the middle of rows",
            vec![Act::Say(vec![1]), Act::Say(column("c")), Act::Say(row("x")), Act::Say(err(1317, "killed"))],
            1317,
            |kind| matches!(kind, Server(err) if err.code() == 1317),
        ),
        command("closed in an init command", vec![Act::Close], CR_SERVER_LOST, |kind| {
            matches!(kind, Outside(Lost::Closed))
        }),
        command(
            "closed in the rows of an init command",
            vec![Act::Say(vec![1]), Act::Say(column("c")), Act::Say(row("x")), Act::Close],
            CR_SERVER_LOST,
            |kind| matches!(kind, Outside(Lost::Closed)),
        ),
        command("reply with another id", vec![Act::Raw(frame(2, &ok()))], CR_SERVER_LOST, |kind| {
            matches!(wire(kind), Some(WireError::OutOfOrder { expected: 1, got: 2 }))
        }),
        command("reply without payload", vec![Act::Raw(header(0, 1, &[]))], CR_SERVER_LOST, |kind| {
            matches!(wire(kind), Some(WireError::EmptyPacket))
        }),
        command(
            "a column count of 2^64 - 1",
            vec![Act::Say([&[0xfe][..], &[0xff; 8]].concat())],
            CR_MALFORMED_PACKET,
            |kind| matches!(wire(kind), Some(WireError::BadValue { field: "column_count", .. })),
        ),
        command(
            "a column count of 0xFFFFFF",
            vec![Act::Say(vec![0xfd, 0xff, 0xff, 0xff])],
            CR_MALFORMED_PACKET,
            |kind| matches!(wire(kind), Some(WireError::BadValue { .. })),
        ),
        command(
            "a column definition that is none",
            vec![Act::Say(vec![1]), Act::Say(vec![3, b'd'])],
            CR_MALFORMED_PACKET,
            |kind| matches!(wire(kind), Some(WireError::Truncated { .. })),
        ),
        command(
            "a packet above the limit",
            vec![Act::Say(vec![1]), Act::Say(column("c")), Act::Raw(header(0xff_fffe, 3, &[0xfd]))],
            CR_NET_PACKET_TOO_LARGE,
            |kind| matches!(wire(kind), Some(WireError::PacketTooLarge { .. })),
        )
        .limit(1 << 20),
        command(
            "a joined packet above the limit",
            vec![Act::Say(vec![1]), Act::Say(column("c")), Act::Raw(header(0xff_ffff, 3, &[0xfd]))],
            CR_NET_PACKET_TOO_LARGE,
            |kind| matches!(wire(kind), Some(WireError::PacketTooLarge { .. })),
        )
        .limit(1 << 20),
    ]
}

/// The server's answer to the empty file does not matter.
fn files() -> Vec<Case> {
    let file = |name, verdict: Vec<u8>| {
        let refused =
            |kind: &_| matches!(kind, InfileRefused(refused) if &*refused.file_name == b"/etc/passwd");
        let acts = vec![Act::Say(b"\xfb/etc/passwd".to_vec()), Act::Hear, Act::Say(verdict)];
        command(name, acts, CR_LOAD_DATA_LOCAL_INFILE_REJECTED, refused).sent(|heard| {
            assert_eq!(heard.packets.last(), Some(&Vec::new()), "an empty packet, and no file");
        })
    };
    vec![
        file("a file that nobody offered, then OK", ok()),
        file("a file that nobody offered, then ERR", err(1148, "no")),
    ]
}

fn floods() -> Vec<Case> {
    let deadline = |kind: &_| matches!(kind, Outside(Lost::Deadline { .. }));
    let soon = |options: OptionsBuilder| options.connect_timeout(Duration::from_millis(50));
    let flood = |name, acts: Vec<Act>| command(name, acts, CR_SERVER_LOST, deadline).with(soon).slow();
    vec![
        flood("endless rows", vec![Act::Say(vec![1]), Act::Say(column("c")), Act::Endless(row("pearl"))]),
        flood("endless results", vec![Act::Endless(ok_more())]),
        command(
            "column definitions above the limit",
            vec![Act::Say(vec![0xfd, 0xff, 0xff, 0]), Act::Endless(column(&"c".repeat(200)))],
            CR_NET_PACKET_TOO_LARGE,
            |kind| matches!(wire(kind), Some(WireError::PacketTooLarge { .. })),
        )
        .limit(1 << 20),
        command(
            "small column definitions above the limit",
            vec![Act::Say(vec![0xfd, 0xff, 0xff, 0]), Act::Endless(column(""))],
            CR_NET_PACKET_TOO_LARGE,
            |kind| matches!(wire(kind), Some(WireError::PacketTooLarge { .. })),
        )
        .limit(1 << 20),
    ]
}

fn silences() -> Vec<Case> {
    let silence = |name, acts: Vec<Act>| {
        let case = command(name, acts, CR_SERVER_LOST, |kind| {
            matches!(kind, Outside(Lost::Deadline { stage: true, .. }))
        });
        case.with(|options| options.stage_timeout(SendOneInitCommand, Duration::from_millis(20))).slow()
    };
    vec![
        silence("silence after an init command", vec![]),
        silence("silence in the rows of an init command", vec![Act::Say(vec![1]), Act::Say(column("c"))]),
        silence("an end that is never read", vec![Act::Deaf, Act::Raw(vec![9, 0, 0, 1])]),
    ]
}
