//! Calls of a session: dropped at every poll, the next one has its own rows and nobody else's; and servers that do not let a
//! call come to its end.

use std::pin::Pin;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use porpoise_driver::Operation;
use porpoise_driver::blocking::block_on;
use porpoise_driver::x::{Error, Results, Session};
use porpoise_hostile_tests::watch::{self, Poller};
use porpoise_hostile_tests::x::{
    bye, changed, column, done, error, executed, hello, limited, login, more, ok, row, session, statement,
    unix,
};
use porpoise_hostile_tests::{Act, Peer};
use porpoise_xproto::crud::Expect;
use porpoise_xproto::messages::notice::session_state_changed::Parameter;
use porpoise_xproto::messages::{prepare, sql};
use prost::Message as _;

use crate::trial;

const SEEDS: u64 = 8;

type Call = for<'a> fn(&'a mut Session) -> Boxed<'a>;
type Boxed<'a> = Pin<Box<dyn Future<Output = Result<Vec<String>, Error>> + 'a>>;

pub(crate) fn trials() -> Vec<Trial> {
    let calls: [(&str, Call); 12] = [
        ("rows", |session| Box::pin(cells(session, "rows first 5"))),
        ("results", |session| Box::pin(cells(session, "results first 3"))),
        ("an error", |session| Box::pin(cells(session, "fail first 3"))),
        ("no rows", |session| Box::pin(cells(session, "nothing first"))),
        ("results after their first batch", |session| Box::pin(first_batch(session))),
        ("run", |session| Box::pin(async { session.sql("rows first 9").run().await.map(|_| Vec::new()) })),
        ("a prepared statement", |session| Box::pin(prepared(session))),
        ("a cursor", |session| Box::pin(cursor(session))),
        ("a pipeline", |session| Box::pin(pipeline(session))),
        ("a transaction", |session| Box::pin(transaction(session))),
        ("ping", |session| Box::pin(async { session.ping().await.map(|()| Vec::new()) })),
        ("reset", |session| Box::pin(async { session.reset().await.map(|()| Vec::new()) })),
    ];
    let dropped = calls.into_iter().map(|(name, call)| {
        trial(format!("dropped at every poll: {name}"), move || {
            (0..SEEDS).for_each(|seed| dropped_at_every_poll(call, seed));
        })
    });
    dropped
        .chain([
            trial("dropped at every poll: close", close_dropped),
            trial("memory after many dropped calls", memory_after_many),
            trial("rows without end that nobody wants any more", too_much),
            trial("trap 22: a server that prepares no more statements", no_more_prepared),
            trial("a server that does not answer the goodbye", silent_goodbye),
            trial("a server that reads only when it is read", both_ways),
        ])
        .collect()
}

/// Answers a message so that the reply tells which statement it is for: the classic protocol's `answers::answer` in this one.
fn answer(message: &[u8]) -> Vec<Vec<u8>> {
    let Some((kind, payload)) = message.split_first() else { return vec![] };
    match kind {
        3 => vec![bye()],
        12 => sql::StmtExecute::decode(payload).map_or_else(|_| vec![error(5000)], |stmt| reply(&stmt.stmt)),
        // The first argument names an execution.
        41 => prepare::Execute::decode(payload).map_or_else(
            |_| vec![error(5000)],
            |execute| {
                let argument = execute.args.first().and_then(|any| any.scalar.as_ref()?.text().cloned());
                reply(&[b"rows ", &argument.unwrap_or_default()[..], b" 2"].concat())
            },
        ),
        43 => vec![column("name"), row(&[b"first\0"]), vec![15], executed()],
        45 => vec![row(&[b"first\0"]), done(), changed(Parameter::RowsAffected, 0), executed()],
        _ => vec![ok()],
    }
}

fn reply(stmt: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(stmt);
    let mut words = text.split(' ');
    let (what, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let count = words.next().and_then(|count| count.parse().ok()).unwrap_or(1);
    let one = || row(&[&[name.as_bytes(), &[0]].concat()]);
    let end = [changed(Parameter::RowsAffected, 0), executed()];
    match what {
        "rows" => {
            let rows = std::iter::repeat_n(one(), count);
            [column("name")].into_iter().chain(rows).chain([done()]).chain(end).collect()
        }
        "results" => {
            let results = (0..count).flat_map(|_| [column("name"), one(), hello(), one(), more()]);
            results.chain([done()]).chain(end).collect()
        }
        "fail" => [column("name")]
            .into_iter()
            .chain(std::iter::repeat_n(one(), count))
            .chain([error(1317)])
            .collect(),
        _ => end.into(),
    }
}

fn answered(seed: u64) -> (Session, Peer) {
    let peer = Peer::x(&[&login()[..], &[Act::Answer(answer)]].concat()).with_moods(seed);
    (session(&peer, unix()), peer)
}

async fn read(results: &mut Results<'_>) -> Result<Vec<String>, Error> {
    let mut cells = Vec::new();
    loop {
        while let Some(batch) = results.next_batch().await? {
            for row in &batch {
                cells.push(row.get_as(0)?);
            }
        }
        if !results.next_result().await? {
            return Ok(cells);
        }
    }
}

async fn cells(session: &mut Session, sql: &str) -> Result<Vec<String>, Error> {
    let mut results = session.sql(sql).execute().await?;
    read(&mut results).await
}

async fn first_batch(session: &mut Session) -> Result<Vec<String>, Error> {
    let mut results = session.sql("results first 3").execute().await?;
    results.next_batch().await?;
    // The rest is left to the next call.
    Ok(Vec::new())
}

async fn prepared(session: &mut Session) -> Result<Vec<String>, Error> {
    let statement = session.prepare("rows ? 2").await?;
    let mut results = session.exec(&statement, ("first",)).await?;
    read(&mut results).await
}

async fn cursor(session: &mut Session) -> Result<Vec<String>, Error> {
    let statement = session.prepare("rows ? 2").await?;
    let mut cursor = session.cursor(&statement, ("first",), 1).await?;
    let mut cells = Vec::new();
    while let Some(batch) = cursor.next_batch().await? {
        for row in &batch {
            cells.push(row.get_as(0)?);
        }
    }
    Ok(cells)
}

async fn pipeline(session: &mut Session) -> Result<Vec<String>, Error> {
    let mut pipeline = session.pipeline();
    pipeline.sql("rows first 2", ())?;
    pipeline.expect(Expect::new().no_error(), |pipeline| {
        pipeline.sql("results first 2", ())?;
        pipeline.sql("rows first 3", ()).map(|_| ())
    })?;
    let mut replies = pipeline.send().await?;
    let mut cells = Vec::new();
    while let Some(mut results) = replies.next().await? {
        cells.extend(read(&mut results).await?);
    }
    Ok(cells)
}

async fn transaction(session: &mut Session) -> Result<Vec<String>, Error> {
    let mut transaction = session.begin(Default::default()).await?;
    let cells = cells(&mut transaction, "rows first 2").await?;
    transaction.commit().await?;
    Ok(cells)
}

fn dropped_at_every_poll(call: Call, seed: u64) {
    let poller = Poller::default();
    for polls in 0.. {
        let (mut session, peer) = answered(seed);
        let before = peer.heard().packets.len();
        let outcome = poller.poll_times(call(&mut session).as_mut(), polls);
        let at = format!("seed {seed}, dropped after {polls} polls");
        assert!(session.is_usable(), "{at}");
        for name in ["second", "third"] {
            let own = watch::run(cells(&mut session, &format!("results {name} 2")));
            assert_eq!(own.unwrap_or_else(|error| panic!("{at}: {error}")), [name; 4], "{at}");
        }
        if polls == 0 {
            assert_eq!(peer.heard().packets.len() - before, 2, "what is never polled does nothing");
        }
        if let Some(outcome) = outcome {
            let expected = outcome.as_ref().is_ok_and(|cells| cells.iter().all(|cell| cell == "first"));
            assert!(expected || matches!(outcome, Err(Error::Server(_))), "{outcome:?}");
            return;
        }
    }
}

fn close_dropped() {
    let poller = Poller::default();
    for (seed, polls) in (0..SEEDS).flat_map(|seed| (0..30).map(move |polls| (seed, polls))) {
        let (session, peer) = answered(seed);
        let mut close = Box::pin(session.close());
        // The server never hangs up, so that this is never over.
        drop(watch::settle(watch::give_up_after(polls, &mut close)));
        drop(close);
        assert!(!peer.is_linked(), "the link is held");
    }
    drop(poller);
}

/// Calls dropped here and there leave nothing behind that grows.
fn memory_after_many() {
    let poller = Poller::default();
    let (mut session, _peer) = answered(1);
    let mut round = |polls: usize| {
        let mut call = Box::pin(pipeline(&mut session));
        poller.poll_times(call.as_mut(), polls);
    };
    (0..100).for_each(&mut round);
    let ((), info) = watch::measure(|| (0..500).for_each(|n| round(n % 100)));
    assert!(info.bytes_current.abs() < 64 << 10, "{} bytes more", info.bytes_current);
    assert_eq!(watch::run(cells(&mut session, "rows last 1")).expect("a usable session"), ["last"]);
}

/// The next call reads as much as a dropped result may have left, and no more.
fn too_much() {
    let rows = [Act::Hear, Act::Say(column("c")), Act::Round(vec![row(&[&[b'x'; 900]])])];
    let peer = Peer::x(&[&login()[..], &rows].concat());
    let mut session = session(&peer, limited(unix(), 16 << 10));
    let (error, info) = watch::measure(|| {
        watch::run(async {
            drop(session.sql("x").execute().await.expect("columns"));
            session.ping().await.expect_err("too much to drain")
        })
    });
    assert!(matches!(error, Error::Unusable(Operation::TooMuchToDrain)), "{error:?}");
    assert!(peer.heard().given < 4 << 20, "{} bytes were read", peer.heard().given);
    assert!(info.bytes_max < 128 << 10, "{} bytes at a time", info.bytes_max);
    assert!(!session.is_usable() && !peer.is_linked());
}

/// Where the server has no more room for prepared statements, they run without being prepared.
fn no_more_prepared() {
    let full = |message: &[u8]| match message.first() {
        Some(40) => vec![error(1461)],
        Some(12) => vec![column("name"), row(&[b"direct\0"]), done(), executed()],
        // What was not prepared can neither be run nor closed.
        _ => vec![error(5110)],
    };
    let peer = Peer::x(&[&login()[..], &[Act::Answer(full)]].concat());
    let mut session = session(&peer, unix());
    for _ in 0..3 {
        let cells = watch::run(async {
            let mut results = session.exec_sql("select ?", ("x",)).await?;
            read(&mut results).await
        });
        assert_eq!(cells.unwrap_or_else(|error| panic!("{error}")), ["direct"]);
    }
    assert!(session.is_usable());
    // Nothing was executed, and nothing closed, that was not prepared before.
    let kinds = porpoise_hostile_tests::x::kinds(&peer.heard());
    assert!(kinds.contains(&40) && kinds.iter().filter(|kind| **kind == 12).count() == 3, "{kinds:?}");
}

/// It is given a few seconds, and then left.
fn silent_goodbye() {
    let peer = Peer::x(&login());
    let session = session(&peer, unix());
    let start = Instant::now();
    drop(block_on(session.close()));
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert!(!peer.is_linked());
}

/// A server that takes no more than some bytes ahead of what is read of its replies: a client that writes all before it reads
/// would wait for ever. And what is held of it all is what was asked, not what is answered.
fn both_ways() {
    const STATEMENTS: usize = 200;
    let peer = Peer::x(
        &[
            &login()[..],
            &[Act::Answer(|_| vec![column("name"), row(&[&[b'x'; 20_000]]), done(), executed()])],
        ]
        .concat(),
    );
    let mut session = session(&peer, unix());
    let text = "x".repeat(10_000);
    let (rows, info) = watch::measure(|| {
        let mut rows = 0;
        let poller = Poller::default();
        let mut reading = Box::pin(async {
            for _ in 0..STATEMENTS {
                session
                    .message_now(|connection, cx| connection.send(&statement(&text), cx))
                    .expect("it may be sent");
            }
            while let Some(event) = session.next_event().await.expect("a reply") {
                if let porpoise_xproto::Event::Rows(batch) = event {
                    rows += batch.len();
                }
            }
        });
        let mut cx = std::task::Context::from_waker(poller.waker());
        // Each time it takes 15 000 bytes, and gives what it has to say to them.
        for _ in 0..10 * STATEMENTS {
            peer.hold(usize::MAX / 2, 15_000);
            if reading.as_mut().poll(&mut cx).is_ready() {
                break;
            }
        }
        drop(reading);
        rows
    });
    assert_eq!(rows, STATEMENTS);
    // What waits to be written, in a buffer that grows by doubling.
    let most = (2 * STATEMENTS * 10_100 + (1 << 20)) as u64;
    assert!(info.bytes_max < most, "{} bytes at a time, not {most}", info.bytes_max);
}
