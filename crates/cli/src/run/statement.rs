//! A prepared statement as MySQL's own library keeps one.

use porpoise::classic::{CapabilityFlags, ClientError, Columns, Event, Execute, StatusFlags};
use porpoise::value::Placeholders;

use super::handle::{Handle, Opened, Owed, misuse};
use super::outcome::{Facts, Failed, Outcome};
use super::params::Param;
use super::step::Name;

/// How many of the rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    All,
    One,
    /// All, kept before the first is looked at.
    Store,
}

/// Where further rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Nowhere,
    /// The connection.
    Connection,
    /// The server's cursor; `left` were fetched and not looked at, `last`: there are no more to fetch.
    Cursor {
        left: u64,
        last: bool,
    },
    /// They were all read, and `left` were not looked at.
    Stored {
        left: u64,
    },
}

#[derive(Debug)]
pub(super) struct Statement {
    id: u32,
    prepared: bool,
    /// It was executed since it was prepared, reset, or freed.
    executed: bool,
    params: usize,
    columns: usize,
    defined: Columns,
    bound: Option<Vec<Param>>,
    /// Rows a fetch of a cursor; 0 for no cursor.
    cursor: u32,
    source: Source,
    /// Of the last call that failed; few calls clear it.
    error: Option<Failed>,
    /// The connection has given it up.
    detached: bool,
}

type Done = Result<(), Failed>;

impl Statement {
    pub(super) fn new() -> Self {
        Self {
            id: 0,
            prepared: false,
            executed: false,
            params: 0,
            columns: 0,
            defined: Columns::default(),
            bound: None,
            cursor: 0,
            source: Source::Nowhere,
            error: None,
            detached: false,
        }
    }

    /// The line of a call. `rows`: what was read, if there is a result.
    pub(super) fn outcome(&self, name: Name, rc: bool, rows: Option<u64>) -> Outcome {
        let facts =
            Facts { params: Some(self.params), columns: Some(self.columns), rows, ..Facts::default() };
        Outcome { step: name.word(), rc, error: self.error.clone(), has_sqlstate: false, facts }
    }

    /// Takes over what a call came to.
    pub(super) fn done(&mut self, name: Name, done: Done) -> Outcome {
        let failed = done.is_err();
        if let Err(error) = done {
            self.error = Some(error);
        }
        self.outcome(name, failed, None)
    }

    /// The connection gives the statement up, if the server knew it.
    pub(super) fn detach(&mut self, error: Failed) {
        if self.prepared && !self.detached {
            self.detached = true;
            self.error = Some(error);
        }
    }

    /// Ends what the statement was doing: rows that are owed are read and dropped, whoever's they are.
    async fn rewind(&mut self, handle: &mut Handle) -> Done {
        if !self.prepared {
            return Ok(());
        }
        self.error = None;
        self.source = Source::Nowhere;
        if self.executed && self.columns > 0 && !self.detached {
            handle.flush_rows().await?;
        }
        self.executed = false;
        Ok(())
    }

    pub(super) async fn prepare(&mut self, handle: &mut Handle, sql: &str) -> Done {
        if self.detached {
            return Err(Failed::lost());
        }
        if self.prepared {
            self.rewind(handle).await?;
            (self.params, self.columns, self.bound, self.prepared) = (0, 0, None, false);
            let id = self.id;
            handle.send(|session, cx| session.stmt_close(id, cx)).await?;
        }
        self.error = None;
        handle.send(|session, cx| session.stmt_prepare(sql, cx)).await?;
        while let Some(event) = handle.next().await? {
            if let Event::Prepared(prepared) = event {
                self.id = prepared.statement_id;
                self.params = prepared.params.len();
                self.columns = prepared.columns.len();
                self.prepared = true;
            }
        }
        Ok(())
    }

    pub(super) fn bind(&mut self, list: &str) -> Done {
        if !self.prepared {
            return Err(Failed::client(ClientError::CR_NO_PREPARE_STMT, "the statement is not prepared"));
        }
        if self.params == 0 {
            return Ok(());
        }
        let words = list.split('|').filter(|word| !word.is_empty());
        let mut bound = words.take(self.params).map(Param::parse).collect::<Result<Vec<_>, _>>()?;
        bound.resize(self.params, Param::NULL);
        self.bound = Some(bound);
        Ok(())
    }

    pub(super) async fn long_data(&mut self, handle: &mut Handle, argument: &str) -> Done {
        let (number, text) = argument.split_once(':').unwrap_or((argument, ""));
        let invalid = || {
            let message = format!("parameter {number:?}: the statement has {}", self.params);
            Failed::client(ClientError::CR_INVALID_PARAMETER_NO, message)
        };
        let number: u16 = number.trim().parse().map_err(|_| invalid())?;
        if usize::from(number) >= self.params {
            return Err(invalid());
        }
        let param = self.bound.as_mut().and_then(|bound| bound.get_mut(usize::from(number)));
        let Some(param) = param else {
            return Err(Failed::client(ClientError::CR_PARAMS_NOT_BOUND, "no parameters are bound"));
        };
        if !param.takes_long_data() {
            let message = format!("parameter {number} is no string, so it takes no long data");
            return Err(Failed::client(ClientError::CR_INVALID_BUFFER_USE, message));
        }
        if self.detached {
            return Err(Failed::lost());
        }
        let id = self.id;
        // Of no data only the first part is sent: it makes the value the empty string.
        if !text.is_empty() || !param.sent_ahead {
            param.sent_ahead = true;
            let sent =
                handle.send(|session, cx| session.stmt_send_long_data(id, number, text.as_bytes(), cx));
            sent.await?;
            handle.next().await?;
        }
        Ok(())
    }

    pub(super) const fn set_cursor(&mut self, rows: u32) {
        self.cursor = rows;
    }

    /// Sends COM_STMT_EXECUTE and reads as far as MySQL's own `mysql_stmt_execute` does.
    async fn start(&mut self, handle: &mut Handle) -> Done {
        self.rewind(handle).await?;
        self.error = None;
        let capabilities = handle.client().map(porpoise::Client::capabilities);
        let attributes =
            capabilities.is_some_and(|flags| flags.contains(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES));
        if self.params > 0 && self.bound.is_none() {
            return Err(Failed::client(ClientError::CR_PARAMS_NOT_BOUND, "no parameters are bound"));
        }
        if (self.params > 0 || attributes) && handle.owed != Owed::Nothing {
            // Found by the statement, not by the connection: a trace does not tell it.
            return Err(Failed::out_of_sync());
        }
        let params = self.bound.as_deref().unwrap_or_default();
        let execute =
            Execute::new(self.id, Placeholders::positional(self.params), params).cursor(self.cursor > 0);
        handle.send(|session, cx| misuse(session.stmt_execute_with(&execute, cx))).await?;
        for param in self.bound.iter_mut().flatten() {
            param.sent_ahead = false;
        }
        self.opened(handle, self.columns).await
    }

    /// Reads the beginning of a result and decides where its rows come from. `told`: how many columns it has to have; 0 if
    /// nobody knows.
    async fn opened(&mut self, handle: &mut Handle, told: usize) -> Done {
        let Opened::Columns(columns) = handle.open().await? else {
            (self.columns, self.executed, self.source) = (0, true, Source::Nowhere);
            return Ok(());
        };
        self.executed = true;
        self.source = Source::Connection;
        if told > 0 && told != columns.len() {
            let message = format!("the result has {} columns, the prepared statement {told}", columns.len());
            return Err(Failed::client(ClientError::CR_NEW_STMT_METADATA, message));
        }
        self.columns = columns.len();
        handle.output.begin(&columns);
        self.defined = columns;
        if self.cursor > 0 {
            // Whether the server opened a cursor shows in what follows the definitions. Without one, all rows are read.
            let cursor = StatusFlags::SERVER_STATUS_CURSOR_EXISTS.bits();
            let first = handle.row(true).await?;
            self.source = if !first && handle.status() & cursor != 0 {
                Source::Cursor { left: 0, last: false }
            } else {
                let (rows, ended) = handle.rows().await;
                ended?;
                let rows = rows + u64::from(first);
                handle.stored(rows);
                Source::Stored { left: rows }
            };
        }
        Ok(())
    }

    /// Reads up to `most` rows; counts those that came before an error, too.
    async fn read(&mut self, handle: &mut Handle, most: u64) -> (u64, Done) {
        let mut rows = 0;
        while rows < most {
            match self.row(handle).await {
                Ok(true) => rows += 1,
                Ok(false) => break,
                Err(failed) => return (rows, Err(failed)),
            }
        }
        (rows, Ok(()))
    }

    /// Reads all rows at once; none are kept of a result that fails.
    async fn store(&mut self, handle: &mut Handle) -> (u64, Done) {
        if let Source::Cursor { left: 0, last: false } = self.source {
            match self.fetch(handle, u32::MAX).await {
                Ok(rows) => self.source = Source::Stored { left: rows },
                Err(failed) => return (0, Err(failed)),
            }
        }
        let (rows, read) = match self.source {
            Source::Connection => handle.rows().await,
            _ => self.read(handle, u64::MAX).await,
        };
        if read.is_err() {
            return (0, read);
        }
        handle.stored(rows);
        (rows, Ok(()))
    }

    /// Looks at the next row.
    async fn row(&mut self, handle: &mut Handle) -> Result<bool, Failed> {
        match self.source {
            Source::Nowhere => Ok(false),
            Source::Connection => {
                let found = handle.row(true).await?;
                if !found {
                    handle.fetched();
                }
                Ok(found)
            }
            Source::Stored { left: 0 } => Ok(false),
            Source::Stored { left } => {
                self.source = Source::Stored { left: left - 1 };
                Ok(true)
            }
            Source::Cursor { left: 0, last: true } => Ok(false),
            Source::Cursor { left: 0, last: false } => {
                let left = self.fetch(handle, self.cursor.max(1)).await?;
                let sent = StatusFlags::SERVER_STATUS_LAST_ROW_SENT.bits();
                let last = handle.status() & sent != 0;
                self.source = Source::Cursor { left: left.saturating_sub(1), last };
                Ok(left > 0)
            }
            Source::Cursor { left, last } => {
                self.source = Source::Cursor { left: left - 1, last };
                Ok(true)
            }
        }
    }

    /// COM_STMT_FETCH; gives how many rows came.
    async fn fetch(&self, handle: &mut Handle, rows: u32) -> Result<u64, Failed> {
        let (id, defined) = (self.id, self.defined.clone());
        handle.send(|session, cx| session.stmt_fetch(id, rows, &defined, cx)).await?;
        handle.owed = Owed::Rows;
        let (rows, ended) = handle.rows().await;
        ended.map(|()| rows)
    }

    /// `execute`.
    pub(super) async fn execute(&mut self, handle: &mut Handle, reading: Reading) -> Outcome {
        if self.detached {
            return self.outcome(Name::Execute, true, None);
        }
        let started = self.start(handle).await;
        self.read_and_tell(Name::Execute, handle, started, reading).await
    }

    async fn read_and_tell(
        &mut self,
        name: Name,
        handle: &mut Handle,
        started: Done,
        reading: Reading,
    ) -> Outcome {
        if started.is_err() || self.columns == 0 {
            return self.done(name, started);
        }
        let (rows, read) = match reading {
            Reading::All => self.read(handle, u64::MAX).await,
            Reading::One => self.read(handle, 1).await,
            Reading::Store => self.store(handle).await,
        };
        let failed = read.is_err();
        if let Err(error) = read {
            self.error = Some(error);
        }
        self.outcome(name, failed, Some(rows))
    }

    /// `fetch`: more rows of what an execution left.
    pub(super) async fn more(&mut self, handle: &mut Handle, rows: u64) -> Outcome {
        let (rows, read) = self.read(handle, rows).await;
        let failed = read.is_err();
        if let Err(error) = read {
            self.error = Some(error);
        }
        self.outcome(Name::Fetch, failed, Some(rows))
    }

    pub(super) async fn free_result(&mut self, handle: &mut Handle) -> Done {
        let rewound = self.rewind(handle).await;
        for param in self.bound.iter_mut().flatten() {
            param.sent_ahead = false;
        }
        rewound
    }

    /// `stmt_next`.
    pub(super) async fn next_result(&mut self, handle: &mut Handle) -> Outcome {
        if self.detached || self.error.is_some() {
            return self.outcome(Name::StmtNext, true, None);
        }
        if handle.owed == Owed::Rows && handle.status() & StatusFlags::SERVER_MORE_RESULTS_EXISTS.bits() != 0
        {
            // With EOF behind the definitions, the server has told already that there is one.
            if let Err(failed) = handle.flush_rows().await {
                return self.done(Name::StmtNext, Err(failed));
            }
        }
        if handle.owed == Owed::Rows {
            let failed = Failed::out_of_sync();
            handle.tell_unread(failed.errno);
            return self.done(Name::StmtNext, Err(failed));
        }
        if handle.owed == Owed::Nothing {
            // No error: there is none.
            return self.outcome(Name::StmtNext, true, None);
        }
        let opened = self.opened(handle, 0).await;
        self.read_and_tell(Name::StmtNext, handle, opened, Reading::All).await
    }

    pub(super) async fn reset(&mut self, handle: &mut Handle) -> Done {
        if self.detached {
            return Err(Failed::lost());
        }
        if !self.prepared {
            return Ok(());
        }
        self.free_result(handle).await?;
        let id = self.id;
        handle.simple(|session, cx| session.stmt_reset(id, cx)).await.map(|_| ())
    }

    /// The statement is gone whatever this comes to.
    pub(super) async fn close(self, handle: &mut Handle) -> Done {
        if !self.prepared || self.detached || handle.client().is_none() {
            return Ok(());
        }
        if handle.owed == Owed::Rows {
            handle.flush().await?;
        }
        let id = self.id;
        handle.send(|session, cx| session.stmt_close(id, cx)).await?;
        handle.next().await.map(|_| ())
    }
}
