//! Replies without end, and messages as large as they may be: what a session holds of them at a time stays under twice the
//! limit of a message and 64 KiB.

use std::future::Future as _;
use std::sync::Arc;

use libtest_mimic::Trial;
use porpoise_driver::x::Session;
use porpoise_hostile_tests::x::{
    changed, column, connecting, done, error, executed, hello, limited, login, message, more, notice, row,
    session, statement, unix, warning,
};
use porpoise_hostile_tests::{Act, Peer, watch};
use porpoise_xproto::Event;
use porpoise_xproto::messages::notice::session_state_changed::Parameter;

use crate::trial;

const LIMIT: usize = 16 << 10;
/// How much of an endless reply is read.
const MUCH: usize = 1 << 20;

pub(crate) fn trials() -> Vec<Trial> {
    let x = |len: usize| vec![b'x'; len];
    let rows = |cells: &[usize]| cells.iter().map(|len| row(&[&x(*len)])).collect::<Vec<_>>();
    // What begins a reply, and what then comes again and again.
    type Reply = (&'static str, Vec<Vec<u8>>, Vec<Vec<u8>>);
    let replies: Vec<Reply> = vec![
        ("rows", vec![column("c")], rows(&[9])),
        ("rows of all sizes", vec![column("c")], rows(&[1, 16_000, 0, 9000])),
        ("rows without columns", vec![], rows(&[9, 15_000])),
        ("rows of nothing", vec![column("c")], vec![vec![13]]),
        ("results", vec![], vec![column("c"), row(&[b"x\0"]), more()]),
        ("results, each of other columns", vec![], {
            ["a", "b", &"c".repeat(200)]
                .iter()
                .flat_map(|name| [column(name), row(&[b"x\0"]), more()])
                .collect()
        }),
        ("results without rows", vec![], vec![column("c"), done()]),
        ("local notices", vec![], vec![changed(Parameter::RowsAffected, 7), warning(2, true, 1365)]),
        ("global notices", vec![], vec![hello(), warning(1, false, 1365)]),
        ("notices that nobody knows", vec![], vec![notice(77, true, x(5000)), notice(78, false, x(5000))]),
        ("reasons to end", vec![], vec![warning(3, false, 3169)]),
        ("columns, rows and notices", vec![column("c")], {
            vec![row(&[b"x\0"]), changed(Parameter::RowsAffected, 7), row(&[&x(12_000)]), hello()]
        }),
    ];
    let endless = replies.into_iter().map(|(name, first, again)| {
        trial(format!("flood: {name} without end"), move || {
            let start = first.into_iter().map(Act::Say);
            let acts: Vec<Act> = [Act::Hear].into_iter().chain(start).chain([Act::Round(again)]).collect();
            let (mut session, peer) = limited_session(LIMIT, &acts);
            let events = bounded(LIMIT, || watch::run(much(&mut session, &peer)));
            assert!(events > 30, "{events} events");
        })
    });
    let large = [16 << 10, 100 << 10, 1 << 20, 5 << 20].into_iter().flat_map(|limit| {
        sizes(limit).into_iter().map(move |(name, messages)| {
            trial(format!("flood: {name}, limit {} KiB", limit >> 10), move || large(limit, &messages))
        })
    });
    let more = [
        trial("flood: columns without end", columns),
        trial("flood: notices in place of a login", at_login),
        trial("flood: notices while nothing is asked for", idle),
        trial("flood: frames that announce much", announced),
        trial("flood: errors in place of a pipeline's replies", errors),
    ];
    endless.chain(large).chain(more).collect()
}

fn limited_session(limit: usize, acts: &[Act]) -> (Session, Peer) {
    let peer = Peer::x(&[&login()[..], acts].concat());
    (session(&peer, limited(unix(), limit)), peer)
}

/// Holds what is allocated at a time against the bound.
fn bounded<T>(limit: usize, read: impl FnOnce() -> T) -> T {
    let (read, info) = watch::measure(read);
    let most = (2 * limit + (64 << 10)) as u64;
    assert!(info.bytes_max <= most, "limit {limit}: {} bytes at a time, {most} are allowed", info.bytes_max);
    read
}

/// Reads much of a reply. The number of its events.
async fn much(session: &mut Session, peer: &Peer) -> usize {
    session.message_now(|connection, cx| connection.send(&statement("x"), cx)).expect("it may be sent");
    let (mut events, start) = (0, peer.heard().given);
    while peer.heard().given < start + MUCH {
        let event = session.next_event().await.expect("a reply");
        assert!(event.is_some_and(|event| !matches!(event, Event::Error(_))), "it ends");
        events += 1;
    }
    events
}

/// Messages as large as the limit has them.
fn sizes(limit: usize) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    // The tags and lengths around what is inside.
    let inside = limit - 30;
    let cell = |len: usize| row(&[&vec![b'x'; len]]);
    vec![
        ("a row", vec![column("c"), cell(inside), done(), executed()]),
        ("rows of all sizes", {
            let rows = [inside, 1, inside / 2, inside, 0, inside / 3].map(cell);
            [vec![column("c")], rows.to_vec(), vec![done(), executed()]].concat()
        }),
        ("a row of small cells", {
            let cells = vec![&b"x\0"[..]; inside / 4];
            vec![column("c"), row(&cells), done(), executed()]
        }),
        ("a row of NULLs", vec![column("c"), row(&vec![&b""[..]; inside / 2]), done(), executed()]),
        ("a notice", vec![notice(77, true, vec![7; inside]), executed()]),
        ("a message for people", {
            let text = "x".repeat(inside - 30);
            let changed = porpoise_xproto::messages::notice::SessionStateChanged {
                param: Parameter::ProducedMessage.into(),
                value: vec![text.as_str().into()],
            };
            vec![notice(3, true, prost::Message::encode_to_vec(&changed)), executed()]
        }),
        ("an error", {
            let msg = "x".repeat(inside);
            let error = porpoise_xproto::messages::Error {
                severity: None,
                code: 1064,
                sql_state: "HY000".into(),
                msg,
            };
            vec![message(1, &error)]
        }),
        ("columns as large as they may be", {
            // Together they may have a quarter of the limit.
            let name = "c".repeat(200);
            vec![column(&name); limit / 4 / 220].into_iter().chain([done(), executed()]).collect()
        }),
    ]
}

fn large(limit: usize, messages: &[Vec<u8>]) {
    let acts: Vec<Act> = [Act::Hear].into_iter().chain(messages.iter().cloned().map(Act::Say)).collect();
    let (mut session, _peer) = limited_session(limit, &acts);
    let events = bounded(limit, || {
        watch::run(async {
            session
                .message_now(|connection, cx| connection.send(&statement("x"), cx))
                .expect("it may be sent");
            let mut events = 0;
            while session.next_event().await.expect("a reply").is_some() {
                events += 1;
            }
            events
        })
    });
    assert!(events > 0 && session.is_usable(), "{events} events");
}

/// There is no count of columns: what may come of them is bounded by their number and their size.
fn columns() {
    for (what, column) in [("small ones", vec![12, 8, 1]), ("large ones", column(&"c".repeat(3000)))] {
        let (mut session, peer) = limited_session(LIMIT, &[Act::Hear, Act::Round(vec![column])]);
        let error = bounded(LIMIT, || {
            watch::run(async {
                session
                    .message_now(|connection, cx| connection.send(&statement("x"), cx))
                    .expect("it may be sent");
                session.next_event().await.expect_err("too many")
            })
        });
        assert_eq!(error.code(), 2027, "{what}: {error:?}");
        assert!(peer.heard().given < 200 << 10, "{what}: {} bytes were read", peer.heard().given);
    }
}

/// A connect that is told things without end ends by its time, and keeps none of them.
fn at_login() {
    for messages in [vec![hello()], vec![warning(1, false, 1000)], vec![notice(77, false, vec![7; 5000])]] {
        let peer = Peer::x(&[Act::Hear, Act::Round(messages)]);
        let options = Arc::new(limited(unix(), LIMIT).build());
        bounded(LIMIT, || {
            let mut connecting = connecting(&peer, &options);
            let poller = watch::Poller::default();
            while peer.heard().given < MUCH {
                let mut polled = std::pin::pin!(async {
                    let limit = peer.heard().given + (64 << 10);
                    std::future::poll_fn(|cx| {
                        let done = std::pin::Pin::new(&mut connecting).poll(cx);
                        assert!(done.is_pending(), "it ended");
                        if peer.heard().given >= limit {
                            std::task::Poll::Ready(())
                        } else {
                            std::task::Poll::Pending
                        }
                    })
                    .await;
                });
                poller.poll_times(polled.as_mut(), 100_000).expect("it reads on");
            }
        });
    }
}

/// Global notices that nobody asks for are kept in small number; and they are read at all.
fn idle() {
    let round = vec![warning(1, false, 1000), notice(77, false, vec![7; 300])];
    let (mut session, peer) = limited_session(LIMIT, &[Act::Round(round)]);
    bounded(LIMIT, || {
        watch::run(async {
            while peer.heard().given < MUCH {
                assert!(matches!(session.recv().await, Ok(Event::Notice(_))));
            }
        });
    });
}

/// What a length says is held against the limit before anything is reserved for it.
fn announced() {
    let one_more = u32::try_from(LIMIT + 1).expect("it fits");
    for (kind, len) in
        [1, 3, 11, 12, 13, 19].into_iter().flat_map(|kind| [(kind, one_more), (kind, u32::MAX)])
    {
        let header = porpoise_hostile_tests::x::header(len, kind);
        let (mut session, _peer) = limited_session(LIMIT, &[Act::Hear, Act::Raw(header), Act::Close]);
        let error = bounded(0, || {
            watch::run(async {
                session
                    .message_now(|connection, cx| connection.send(&statement("x"), cx))
                    .expect("it may be sent");
                session.next_event().await.expect_err("it is refused")
            })
        });
        assert_eq!(error.code(), 2020, "{error:?}");
    }
}

/// Errors are replies; each is of one message, and those behind are not lost.
fn errors() {
    let (mut session, _peer) = limited_session(LIMIT, &[Act::Hear, Act::Round(vec![error(1064)])]);
    let told = bounded(LIMIT, || watch::run(porpoise_hostile_tests::x::read(&mut session, 100)).0.len());
    assert_eq!(told, 100);
}
