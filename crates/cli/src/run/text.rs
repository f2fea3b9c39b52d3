//! The shell's text: rows and results for people.

use std::io::{self, Write};

use porpoise::classic::{Columns, RowBatch, StatusFlags};
use porpoise::trace::RecordEntry;

use super::outcome::{Facts, Outcome};
use crate::rows::{self, Cell, Head, RowWriter as _, Table};
use crate::text::{BAD, DIM, GOOD};

/// What is to be shown of the result that is being read.
pub(super) struct Text {
    table: Table,
    head: Head,
    open: bool,
}

impl Text {
    /// `room`: columns of the terminal, if there is one.
    pub(super) fn new(room: Option<usize>) -> Self {
        Self { table: Table::new(room), head: Head::default(), open: false }
    }

    pub(super) fn begin(&mut self, columns: &Columns, out: &mut dyn Write) -> io::Result<()> {
        self.end(out)?;
        self.head = Head::new(columns);
        self.open = true;
        self.table.begin(&self.head, out)
    }

    pub(super) fn rows(&mut self, rows: &RowBatch, out: &mut dyn Write) -> io::Result<()> {
        match rows::write(&mut self.table, &self.head, rows, out)? {
            Ok(()) => Ok(()),
            Err(error) => writeln!(out, "{BAD}{error}{BAD:#}"),
        }
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if std::mem::take(&mut self.open) { self.table.end(out) } else { Ok(()) }
    }

    pub(super) fn outcome(&mut self, outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
        self.end(out)?;
        let step = outcome.step;
        let facts = facts(&outcome.facts).join(", ");
        match &outcome.error {
            Some(error) if outcome.rc => writeln!(
                out,
                "{BAD}{step}: error {} ({}):{BAD:#} {}",
                error.errno, error.sqlstate, error.message
            ),
            _ if outcome.rc => writeln!(out, "{BAD}{step}: nothing there{BAD:#}"),
            _ if facts.is_empty() => writeln!(out, "{GOOD}{step}: OK{GOOD:#}"),
            _ => writeln!(out, "{GOOD}{step}: OK{GOOD:#}{DIM}, {facts}{DIM:#}"),
        }
    }
}

/// What there is to say of a result; what is as expected is left out.
fn facts(facts: &Facts) -> Vec<String> {
    let Facts { params, columns, rows, affected, insert_id, warnings, status, more, info, tls, .. } = facts;
    let rows = rows.filter(|rows| *rows > 0 || columns.is_some_and(|columns| columns > 0));
    let mut texts = Vec::new();
    texts.extend(params.map(|params| counted(params as u64, "parameter")));
    texts.extend(columns.filter(|columns| *columns > 0).map(|columns| counted(columns as u64, "column")));
    texts.extend(rows.map(|rows| counted(rows, "row")));
    let affected = affected.filter(|affected| *affected >= 0 && *columns == Some(0));
    texts.extend(affected.map(|affected| format!("{affected} affected")));
    let insert_id = insert_id.filter(|id| *id > 0 && *columns == Some(0));
    texts.extend(insert_id.map(|id| format!("insert id {id}")));
    texts.extend(warnings.filter(|count| *count > 0).map(|count| counted(count.into(), "warning")));
    texts.extend(info.clone());
    texts.extend(more.filter(|more| *more).map(|_| "more results follow".to_owned()));
    texts.extend(status.map(|status| names(StatusFlags::from_bits(status))));
    texts.extend(tls.map(|tls| if tls { "encrypted" } else { "not encrypted" }.to_owned()));
    texts
}

/// The flags' names without what all begin with; that of autocommit, which is usual, when it is missing.
fn names(status: StatusFlags) -> String {
    let usual = StatusFlags::SERVER_STATUS_AUTOCOMMIT;
    let mut names: Vec<_> = status
        .iter_names()
        .filter(|name| *name != "SERVER_STATUS_AUTOCOMMIT")
        .map(|name| name.trim_start_matches("SERVER_").trim_start_matches("STATUS_"))
        .collect();
    if !status.contains(usual) {
        names.push("autocommit off");
    }
    if names.is_empty() { "autocommit".to_owned() } else { names.join(" ") }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The columns of a table, as a table.
pub(super) fn columns(columns: &Columns, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(None);
    let names = ["column", "type", "flags", "default"];
    let head = Head { names: names.map(str::to_owned).to_vec(), kinds: vec![None; names.len()] };
    table.begin(&head, out)?;
    for column in columns.iter() {
        let format = column.format();
        let flags: Vec<_> = format.flags.iter_names().collect();
        let row = [
            Cell::Text(String::from_utf8_lossy(column.name())),
            Cell::Text(format.column_type.to_string().into()),
            Cell::Text(flags.join(" ").into()),
            column.default_value().map_or(Cell::Null, |value| Cell::Text(String::from_utf8_lossy(value))),
        ];
        table.row(&row, out)?;
    }
    table.end(out)
}

/// One line of the trace.
pub(super) fn event(entry: &RecordEntry, out: &mut dyn Write) -> io::Result<()> {
    let RecordEntry::Event { stage, kind, plugin_name, cmd_name, hdr_len, pkt_len, first, errno, .. } = entry
    else {
        if let RecordEntry::Stage { number, name, .. } = entry {
            return writeln!(out, "{DIM}  {number:>2} {name}{DIM:#}");
        }
        return Ok(());
    };
    let mut line = format!("     {:23} {:20}", stage.to_string(), kind.to_string());
    let words = plugin_name.as_deref().into_iter().chain(*cmd_name).map(str::to_owned);
    let numbers = [
        ("hdr", hdr_len.map(|len| len as u64)),
        ("pkt", pkt_len.map(|len| len as u64)),
        ("errno", errno.map(u64::from)),
    ];
    let numbers = numbers.into_iter().filter_map(|(name, number)| Some(format!("{name} {}", number?)));
    let first = first.map(|first| format!("first {first:02x}"));
    for word in words.chain(numbers).chain(first) {
        line.push(' ');
        line.push_str(&word);
    }
    writeln!(out, "{DIM}{}{DIM:#}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use porpoise::trace::{Payload, ProtocolStage, Record, TraceEvent, TraceSink as _};

    use super::*;
    use crate::run::outcome::Failed;

    fn shown(outcome: &Outcome) -> String {
        let mut out = Vec::new();
        Text::new(None).outcome(outcome, &mut out).unwrap();
        anstream::adapter::strip_bytes(&out).into_vec().try_into().unwrap()
    }

    fn query(facts: Facts) -> Outcome {
        Outcome::of("query", Ok(facts))
    }

    #[test]
    fn outcomes() {
        assert_eq!(shown(&Outcome::of("ping", Ok(Facts::default()))), "ping: OK\n");
        assert_eq!(
            shown(&Outcome::of("ping", Err(Failed::out_of_sync()))),
            "ping: error 2014 (HY000): commands out of sync: a result is still to be read\n"
        );
        let facts = |columns, rows| Facts {
            columns: Some(columns),
            rows: Some(rows),
            affected: Some(2),
            insert_id: Some(7),
            status: Some(2),
            ..Facts::default()
        };
        assert_eq!(shown(&query(facts(0, 0))), "query: OK, 2 affected, insert id 7, autocommit\n");
        let rows = Facts { warnings: Some(1), status: Some(0x28), more: Some(true), ..facts(1, 2) };
        assert_eq!(
            shown(&query(rows)),
            "query: OK, 1 column, 2 rows, 1 warning, more results follow, MORE_RESULTS_EXISTS QUERY_NO_INDEX_USED \
             autocommit off\n"
        );
        let none = Outcome { rc: true, ..Outcome::of("stmt_next", Ok(Facts::default())) };
        assert_eq!(shown(&none), "stmt_next: nothing there\n");
    }

    #[test]
    fn events() {
        let mut record = Record::new();
        let (hdr, pkt) = (Payload::open(&[0, 1]), Payload::open(b"select 1"));
        let command = TraceEvent::SendCommand { cmd: 3, cmd_name: "COM_QUERY", hdr, pkt };
        record.event(ProtocolStage::ReadyForCommand, &command);
        record.event(ProtocolStage::WaitForResult, &TraceEvent::PacketReceived { pkt: Payload::open(&[1]) });
        record.event(ProtocolStage::WaitForRow, &TraceEvent::Error { errno: 2014 });
        let mut out = Vec::new();
        record.take().iter().for_each(|entry| event(entry, &mut out).unwrap());
        let text: String = anstream::adapter::strip_bytes(&out).into_vec().try_into().unwrap();
        assert_eq!(
            text,
            "     READY_FOR_COMMAND       SEND_COMMAND         COM_QUERY hdr 2 pkt 8\n     \
             WAIT_FOR_RESULT         PACKET_RECEIVED      pkt 1 first 01\n     \
             WAIT_FOR_ROW            ERROR                errno 2014\n"
        );
    }
}
