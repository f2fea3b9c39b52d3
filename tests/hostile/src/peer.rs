//! A server in memory that does as its script says.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use allocation_counter::opt_out;
use bytes::BytesMut;
use fastrand::Rng;
use porpoise_driver::Link;
use rustls::{ServerConfig, ServerConnection};

use crate::packets;

/// One thing that a server does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Act {
    /// Waits for a whole packet.
    Hear,
    /// Waits for any bytes, which may be no packet, and passes over them.
    HearBytes,
    /// Sends a packet with the id that is due.
    Say(Vec<u8>),
    /// Sends bytes as they are.
    Raw(Vec<u8>),
    /// Sends a packet again and again, as long as it is read.
    Endless(Vec<u8>),
    /// Sends these packets, in turn, again and again, as long as they are read.
    Round(Vec<Vec<u8>>),
    /// Answers each packet that it hears with packets, from here on.
    Answer(fn(&[u8]) -> Vec<Vec<u8>>),
    /// The same, by a closure.
    Reply(Reply),
    /// Speaks TLS from here on.
    Tls(Arc<ServerConfig>),
    /// Does not read any more: what the client writes does not leave it.
    Deaf,
    /// Closes the stream. A script without it ends in silence.
    Close,
    /// Breaks the connection: reading and writing fail.
    Reset,
}

/// Gives packets in reply to a packet.
#[derive(Clone)]
pub struct Reply(Arc<Replier>);

type Replier = dyn Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync;

impl Reply {
    /// By this closure.
    #[must_use]
    pub fn new(reply: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(reply))
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}

/// What the client sent.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Before TLS; all there is without it.
    pub clear: Vec<u8>,
    /// Behind the start of TLS, decrypted.
    pub decrypted: Vec<u8>,
    /// Whole packets heard.
    pub packets: Vec<Vec<u8>>,
    /// Wire bytes given to the client.
    pub given: usize,
    /// Wire bytes taken from it.
    pub taken: usize,
    /// How many of them each write had.
    pub writes: Vec<usize>,
}

impl Heard {
    /// Whether the client let `secret` be read by everyone on the way.
    #[must_use]
    pub fn leaks(&self, secret: &str) -> bool {
        self.clear.windows(secret.len()).any(|window| window == secret.as_bytes())
    }
}

/// A link to the server. Clones are the same server.
#[derive(Clone)]
pub struct Peer {
    server: Arc<Mutex<Server>>,
}

struct Server {
    acts: VecDeque<Act>,
    heard: Heard,
    inbox: Vec<u8>,
    outbox: VecDeque<u8>,
    next_id: u8,
    /// Whether it speaks X Protocol: a packet begins with its type byte.
    x: bool,
    tls: Option<Box<ServerConnection>>,
    ended: Option<End>,
    deaf: bool,
    piece: usize,
    cut: usize,
    /// Bytes that may be given, and taken, before the stream stands still.
    hold: (usize, usize),
    moods: Option<Rng>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Broken,
}

impl Peer {
    /// A server with this script.
    #[must_use]
    pub fn new(script: &[Act]) -> Self {
        let server = Server {
            acts: script.iter().cloned().collect(),
            heard: Heard::default(),
            inbox: Vec::new(),
            outbox: VecDeque::new(),
            next_id: 0,
            x: false,
            tls: None,
            ended: None,
            deaf: false,
            piece: usize::MAX,
            cut: usize::MAX,
            hold: (usize::MAX, usize::MAX),
            moods: None,
            reader: None,
            writer: None,
        };
        Self { server: Arc::new(Mutex::new(server)) }
    }

    /// The same for X Protocol: what it says and hears begins with the message's type byte.
    #[must_use]
    pub fn x(script: &[Act]) -> Self {
        let peer = Self::new(script);
        peer.lock().x = true;
        peer
    }

    /// Moves at most so many bytes at once, in both directions.
    #[must_use]
    pub fn in_pieces_of(self, bytes: usize) -> Self {
        self.lock().piece = bytes;
        self
    }

    /// Closes after so many bytes, whatever the script says.
    #[must_use]
    pub fn cut_after(self, bytes: usize) -> Self {
        self.lock().cut = bytes;
        self
    }

    /// Is `Pending` every other time, by chance of this seed, and wakes at once. Pieces are of random size.
    #[must_use]
    pub fn with_moods(self, seed: u64) -> Self {
        self.lock().moods = Some(Rng::with_seed(seed));
        self
    }

    /// Stands still once so many bytes more were given to the client, or taken from it.
    pub fn hold(&self, give: usize, take: usize) {
        let mut server = self.lock();
        let Heard { given, taken, .. } = server.heard;
        server.hold = (given.saturating_add(give), taken.saturating_add(take));
    }

    /// Goes on.
    pub fn release(&self) {
        let mut server = self.lock();
        server.hold = (usize::MAX, usize::MAX);
        for waker in [server.reader.take(), server.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    /// What the client sent so far.
    #[must_use]
    pub fn heard(&self) -> Heard {
        self.lock().heard.clone()
    }

    /// Does more when the script is done.
    pub fn then(&self, acts: &[Act]) {
        let mut server = self.lock();
        server.acts.extend(acts.iter().cloned());
        server.act();
    }

    /// Takes bytes from a client.
    pub fn listen(&self, bytes: &[u8]) {
        self.lock().take(bytes);
    }

    /// What it sends now, `None` for nothing; no bytes at its end.
    #[must_use]
    pub fn speak(&self, most: usize) -> Option<Vec<u8>> {
        match self.lock().give(most) {
            Poll::Ready(result) => Some(result.unwrap_or_default()),
            Poll::Pending => None,
        }
    }

    /// A link to it.
    #[must_use]
    pub fn link(&self) -> Box<dyn Link> {
        Box::new(self.clone())
    }

    /// Whether a client still holds a link to it.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        Arc::strong_count(&self.server) > 1
    }

    fn lock(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Whether it is not in the mood to move bytes.
    fn refuses(&mut self, cx: &Context<'_>) -> bool {
        let refuses = self.moods.as_mut().is_some_and(Rng::bool);
        if refuses {
            cx.waker().wake_by_ref();
        }
        refuses
    }

    /// How many of `most` bytes are moved now.
    fn portion(&mut self, most: usize) -> usize {
        let most = most.min(self.piece);
        match &mut self.moods {
            Some(moods) if most > 1 => moods.usize(1..=most),
            _ => most,
        }
    }

    /// Takes bytes from the wire.
    fn take(&mut self, mut bytes: &[u8]) {
        self.heard.taken += bytes.len();
        let Some(tls) = &mut self.tls else {
            self.heard.clear.extend_from_slice(bytes);
            self.inbox.extend_from_slice(bytes);
            return self.act();
        };
        while !bytes.is_empty() {
            if tls.read_tls(&mut bytes).is_err() || tls.process_new_packets().is_err() {
                break;
            }
        }
        let mut plain = Vec::new();
        // Ends with WouldBlock when all is read.
        let _ = tls.reader().read_to_end(&mut plain);
        self.heard.decrypted.extend_from_slice(&plain);
        self.inbox.extend_from_slice(&plain);
        self.act();
    }

    /// Goes on in the script as far as possible.
    fn act(&mut self) {
        while let Some(act) = self.acts.pop_front() {
            match act {
                Act::Hear if self.hear() => {}
                Act::Answer(answer) if self.hear() => {
                    let packets = self.heard.packets.last().map(|packet| answer(packet));
                    self.acts.push_front(act);
                    for packet in packets.into_iter().flatten().rev() {
                        self.acts.push_front(Act::Say(packet));
                    }
                    continue;
                }
                Act::Reply(ref reply) if self.hear() => {
                    let packets = self.heard.packets.last().map(|packet| (reply.0)(packet));
                    self.acts.push_front(act);
                    for packet in packets.into_iter().flatten().rev() {
                        self.acts.push_front(Act::Say(packet));
                    }
                    continue;
                }
                Act::HearBytes if !self.inbox.is_empty() => self.inbox.clear(),
                Act::Hear
                | Act::HearBytes
                | Act::Answer(_)
                | Act::Reply(_)
                | Act::Endless(_)
                | Act::Round(_) => {
                    self.acts.push_front(act);
                    break;
                }
                Act::Say(payload) => self.say(&payload),
                Act::Raw(bytes) => self.send(&bytes),
                Act::Tls(config) => {
                    self.tls = ServerConnection::new(config).ok().map(Box::new);
                    if let Some(tls) = &mut self.tls {
                        // What a script says, it says at once.
                        tls.set_buffer_limit(None);
                    }
                    // What came together with the request for TLS is TLS already.
                    let early = std::mem::take(&mut self.inbox);
                    self.heard.clear.truncate(self.heard.clear.len() - early.len());
                    self.heard.taken -= early.len();
                    return self.take(&early);
                }
                Act::Deaf => self.deaf = true,
                Act::Close => self.ended = Some(End::Closed),
                Act::Reset => self.ended = Some(End::Broken),
            }
        }
        self.encrypt();
        if let Some(reader) = self.reader.take_if(|_| !self.outbox.is_empty() || self.ended.is_some()) {
            reader.wake();
        }
    }

    /// Takes a packet off the inbox, if there is a whole one.
    fn hear(&mut self) -> bool {
        let Some(&[a, b, c, d]) = self.inbox.first_chunk() else { return false };
        let high = if self.x { d } else { 0 };
        let end = 4 + u32::from_le_bytes([a, b, c, high]) as usize;
        if self.inbox.len() < end {
            return false;
        }
        self.next_id = d.wrapping_add(1);
        self.heard.packets.push(self.inbox.drain(..end).skip(4).collect());
        true
    }

    /// Sends a packet with the id that is due.
    fn say(&mut self, payload: &[u8]) {
        if self.x {
            let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
            return self.send(&[&len.to_le_bytes(), payload].concat());
        }
        let packet = packets::frame(self.next_id, payload);
        self.next_id = self.next_id.wrapping_add(1);
        self.send(&packet);
    }

    fn send(&mut self, bytes: &[u8]) {
        match &mut self.tls {
            // rustls keeps what it cannot send yet.
            Some(tls) => drop(tls.writer().write_all(bytes)),
            None => self.outbox.extend(bytes),
        }
        self.encrypt();
    }

    fn encrypt(&mut self) {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                let _ = tls.write_tls(&mut self.outbox);
            }
        }
    }

    /// What the client reads now.
    fn give(&mut self, room: usize) -> Poll<io::Result<Vec<u8>>> {
        self.act();
        if let (true, Some(Act::Endless(payload))) = (self.outbox.is_empty(), self.acts.front()) {
            let payload = payload.clone();
            self.say(&payload);
        }
        if let (true, Some(Act::Round(payloads))) = (self.outbox.is_empty(), self.acts.front()) {
            for payload in payloads.clone() {
                self.say(&payload);
            }
        }
        let left = self.cut.saturating_sub(self.heard.given);
        if left == 0 {
            return Poll::Ready(Ok(Vec::new()));
        }
        if self.outbox.is_empty() {
            return match self.ended {
                Some(End::Closed) => Poll::Ready(Ok(Vec::new())),
                Some(End::Broken) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                None => Poll::Pending,
            };
        }
        let open = self.hold.0.saturating_sub(self.heard.given);
        if open == 0 {
            return Poll::Pending;
        }
        let n = self.portion(room.min(left).min(open).min(self.outbox.len()));
        self.heard.given += n;
        Poll::Ready(Ok(self.outbox.drain(..n).collect()))
    }
}

/// Runs what a server does, without counting its memory.
fn uncounted<T>(f: impl FnOnce() -> T) -> T {
    let mut result = None;
    opt_out(|| result = Some(f()));
    match result {
        Some(result) => result,
        None => unreachable!("opt_out runs what it is given"),
    }
}

impl Link for Peer {
    fn poll_connected(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        let room = buf.capacity() - buf.len();
        assert!(room > 0, "a read without room for a byte");
        let given = uncounted(|| {
            let mut server = self.lock();
            if server.refuses(cx) {
                return Poll::Pending;
            }
            let given = server.give(room);
            if given.is_pending() {
                server.reader = Some(cx.waker().clone());
            }
            given
        });
        given.map_ok(|bytes| {
            buf.extend_from_slice(&bytes);
            let n = bytes.len();
            uncounted(|| drop(bytes));
            n
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        uncounted(|| {
            let mut server = self.lock();
            if server.refuses(cx) {
                return Poll::Pending;
            }
            if server.ended == Some(End::Broken) {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if server.deaf {
                return Poll::Pending;
            }
            let open = server.hold.1.saturating_sub(server.heard.taken);
            if open == 0 {
                server.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let n = server.portion(bytes.len().min(open));
            server.heard.writes.push(n);
            server.take(bytes.get(..n).unwrap_or_default());
            Poll::Ready(Ok(n))
        })
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
