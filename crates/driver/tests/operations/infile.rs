use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::AsyncRead;
use porpoise_driver::{Client, Error, Operation};
use porpoise_hostile_tests::watch::{self, Poller};

use crate::server::{answered, cells, heard};

/// A file of so many bytes, all `#`, that is never ready at first, and breaks off if told so.
struct File {
    left: usize,
    ready: bool,
    breaks: bool,
}

impl File {
    const fn of(left: usize) -> Self {
        Self { left, ready: false, breaks: false }
    }
}

impl AsyncRead for File {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.ready = !self.ready;
        if self.ready {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let n = self.left.min(buf.len());
        if n == 0 && self.breaks {
            return Poll::Ready(Err(io::Error::other("torn")));
        }
        buf[..n].fill(b'#');
        self.left -= n;
        Poll::Ready(Ok(n))
    }
}

async fn load(client: &mut Client, bytes: usize) -> Result<(), Error> {
    let results = client
        .query_infile("LOAD file", |name| {
            assert_eq!(name, b"file");
            Ok(File::of(bytes))
        })
        .await?;
    results.finish().await
}

#[test]
fn a_file_is_sent_and_ended() {
    let (mut client, peer) = answered(Some(1));
    watch::run(async {
        load(&mut client, 100_000).await.unwrap();
        client.ping().await.unwrap();
    });
    let heard = heard(&peer);
    let bytes: usize = heard.iter().filter(|packet| packet.starts_with('#')).map(String::len).sum();
    assert_eq!(bytes, 100_000);
    assert_eq!(heard[heard.len() - 2..], ["", "ping"]);
}

#[test]
fn a_statement_that_asks_for_none_gets_none() {
    let (mut client, peer) = answered(None);
    watch::run(async {
        let open = |_: &[u8]| -> io::Result<File> { panic!("no file was asked for") };
        let results = client.query_infile("rows a 2", open).await.unwrap();
        results.finish().await.unwrap();
        let error = client.query_infile("fail a", open).await.unwrap_err();
        assert!(matches!(error, Error::Server(_)));
        // The permission is gone with its statement.
        let error = client.query_drop("LOAD file").await.unwrap_err();
        assert!(matches!(error, Error::InfileRefused(_)));
    });
    assert_eq!(heard(&peer), ["rows a 2", "fail a", "LOAD file", ""]);
}

#[test]
fn a_reader_that_fails_is_told_and_the_session_goes_on() {
    let (mut client, peer) = answered(None);
    watch::run(async {
        let error =
            client.query_infile::<File>("LOAD a", |_| Err(io::Error::other("locked"))).await.unwrap_err();
        assert!(matches!(&error, Error::Source(io) if io.to_string() == "locked") && !error.is_fatal());
        let torn = File { breaks: true, ..File::of(10) };
        let error = client.query_infile("LOAD b", |_| Ok(torn)).await.unwrap_err();
        assert!(matches!(&error, Error::Source(io) if io.to_string() == "torn"));
        assert_eq!(cells(&mut client, "rows x 1").await.unwrap(), ["x"]);
    });
    assert_eq!(heard(&peer), ["LOAD a", "", "LOAD b", "##########", "", "rows x 1"]);
}

/// The server never takes the half of a file for the whole.
#[test]
fn it_is_dropped_at_every_poll() {
    let poller = Poller::default();
    for seed in 0..12 {
        for polls in 0.. {
            let (mut client, peer) = answered(Some(seed));
            let mut call = Box::pin(load(&mut client, 100_000));
            let done = poller.poll_times(call.as_mut(), polls).is_some();
            drop(call);
            let next = watch::run(client.ping());
            let heard = heard(&peer);
            let sent: usize = heard.iter().filter(|packet| packet.starts_with('#')).map(String::len).sum();
            match next {
                Ok(()) => {
                    let ended = heard.iter().any(String::is_empty);
                    assert!(heard.len() == 1 || (ended && sent == 100_000), "seed {seed}, {polls} polls");
                }
                Err(error) => {
                    assert!(matches!(error, Error::Unusable(Operation::InfileDropped)), "{error:?}");
                    assert!(!heard.iter().any(String::is_empty) && !peer.is_linked());
                }
            }
            if done {
                break;
            }
        }
    }
}
