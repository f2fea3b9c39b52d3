//! A change of user that is dropped: before it began the client is as it was, after that it is of no more use, and
//! says why.

use std::sync::Arc;

use libtest_mimic::Trial;
use porpoise_classic_connect::ConnectOptions;
use porpoise_driver::{Error, Operation};
use porpoise_hostile_tests::Act;
use porpoise_hostile_tests::cases::SECRET;
use porpoise_hostile_tests::connects;
use porpoise_hostile_tests::packets::{err, ok, switch_with_nonce};
use porpoise_hostile_tests::watch::{self, Poller};

use porpoise_hostile_tests::answers::{answer, cells, connect};

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let trial = |name, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    [
        trial("dropped at every poll: change_user", dropped),
        trial("change_user that fails", fails),
        trial("change_user to a server that hangs up", closed),
    ]
    .into_iter()
}

fn other() -> Arc<ConnectOptions> {
    Arc::new(ConnectOptions::builder().user("whale").password(SECRET).build().expect("options"))
}

fn accepted() -> Vec<Act> {
    let switch = Act::Say(switch_with_nonce("mysql_native_password"));
    vec![Act::Hear, switch, Act::Hear, Act::Say(ok()), Act::Answer(answer)]
}

fn dropped() {
    for seed in 0..12 {
        let poller = Poller::default();
        for polls in 0.. {
            // A client on which nothing was polled still answers statements.
            let then = if polls == 0 { vec![Act::Answer(answer)] } else { accepted() };
            let (mut client, peer) = connect(&connects::fast(), &then, Some(seed));
            let mut call = Box::pin(client.change_user(other()));
            let outcome = poller.poll_times(call.as_mut(), polls);
            drop(call);
            if polls == 0 || outcome.is_some() {
                outcome.transpose().unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(watch::run(cells(&mut client, "rows second 1")).expect("rows"), ["second"]);
                if polls > 0 {
                    break;
                }
                continue;
            }
            for _ in 0..2 {
                let error = watch::run(cells(&mut client, "rows second 1")).expect_err("a dropped change");
                let dropped = matches!(error, Error::Unusable(Operation::ChangeUserDropped));
                assert!(dropped, "seed {seed}, {polls} polls: {error:?}");
                assert!(error.is_fatal() && error.to_string().contains("change of user"), "{error}");
            }
            assert!(!client.is_usable());
            assert!(!peer.heard().leaks(SECRET));
            assert!(watch::run(client.close()).is_ok());
            assert!(!peer.is_linked());
        }
    }
}

fn fails() {
    let then = [Act::Hear, Act::Say(err(1045, "no")), Act::Answer(answer)];
    let (mut client, peer) = connect(&connects::fast(), &then, None);
    let error = watch::run(client.change_user(other())).expect_err("a refusal");
    assert!(matches!(error, Error::Connect(_)) && error.code() == 1045, "{error:?}");
    let error = watch::run(client.ping()).expect_err("a closed session");
    assert!(matches!(error, Error::Unusable(Operation::Closed)), "{error:?}");
    assert!(!peer.is_linked(), "the connection is not closed");
}

fn closed() {
    let (mut client, peer) = connect(&connects::fast(), &[Act::Hear, Act::Close], None);
    let error = watch::run(client.change_user(other())).expect_err("a lost connection");
    assert!(matches!(error, Error::Connect(_)) && error.code() == 2013, "{error:?}");
    assert!(error.advice().is_some());
    assert!(!client.is_usable() && !peer.is_linked());
}
