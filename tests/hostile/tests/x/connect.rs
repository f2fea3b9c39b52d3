//! Connects that must fail, each in its own way: in one piece, byte by byte, in random pieces, and within their memory.

use std::sync::Arc;

use libtest_mimic::Trial;
use porpoise_driver::x::{OptionsBuilder, Session};
use porpoise_hostile_tests::cases::SECRET;
use porpoise_hostile_tests::x::{
    NONCE, authenticated, challenge, clear, column, compressed, connecting, error, executed, fatal, header,
    hello, kinds, limited, mechanisms, must_fail, ok, unix, warning,
};
use porpoise_hostile_tests::{Act, Peer, packets, watch};
use porpoise_trace::Record;
use porpoise_xproto::Algorithm;
use porpoise_xproto::LifeCycle::{self, Authenticating, AuthenticationFailed, Connected, Negotiating};
use porpoise_xproto::connect::{Auth, Use};

use crate::trial;

/// A connect, and what must become of it: the state, and the number.
struct Case {
    name: &'static str,
    script: Vec<Act>,
    options: OptionsBuilder,
    end: (LifeCycle, u16),
}

impl Case {
    fn run(&self) {
        let limit = |bytes| Arc::new(limited(self.options.clone(), bytes).build());
        let options = limit(1 << 20);
        self.check(&Peer::x(&self.script), &options);
        self.check(&Peer::x(&self.script).in_pieces_of(1), &options);
        for seed in 0..8 {
            self.check(&Peer::x(&self.script).with_moods(seed), &options);
        }
        for bytes in [16 << 10, 1 << 20] {
            let (options, peer) = (limit(bytes), Peer::x(&self.script));
            let (outcome, info) = watch::measure(|| watch::run(connecting(&peer, &options)).is_err());
            let most = 2 * bytes as u64 + (64 << 10);
            assert!(
                outcome && info.bytes_max <= most,
                "limit {bytes}: {} at a time, not {most}",
                info.bytes_max
            );
        }
    }

    fn check(&self, peer: &Peer, options: &Arc<porpoise_driver::x::Options>) {
        let record = Record::new();
        let outcome: Result<Session, _> =
            watch::run(connecting(peer, options).with_sink(Box::new(record.clone())));
        must_fail(outcome, (peer, options), self.end.0, self.end.1);
        let trace = record.to_jsonl();
        assert!(!trace.contains(SECRET));
        assert_eq!(trace.matches("\"DISCONNECTED\"").count(), 1, "{trace}");
    }
}

const MALFORMED: u16 = 2027;
const TOO_LARGE: u16 = 2020;
const LOST: u16 = 2013;

pub(crate) fn trials() -> Vec<Trial> {
    let groups = [frames(), out_of_state(), refusals(), challenges(), negotiations()];
    let cases = groups.into_iter().flatten();
    let named = cases.map(|case| trial(format!("connect: {}", case.name), move || case.run()));
    named.chain([trial("connect: attempts without end", attempts)]).collect()
}

/// Over a Unix socket, where the login is the first message.
fn case(name: &'static str, script: Vec<Act>, code: u16) -> Case {
    Case { name, script, options: unix(), end: (Authenticating, code) }
}

fn frames() -> Vec<Case> {
    let raw = |bytes: &[u8]| vec![Act::Hear, Act::Raw(bytes.to_vec())];
    vec![
        case("a frame without a type", raw(&[0, 0, 0, 0, 4]), MALFORMED),
        case("a frame of 4 GiB", raw(&header(u32::MAX, 3)), TOO_LARGE),
        case("a frame one byte above the limit", raw(&header((1 << 20) + 1, 4)), TOO_LARGE),
        case("another protocol", raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), TOO_LARGE),
        case("garbage", raw(&[0xa5; 300]), TOO_LARGE),
        case("a type that nobody knows", vec![Act::Hear, Act::Say(vec![99, 1, 2])], MALFORMED),
        case("the classic protocol's greeting", raw(&packets::frame(0, &packets::greeting())), 2007),
        case("silence, then the end", vec![Act::Hear, Act::Close], LOST),
        case("the end at once", vec![Act::Close], LOST),
        case("half a frame, then the end", vec![Act::Hear, Act::Raw(vec![9, 0, 0, 0, 4]), Act::Close], LOST),
        case("a connection that breaks", vec![Act::Hear, Act::Reset], LOST),
    ]
}

/// Every message that has no place in the answer to AuthenticateStart.
fn out_of_state() -> Vec<Case> {
    let say = |name, message: Vec<u8>| case(name, vec![Act::Hear, Act::Say(message)], MALFORMED);
    vec![
        say("Ok in place of success", ok()),
        say("Capabilities in place of success", mechanisms(&["PLAIN"])),
        say("a column in place of success", column("c")),
        say("a row in place of success", vec![13]),
        say("FetchDone in place of success", vec![14]),
        say("StmtExecuteOk in place of success", executed()),
        say("Compression before the session", compressed(None, b"x")),
        say("an AuthenticateOk that is none", vec![4, 0x0a, 9]),
        say("an Error that is none", vec![1, 0xff]),
        say("a notice that is none", vec![11, 0x0a]),
    ]
}

fn refusals() -> Vec<Case> {
    vec![
        Case {
            end: (AuthenticationFailed, 1045),
            ..case("a login that is refused", vec![Act::Hear, Act::Say(error(1045))], 0)
        },
        case("a fatal error", vec![Act::Hear, Act::Say(fatal(1251))], 1251),
        case("a fatal error before anything", vec![Act::Say(fatal(1040)), Act::Close], 1040),
        Case {
            end: (AuthenticationFailed, 65_535),
            ..case("an error of a number that is none", vec![Act::Hear, Act::Say(error(u32::MAX))], 0)
        },
        case(
            "a reason, then the end",
            vec![Act::Say(hello()), Act::Say(warning(3, false, 1053)), Act::Close],
            1053,
        ),
    ]
}

fn challenges() -> Vec<Case> {
    let sha256 = || unix().auth(Auth::Sha256Memory);
    let nonce = |name, nonce: &[u8]| Case {
        options: sha256(),
        ..case(name, vec![Act::Hear, Act::Say(challenge(nonce))], 2012)
    };
    vec![
        nonce("a nonce of nothing", &[]),
        nonce("a nonce of 19 bytes", NONCE.split_last().map_or(&[], |(_, rest)| rest)),
        nonce("a nonce of 21 bytes", &[&NONCE[..], &[0]].concat()),
        nonce("a nonce of 8 KiB", &[7; 8 << 10]),
        case("a challenge to PLAIN", vec![Act::Hear, Act::Say(challenge(NONCE))], 2000),
        Case {
            options: sha256(),
            ..case(
                "a second nonce",
                vec![Act::Hear, Act::Say(challenge(NONCE)), Act::Hear, Act::Say(challenge(NONCE))],
                2000,
            )
        },
    ]
}

fn negotiations() -> Vec<Case> {
    let compression = |script: Vec<Act>, name, code| Case {
        options: unix().compression(Use::Required).connect(|connect| {
            connect.compression_algorithms = vec![Algorithm::Lz4Message];
        }),
        end: (Negotiating, code),
        ..case(name, script, 0)
    };
    vec![
        compression(vec![Act::Hear, Act::Say(error(5175))], "compression is refused", 2066),
        compression(vec![Act::Hear, Act::Say(error(5002))], "compression is not known", 5002),
        compression(vec![Act::Hear, Act::Say(authenticated())], "success in place of Ok", MALFORMED),
        compression(vec![Act::Hear, Act::Say(challenge(NONCE))], "a nonce in place of Ok", MALFORMED),
        Case {
            options: clear().auth(Auth::Plain),
            end: (Connected, 2061),
            ..case("PLAIN where others read it", vec![Act::Say(hello())], 0)
        },
    ]
}

/// A server that refuses every attempt is not asked more often than there are mechanisms; and PLAIN is not among them.
fn attempts() {
    let reply = |message: &[u8]| match message.first() {
        Some(1) => vec![mechanisms(&["PLAIN", "MYSQL41", "SHA256_MEMORY", "EXTERNAL"])],
        Some(4) => vec![challenge(NONCE)],
        _ => vec![error(1045)],
    };
    let peer = Peer::x(&[Act::Answer(reply)]);
    let options = Arc::new(clear().build());
    must_fail(watch::run(connecting(&peer, &options)), (&peer, &options), AuthenticationFailed, 1045);
    assert_eq!(kinds(&peer.heard()), [1, 4, 5, 4, 5]);
}
