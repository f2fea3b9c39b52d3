//! Connects and statements that would succeed: ended behind every byte, every byte changed, and dropped at every poll.

use std::pin::Pin;
use std::sync::Arc;

use libtest_mimic::Trial;
use porpoise_driver::x::{Error, OptionsBuilder};
use porpoise_hostile_tests::watch::Poller;
use porpoise_hostile_tests::x::{
    NONCE, authenticated, challenge, changed, clear, column, connecting, done, executed, frame, hello, login,
    mechanisms, message, more, ok, read, row, session, unix, warning,
};
use porpoise_hostile_tests::{Act, Heard, Peer, watch};
use porpoise_xproto::connect::{Auth, Use};
use porpoise_xproto::messages::notice::session_state_changed::Parameter;
use porpoise_xproto::messages::resultset;

use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (name, options, script) in connects() {
        let all = (options, script);
        let test = |what: &str, test: fn(OptionsBuilder, &[Act])| {
            let (options, script) = all.clone();
            trial(format!("cut: {name}, {what}"), move || test(options, &script))
        };
        trials.push(test("ended behind every byte", ended));
        trials.push(test("every byte changed", changed_bytes));
        trials.push(test("dropped at every poll", dropped));
        trials.push(test("put down after every poll", resumed));
    }
    trials.push(trial("cut: a reply, ended behind every byte", reply_ended));
    trials.push(trial("cut: a reply, every byte changed", reply_changed));
    trials.push(trial("cut: a session, dropped at every poll", session_dropped));
    trials
}

fn connects() -> Vec<(&'static str, OptionsBuilder, Vec<Act>)> {
    let id = changed(Parameter::ClientIdAssigned, 7);
    let success = [Act::Say(id), Act::Say(authenticated())];
    let warm = [
        Act::Say(hello()),
        Act::Hear,
        Act::Hear,
        Act::Say(mechanisms(&["SHA256_MEMORY"])),
        Act::Say(challenge(NONCE)),
        Act::Hear,
    ];
    let asked = [Act::Hear, Act::Say(ok()), Act::Hear];
    vec![
        ("PLAIN", unix(), login()),
        ("SHA256_MEMORY", clear(), [&warm[..], &success].concat()),
        ("EXTERNAL", unix().auth(Auth::External), login()),
        ("compression", unix().compression(Use::Required), [&asked[..], &success].concat()),
    ]
}

/// Ended too early, a connect says so.
fn ended(options: OptionsBuilder, script: &[Act]) {
    let options = Arc::new(options.build());
    for cut in 0.. {
        let peer = Peer::x(script).cut_after(cut);
        match watch::run(connecting(&peer, &options)) {
            Ok(_) => {
                assert!(cut > 10);
                return;
            }
            Err(error) => assert_eq!(error.code(), 2013, "{cut}: {error:?}"),
        }
    }
}

/// What the server says, with every byte of it changed in turn: an error or a session, never a panic.
fn changed_bytes(options: OptionsBuilder, script: &[Act]) {
    let options = Arc::new(options.build());
    let mut sessions = 0;
    for (place, act) in script.iter().enumerate() {
        let Act::Say(said) = act else { continue };
        let said = frame(said);
        for at in 0..said.len() {
            for change in [1, 0x80, 0xff] {
                let mut other = said.clone();
                other.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= change);
                let mut script = script.to_vec();
                script.splice(place..=place, [Act::Raw(other)]);
                script.push(Act::Close);
                // It may also wait for the rest of a message that became longer.
                match watch::settle(connecting(&Peer::x(&script), &options)) {
                    Some(Err(error)) => {
                        // An Error may be of any number.
                        assert!(error.is_fatal() && (error.code() != 0 || error.server_error().is_some()));
                    }
                    outcome => sessions += usize::from(outcome.is_some()),
                }
            }
        }
    }
    assert!(sessions > 0, "a client's number may be any");
}

/// Every byte of the heap is given back.
fn dropped(options: OptionsBuilder, script: &[Act]) {
    let options = Arc::new(options.build());
    for seed in 0..3 {
        let peer = || Peer::x(script).with_moods(seed);
        let (outcome, polls) = watch::run_counted(connecting(&peer(), &options));
        assert!(outcome.is_ok() && polls > 3, "{polls}");
        drop(outcome);
        let poller = Poller::default();
        for most in 0..=polls {
            let peer = peer();
            let ((), info) = watch::measure(|| {
                let mut connecting = connecting(&peer, &options);
                drop(poller.poll_times(Pin::new(&mut connecting), most));
            });
            let left = (info.bytes_current, info.count_current);
            assert_eq!(left, (0, 0), "seed {seed}, dropped after {most} of {polls} polls");
        }
    }
}

/// Only the future that polls is dropped; the connect goes on where it was.
fn resumed(options: OptionsBuilder, script: &[Act]) {
    let options = Arc::new(options.build());
    let packets = |heard: &Heard| heard.packets.clone();
    let undisturbed = Peer::x(script);
    assert!(watch::run(connecting(&undisturbed, &options)).is_ok());
    for step in 1..5 {
        let peer = Peer::x(script).with_moods(step as u64);
        let mut connecting = connecting(&peer, &options);
        let session = loop {
            let mut polling = Box::pin(async { (&mut connecting).await });
            if let Some(session) = Poller::default().poll_times(polling.as_mut(), step) {
                break session;
            }
        };
        assert!(session.is_ok(), "every {step} polls: {session:?}");
        assert_eq!(packets(&peer.heard()), packets(&undisturbed.heard()));
    }
}

/// A reply with everything in it.
fn reply() -> Vec<Vec<u8>> {
    let meta = resultset::ColumnMetaData {
        r#type: 7,
        collation: Some(255),
        length: Some(80),
        flags: Some(0x10),
        ..Default::default()
    };
    vec![
        message(12, &meta),
        column("d"),
        row(&[b"pearl\0", b""]),
        row(&[b"oyster\0", b"x\0"]),
        more(),
        column("e"),
        row(&[b"y\0"]),
        done(),
        warning(2, true, 1365),
        changed(Parameter::RowsAffected, 0),
        executed(),
    ]
}

fn reply_ended() {
    let wire: Vec<u8> = reply().iter().flat_map(|message| frame(message)).collect();
    for end in 0..=wire.len() {
        let part = wire.iter().copied().take(end).collect();
        let peer = Peer::x(&[&login()[..], &[Act::Hear, Act::Raw(part), Act::Close]].concat());
        let mut session = session(&peer, unix());
        let (told, error) = watch::run(read(&mut session, 1));
        match error {
            None => assert_eq!((end, told.len()), (wire.len(), 10), "{told:?}"),
            Some(error) => assert_eq!(error.code(), 2013, "{end}: {error:?}"),
        }
    }
}

fn reply_changed() {
    let wire: Vec<u8> = reply().iter().flat_map(|message| frame(message)).collect();
    for at in 0..wire.len() {
        for change in [1, 0x80, 0xff] {
            let mut other = wire.clone();
            other.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= change);
            let peer = Peer::x(&[&login()[..], &[Act::Hear, Act::Raw(other), Act::Close]].concat());
            let mut session = session(&peer, unix());
            let (told, error) = watch::run(read(&mut session, 1));
            assert!(told.len() < 20, "{told:?}");
            if let Some(error) = error {
                assert!(matches!(error, Error::Session(_)), "{error:?}");
                assert!(!session.is_usable());
            }
        }
    }
}

/// What is read of a reply may be dropped anywhere: nothing is left but what the session holds, and nothing then.
fn session_dropped() {
    let script: Vec<Act> = [&login()[..], &[Act::Hear]].concat();
    let script: Vec<Act> = script.into_iter().chain(reply().into_iter().map(Act::Say)).collect();
    let options = Arc::new(unix().build());
    for seed in 0..3 {
        for polls in 0..60 {
            let peer = Peer::x(&script).with_moods(seed);
            // The server keeps a waker, and that its poller.
            let poller = Poller::default();
            let (done, info) = watch::measure(|| {
                let mut connecting = connecting(&peer, &options);
                let session = poller.poll_times(Pin::new(&mut connecting), usize::MAX);
                let mut session = session.and_then(Result::ok).expect("a session");
                let mut reading = Box::pin(read(&mut session, 1));
                poller.poll_times(reading.as_mut(), polls).is_some()
            });
            assert_eq!(
                (info.bytes_current, info.count_current),
                (0, 0),
                "seed {seed}, {polls} polls, {done}"
            );
        }
    }
}
