//! Parameters of any size, sent ahead of the execution that uses them.

use std::sync::Arc;

use futures::AsyncRead;

use crate::care::Chore;
use crate::{Client, Error, Statement};

impl Client {
    /// Sends a parameter's value ahead, as it is read, 64 KiB at a time, each written before more is read
    /// (`COM_STMT_SEND_LONG_DATA`). The statement's next execution uses it where it is given
    /// `LongData`, and the server forgets it then. `param` counts from 0.
    ///
    /// The server keeps the value until then, and up to its `max_allowed_packet`. Whatever is wrong with it shows when the
    /// statement is executed.
    ///
    /// Dropped: clean; what was sent of the value is forgotten before the next operation.
    ///
    /// # Errors
    /// [`Error::Source`] when the reader fails; what was sent is forgotten then, too.
    pub async fn send_long_data<R: AsyncRead + Unpin>(
        &mut self,
        statement: &Statement,
        param: u16,
        reader: R,
    ) -> Result<(), Error> {
        self.start().await?;
        self.check_statement(statement)?;
        let id = statement.id();
        let half = Half(self, id);
        // However little there is: a value that is empty is a value.
        half.0.encode(|session, cx| session.stmt_send_long_data(id, param, &[], cx))?;
        let sent = half
            .0
            .write_chunks(reader, |session, bytes, cx| session.stmt_send_long_data(id, param, bytes, cx))
            .await?;
        match sent {
            Ok(()) => {
                half.0.over();
                std::mem::forget(half);
                Ok(())
            }
            Err(error) => Err(Error::Source(Arc::new(error))),
        }
    }
}

/// A client that has sent a part of a value.
struct Half<'a>(&'a mut Client, u32);

impl Drop for Half<'_> {
    fn drop(&mut self) {
        self.0.over();
        if self.0.is_usable() {
            self.0.care.get_or_insert_default().owed.push_back(Chore::ResetStatement(self.1));
        }
    }
}
