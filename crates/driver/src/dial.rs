//! Connects to one of several addresses: the first that answers.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::socket::{self, SocketOptions};
use crate::{Link, Runtime, Timer};

/// How long an address has before the next one is tried beside it (RFC 8305, "Connection Attempt Delay").
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// How long to wait before a Unix socket with a full backlog is tried again.
const BACKLOG_DELAY: Duration = Duration::from_millis(2);

/// A race of connects, started one after the other.
#[derive(Default)]
pub(crate) struct Dial {
    /// The first attempt has its own place: most hosts have one address, and a list would be an allocation.
    first: Option<Attempt>,
    others: Vec<Attempt>,
    waiting: std::vec::IntoIter<SocketAddr>,
    next_at: Option<Instant>,
    last_error: Option<io::Error>,
    timer: Option<Box<dyn Timer>>,
}

struct Attempt {
    address: Option<SocketAddr>,
    link: Box<dyn Link>,
}

/// Connected: the link, and the address unless it is a Unix socket's.
pub(crate) type Dialed = (Box<dyn Link>, Option<SocketAddr>);

impl Dial {
    /// Puts the addresses into the order in which they are tried: families alternate, beginning with the
    /// resolver's first.
    pub(crate) fn to(addresses: Vec<SocketAddr>) -> Self {
        Self { waiting: interleave(addresses).into_iter(), ..Self::default() }
    }

    /// The one address of a literal.
    pub(crate) fn to_one(
        address: SocketAddr,
        options: &SocketOptions,
        runtime: &dyn Runtime,
    ) -> io::Result<(Self, Option<Dialed>)> {
        let (socket, connected) = socket::tcp(address, options)?;
        let link = runtime.link(socket)?;
        if connected {
            return Ok((Self::default(), Some((link, Some(address)))));
        }
        let first = Some(Attempt { address: Some(address), link });
        Ok((Self { first, ..Self::default() }, None))
    }

    /// Ready when one is connected, or none can be.
    pub(crate) fn poll(
        &mut self,
        options: &SocketOptions,
        runtime: &dyn Runtime,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Dialed>> {
        loop {
            if let Some(dialed) = self.poll_attempts(cx) {
                return Poll::Ready(Ok(dialed));
            }
            let idle = self.first.is_none() && self.others.is_empty();
            if self.waiting.as_slice().is_empty() {
                if idle {
                    let none = || io::Error::new(io::ErrorKind::AddrNotAvailable, "the host has no address");
                    return Poll::Ready(Err(self.last_error.take().unwrap_or_else(none)));
                }
                return Poll::Pending;
            }
            if !idle && !self.is_due(runtime, cx) {
                return Poll::Pending;
            }
            if let Some(dialed) = self.start_next(options, runtime) {
                return Poll::Ready(Ok(dialed));
            }
        }
    }

    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Option<Dialed> {
        if let Some(attempt) = &mut self.first {
            match attempt.link.poll_connected(cx) {
                Poll::Ready(Ok(())) => return self.first.take().map(|a| (a.link, a.address)),
                Poll::Ready(Err(e)) => {
                    self.first = None;
                    self.last_error = Some(e);
                }
                Poll::Pending => {}
            }
        }
        let mut i = 0;
        while let Some(attempt) = self.others.get_mut(i) {
            match attempt.link.poll_connected(cx) {
                Poll::Ready(Ok(())) => {
                    let won = self.others.swap_remove(i);
                    return Some((won.link, won.address));
                }
                Poll::Ready(Err(e)) => {
                    self.others.swap_remove(i);
                    self.last_error = Some(e);
                }
                Poll::Pending => i += 1,
            }
        }
        None
    }

    /// Whether the attempts under way have had their time.
    fn is_due(&mut self, runtime: &dyn Runtime, cx: &mut Context<'_>) -> bool {
        let at = *self.next_at.get_or_insert_with(|| Instant::now() + ATTEMPT_DELAY);
        let timer = self.timer.get_or_insert_with(|| runtime.timer());
        timer.poll_until(cx, at).is_ready()
    }

    fn start_next(&mut self, options: &SocketOptions, runtime: &dyn Runtime) -> Option<Dialed> {
        let address = self.waiting.next()?;
        self.next_at = None;
        let begun = socket::tcp(address, options)
            .and_then(|(socket, connected)| runtime.link(socket).map(|link| (link, connected)));
        match begun {
            Ok((link, true)) => return Some((link, Some(address))),
            Ok((link, false)) => {
                let attempt = Attempt { address: Some(address), link };
                if self.first.is_none() { self.first = Some(attempt) } else { self.others.push(attempt) }
            }
            Err(e) => self.last_error = Some(e),
        }
        None
    }

    /// Connects a Unix socket; waits while the server's backlog is full.
    pub(crate) fn poll_unix(
        &mut self,
        path: &Path,
        runtime: &dyn Runtime,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Dialed>> {
        loop {
            if let Some(at) = self.next_at {
                let timer = self.timer.get_or_insert_with(|| runtime.timer());
                if timer.poll_until(cx, at).is_pending() {
                    return Poll::Pending;
                }
                self.next_at = None;
            }
            match socket::unix(path) {
                Ok(socket) => return Poll::Ready(runtime.link(socket).map(|link| (link, None))),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.next_at = Some(Instant::now() + BACKLOG_DELAY)
                }
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }
}

fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else { return addresses };
    let (mut same, mut other): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv6() == first);
    let mut ordered = Vec::with_capacity(same.len() + other.len());
    same.reverse();
    other.reverse();
    while let Some(address) = same.pop().or_else(|| other.pop()) {
        ordered.push(address);
        ordered.extend(other.pop());
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_alternate() {
        let parse = |list: &[&str]| list.iter().map(|a| a.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let got = interleave(parse(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]));
        assert_eq!(got, parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]));
        let got = interleave(parse(&["1.1.1.1:1", "[::1]:1", "[::2]:1"]));
        assert_eq!(got, parse(&["1.1.1.1:1", "[::1]:1", "[::2]:1"]));
        assert!(interleave(Vec::new()).is_empty());
    }
}
