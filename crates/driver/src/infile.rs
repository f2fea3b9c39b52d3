//! LOAD DATA LOCAL: sends what the caller reads, for one statement.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use futures::AsyncRead;
use porpoise_classic::{Event, Misuse, Session};
use porpoise_wire::Cx;

use crate::{Client, Error, Operation, Results, Tap};

/// How much is read, and written, before more is asked for.
pub(crate) const CHUNK: usize = 64 << 10;

/// What came of a statement that may ask for a file.
enum Sent {
    /// It did not ask; this is what it answered.
    Nothing(Option<Event>),
    /// The file was sent, or failed in the middle. The verdict is to come.
    File(Result<(), io::Error>),
}

impl Client {
    /// Runs a `LOAD DATA LOCAL INFILE`, the only statement for which the server gets a file. In every other call its request is
    /// refused.
    ///
    /// `open` is told the name that the server asks for, as bytes in the connection's character set, and gives the reader. A
    /// server may ask for any name: choose by what you know, and compare the name at most. The file is sent as it is read,
    /// 64 KiB at a time, each written before more is read.
    ///
    /// Dropped: while the file is being sent, closed, and the server takes the statement back as far as its tables can; else
    /// drained.
    ///
    /// # Errors
    /// [`Error::Server`], and [`Error::Source`] when `open` or its reader fails. The server cannot be told of the latter: it
    /// takes what it got for the whole file. Run the statement in a transaction that is then rolled back.
    pub async fn query_infile<R: AsyncRead + Unpin>(
        &mut self,
        sql: &str,
        open: impl FnOnce(&[u8]) -> io::Result<R>,
    ) -> Result<Results<'_>, Error> {
        self.start().await?;
        match self.send_infile(sql, open).await? {
            Sent::Nothing(first) => Results::resume(self, first).await,
            Sent::File(Ok(())) => Results::start(self).await,
            // Whatever the server makes of it, this is what went wrong.
            Sent::File(Err(error)) => match self.finish().await {
                Err(fatal) if fatal.is_fatal() => Err(fatal),
                _ => Err(Error::Source(Arc::new(error))),
            },
        }
    }

    async fn send_infile<R: AsyncRead + Unpin>(
        &mut self,
        sql: &str,
        open: impl FnOnce(&[u8]) -> io::Result<R>,
    ) -> Result<Sent, Error> {
        let sending = Sending(self);
        let client = &mut *sending.0;
        client.encode(|session, cx| {
            session.allow_infile(true);
            session.query(sql, cx)
        })?;
        let name = match client.next_event().await? {
            Some(Event::LocalInfile(name)) => name,
            first => return Ok(Sent::Nothing(first)),
        };
        let sent = match open(&name) {
            Ok(reader) => {
                client.write_chunks(reader, |session, bytes, cx| session.send_file(bytes, cx)).await?
            }
            Err(error) => Err(error),
        };
        client.encode(|session, cx| session.end_file(cx))?;
        Ok(Sent::File(sent))
    }

    /// Sends what a reader has, one chunk after the other. The inner result is the reader's.
    pub(crate) async fn write_chunks<R: AsyncRead + Unpin>(
        &mut self,
        mut reader: R,
        mut command: impl FnMut(&mut Session, &[u8], &mut Cx<'_, Tap>) -> Result<(), Misuse>,
    ) -> Result<Result<(), io::Error>, Error> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = match poll_fn(|cx| Pin::new(&mut reader).poll_read(cx, &mut chunk)).await {
                Ok(0) => return Ok(Ok(())),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Err(error)),
            };
            let bytes = chunk.get(..read).unwrap_or_default();
            self.encode(|session, cx| command(session, bytes, cx))?;
            // Nothing is owed by the server, so this writes.
            self.next_event().await?;
        }
    }
}

/// A client that may be sending a file. If this is dropped while it does, the connection is closed: the end of the file would
/// make the server keep the half of it.
struct Sending<'a>(&'a mut Client);

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if self.0.wants_file() {
            self.0.end(Operation::InfileDropped);
        }
    }
}
