//! Replies that are owed behind the one that is being read.

use porpoise_wire::Mark;

use crate::Columns;
use crate::session::Session;
use crate::state::State;

/// What the reply to a command starts with.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) state: State,
    /// The sequence ids as they were when the command was written.
    pub(crate) mark: Mark,
    /// Which command it is.
    pub(crate) number: u32,
    pub(crate) infile_allowed: bool,
    pub(crate) columns: Columns,
}

impl Session {
    /// Whether commands may be sent while replies are owed. They are answered in the order they were sent in, and each
    /// is run whatever became of those before it. COM_QUIT gives up all that is owed; a dump of the binary log needs an
    /// idle session, and so does COM_CHANGE_USER. Off at first.
    ///
    /// Writing all of many commands before anything is read may make both sides wait for each other when the replies
    /// are large: read while writing.
    pub const fn set_pipelining(&mut self, on: bool) {
        self.pipelining = on;
    }

    /// Whether commands may be sent while replies are owed.
    #[must_use]
    pub const fn is_pipelining(&self) -> bool {
        self.pipelining
    }

    /// How many replies are owed, the one that is being read included. One less as soon as
    /// [`advance`](porpoise_wire::Machine::advance) has given the last event of a reply, which is how to tell whose
    /// events are whose.
    #[must_use]
    pub fn replies_owed(&self) -> usize {
        usize::from(self.state.is_owed()) + self.queue.len()
    }

    /// A reply was read to its end.
    #[inline]
    pub(crate) fn over(&mut self) {
        self.state = State::Idle;
        if !self.queue.is_empty() {
            self.next_reply();
        }
    }

    fn next_reply(&mut self) {
        if self.framer.is_out_of_step() {
            // All replies begin with the same id: was that ERR one of them, or did it come on top?
            self.state = State::Orphaned;
            return;
        }
        if let Some(Queued { state, mark, number, infile_allowed, columns }) = self.queue.pop_front() {
            self.framer.restore(mark);
            self.begin_reply(state, number, infile_allowed, columns);
        }
    }

    /// A command was written while replies are owed: what comes next is still the one that is being read.
    #[cold]
    pub(crate) fn queue(&mut self, state: State, columns: Columns, infile_allowed: bool, reading: Mark) {
        if !matches!(state, State::Idle) {
            let (mark, number) = (self.framer.mark(), self.sent);
            self.queue.push_back(Queued { state, mark, number, infile_allowed, columns });
        }
        self.framer.restore(reading);
    }

    /// From now on this reply is read.
    #[inline(always)]
    pub(crate) fn begin_reply(&mut self, state: State, number: u32, infile_allowed: bool, columns: Columns) {
        if matches!(state, State::Rows(_)) {
            // COM_STMT_FETCH: nobody defines them again.
            self.columns = columns;
        } else if !columns.is_empty() || !self.cached.is_empty() {
            self.cached = columns;
        }
        self.framer.begin_reply();
        self.state = state;
        self.replied = number;
        self.infile_allowed = infile_allowed;
    }
}
