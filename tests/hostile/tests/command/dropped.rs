//! Each command dropped at every byte of what it writes, at every byte of its reply, and at every poll: what was not read
//! is read by the next call, which gets its own rows.

use std::sync::Arc;

use libtest_mimic::Trial;
use porpoise_classic::Columns;
use porpoise_driver::{Client, Options};
use porpoise_hostile_tests::answers::{cells, login};
use porpoise_hostile_tests::talks::{self, Talk};
use porpoise_hostile_tests::watch::{self, Poller};
use porpoise_hostile_tests::{Act, Peer};

use super::played::options;

const SEEDS: u64 = 3;

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let ways: [(&str, Way); 3] = [
        ("at every byte of the reply", at_bytes_read),
        ("at every byte of the command", at_bytes_written),
        ("at every poll", at_polls),
    ];
    talks::all().into_iter().flat_map(move |talk| {
        ways.into_iter().map(move |(what, test)| {
            let talk = talk.clone();
            Trial::test(format!("dropped {what}: {}, {:?}", talk.name, talk.dialect), move || {
                (0..talk.sends.len()).for_each(|command| test(&talk, command, &options(&talk)));
                Ok(())
            })
        })
    })
}

/// Drops this command of a talk.
type Way = fn(&Talk, usize, &Arc<Options>);

/// A client in the middle of a talk.
struct Scene<'a> {
    talk: &'a Talk,
    command: usize,
    peer: Peer,
    client: Client,
    columns: Columns,
}

impl<'a> Scene<'a> {
    /// The commands before this one were run.
    fn new(
        talk: &'a Talk,
        command: usize,
        options: &Arc<Options>,
        server: &[Act],
        moods: Option<u64>,
    ) -> Self {
        let peer = Peer::new(server);
        let peer = match moods {
            Some(seed) => peer.with_moods(seed),
            None => peer,
        };
        let client = login(&peer, Arc::clone(options));
        let mut scene = Self { talk, command, peer, client, columns: Columns::default() };
        let Self { client, columns, .. } = &mut scene;
        watch::run(talk.run_some(client, 0..command, columns, &mut drop)).expect("what comes before");
        scene
    }

    /// Runs the command until it waits, and drops it then. Whether it came to its end.
    fn begin(&mut self) -> bool {
        let Self { talk, command, client, columns, .. } = self;
        let (client, columns) = (client, columns);
        let ended = watch::settle(talk.run_some(client, *command..*command + 1, columns, &mut drop));
        ended.is_some_and(|result| result.map(|()| true).expect("a session that goes on"))
    }

    /// Whatever was left is read, and belongs to nobody.
    fn check(mut self, at: &str) {
        let at = format!("command {}: dropped {at}", self.command);
        assert!(self.client.is_usable(), "{at}");
        for (name, count) in [("second", 2), ("third", 1)] {
            let cells = watch::run(cells(&mut self.client, &format!("rows {name} {count}")));
            let cells = cells.unwrap_or_else(|error| panic!("{at}: {error}"));
            assert_eq!(cells, vec![name; count], "{at}");
        }
    }
}

fn at_bytes_read(talk: &Talk, command: usize, options: &Arc<Options>) {
    let server = || talk.server();
    for bytes in 0.. {
        let mut scene = Scene::new(talk, command, options, &server(), None);
        scene.peer.hold(bytes, usize::MAX);
        let ended = scene.begin();
        scene.peer.release();
        scene.check(&format!("after {bytes} bytes of the reply"));
        if ended {
            return;
        }
    }
}

fn at_bytes_written(talk: &Talk, command: usize, options: &Arc<Options>) {
    for bytes in 0.. {
        let mut scene = Scene::new(talk, command, options, &talk.server(), None);
        let before = scene.peer.heard().packets.len();
        // Nothing is read, so that a command ends with its last byte only if it has no reply.
        scene.peer.hold(0, bytes);
        let ended = scene.begin();
        let sent = scene.peer.heard().packets.len() > before;
        scene.peer.release();
        scene.check(&format!("after {bytes} bytes of the command"));
        if ended || sent {
            return;
        }
    }
}

fn at_polls(talk: &Talk, command: usize, options: &Arc<Options>) {
    let poller = Poller::default();
    for seed in 0..SEEDS {
        for polls in 0.. {
            let mut scene = Scene::new(talk, command, options, &talk.server(), Some(seed));
            let Scene { client, columns, .. } = &mut scene;
            let mut ignore = drop;
            let mut call = Box::pin(talk.run_some(client, command..command + 1, columns, &mut ignore));
            let ended = poller.poll_times(call.as_mut(), polls).is_some();
            drop(call);
            scene.check(&format!("seed {seed}, after {polls} polls"));
            if ended {
                break;
            }
        }
    }
}
