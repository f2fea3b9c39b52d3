//! The spec tables as they are read, with the checks that a typing error must not pass.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use anyhow::{Context as _, Result, bail};

/// All tables.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) protocol: ProtocolStages,
    pub(super) events: TraceEvents,
    pub(super) connect: ConnectStages,
    pub(super) life_cycle: LifeCycle,
    pub(super) capabilities: Flags,
    pub(super) status: Flags,
    pub(super) column_flags: Flags,
    pub(super) commands: Commands,
    pub(super) column_types: ColumnTypes,
    pub(super) collations: Collations,
    pub(super) server_errors: ServerErrors,
    pub(super) client_errors: ClientErrors,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProtocolStages {
    pub(super) stage: Vec<ProtocolStage>,
    pub(super) edge: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProtocolStage {
    pub(super) number: u8,
    pub(super) name: String,
    pub(super) does: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edge {
    pub(super) from: String,
    pub(super) to: String,
    #[serde(rename = "in")]
    pub(super) source: Source,
    pub(super) when: String,
}

/// Who draws an edge.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Source {
    Documented,
    Observed,
    Both,
}

impl Source {
    pub(super) const fn documented(self) -> bool {
        matches!(self, Self::Documented | Self::Both)
    }

    pub(super) const fn observed(self) -> bool {
        matches!(self, Self::Observed | Self::Both)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Observed => "observed",
            Self::Both => "both",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TraceEvents {
    pub(super) event: Vec<TraceEvent>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TraceEvent {
    pub(super) number: u8,
    pub(super) name: String,
    pub(super) moment: String,
    pub(super) stage: String,
    pub(super) args: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectStages {
    pub(super) stage: Vec<ConnectStage>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectStage {
    pub(super) number: u8,
    pub(super) name: String,
    pub(super) does: String,
    pub(super) waits: Option<String>,
    pub(super) next: Vec<String>,
}

/// The X Protocol's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LifeCycle {
    pub(super) state: Vec<State>,
    pub(super) message: Vec<Message>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    pub(super) number: u8,
    pub(super) name: String,
    pub(super) phase: Option<String>,
    pub(super) does: String,
    pub(super) next: Vec<String>,
}

/// What a server makes of a message, in each of its phases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    pub(super) name: String,
    pub(super) fresh: Reaction,
    pub(super) authenticating: Reaction,
    pub(super) failed: Reaction,
    pub(super) session: Reaction,
    pub(super) closed: Reaction,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Reaction {
    Reply,
    Fatal,
    Unexpected,
    Ignored,
    Attributes,
    Compressed,
}

impl Reaction {
    pub(super) const ALL: [Self; 6] =
        [Self::Reply, Self::Fatal, Self::Unexpected, Self::Ignored, Self::Attributes, Self::Compressed];
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flags {
    #[serde(rename = "type")]
    pub(super) name: String,
    pub(super) repr: String,
    #[serde(default)]
    pub(super) prefix: String,
    #[serde(default)]
    pub(super) suffix: String,
    pub(super) doc: String,
    pub(super) page: String,
    pub(super) flag: Vec<Flag>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flag {
    pub(super) bit: u8,
    pub(super) name: String,
    pub(super) alias: Option<String>,
    pub(super) doc: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Commands {
    pub(super) command: Vec<Command>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Command {
    pub(super) byte: u8,
    pub(super) name: String,
    pub(super) variant: Option<String>,
    pub(super) doc: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnTypes {
    #[serde(rename = "type")]
    pub(super) types: Vec<ColumnType>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnType {
    pub(super) id: u8,
    pub(super) name: String,
    pub(super) variant: Option<String>,
    pub(super) doc: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Collations {
    pub(super) mysql: Vec<Collation>,
    pub(super) mariadb: Vec<Collation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Collation {
    pub(super) id: u16,
    pub(super) name: String,
    pub(super) charset: String,
    #[serde(default)]
    pub(super) default: bool,
    pub(super) maxlen: u8,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerErrors {
    /// Names that code may refer to; the rest is only looked up.
    pub(super) constants: Vec<String>,
    /// Number, SQLSTATE, name.
    pub(super) error: Vec<(u16, String, String)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientErrors {
    pub(super) error: Vec<ClientError>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientError {
    pub(super) code: u16,
    pub(super) name: String,
    pub(super) doc: String,
}

impl Spec {
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let spec = Self {
            protocol: table(folder, "protocol_stages")?,
            events: table(folder, "trace_events")?,
            connect: table(folder, "connect_stages")?,
            life_cycle: table(folder, "x_life_cycle")?,
            capabilities: table(folder, "capability_flags")?,
            status: table(folder, "status_flags")?,
            column_flags: table(folder, "column_flags")?,
            commands: table(folder, "commands")?,
            column_types: table(folder, "column_types")?,
            collations: table(folder, "collations")?,
            server_errors: table(folder, "server_errors")?,
            client_errors: table(folder, "client_errors")?,
        };
        spec.check()?;
        Ok(spec)
    }

    fn check(&self) -> Result<()> {
        counted("protocol_stages", self.protocol.stage.iter().map(|stage| stage.number))?;
        counted("trace_events", self.events.event.iter().map(|event| event.number))?;
        counted("connect_stages", self.connect.stage.iter().map(|stage| stage.number))?;
        counted("x_life_cycle", self.life_cycle.state.iter().map(|state| state.number))?;
        counted("commands", self.commands.command.iter().map(|command| command.byte))?;
        for flags in [&self.capabilities, &self.status, &self.column_flags] {
            rising(&flags.name, flags.flag.iter().map(|flag| u16::from(flag.bit)))?;
        }
        rising("column_types", self.column_types.types.iter().map(|kind| u16::from(kind.id)))?;
        rising("collations.mysql", self.collations.mysql.iter().map(|collation| collation.id))?;
        rising("collations.mariadb", self.collations.mariadb.iter().map(|collation| collation.id))?;
        rising("server_errors", self.server_errors.error.iter().map(|(code, ..)| *code))?;
        rising("client_errors", self.client_errors.error.iter().map(|error| error.code))?;

        for name in &self.server_errors.constants {
            if !self.server_errors.error.iter().any(|(.., known)| known == name) {
                bail!("server_errors: constant {name}: unknown");
            }
        }
        let known = |name: &str| self.protocol.stage.iter().any(|stage| stage.name == name);
        for edge in &self.protocol.edge {
            if !known(&edge.from) || !known(&edge.to) {
                bail!("protocol_stages: edge {} to {}: unknown", edge.from, edge.to);
            }
        }
        let known = |name: &str| self.connect.stage.iter().any(|stage| stage.name == name);
        for next in self.connect.stage.iter().flat_map(|stage| &stage.next) {
            if !known(next) {
                bail!("connect_stages: next {next}: unknown");
            }
        }
        let known = |name: &str| self.life_cycle.state.iter().any(|state| state.name == name);
        for next in self.life_cycle.state.iter().flat_map(|state| &state.next) {
            if !known(next) {
                bail!("x_life_cycle: next {next}: unknown");
            }
        }
        Ok(())
    }
}

fn table<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T> {
    let path = folder.join(name).with_extension("toml");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

/// Numbers of an enum: 0, 1, 2 and so on.
fn counted(table: &str, numbers: impl Iterator<Item = u8>) -> Result<()> {
    match numbers.zip(0_u8..).find(|(number, place)| number != place) {
        Some((number, place)) => bail!("{table}: number {number} stands at place {place}"),
        None => Ok(()),
    }
}

/// Numbers of a table that is searched by halving: rising, none twice.
fn rising(table: &str, numbers: impl Iterator<Item = u16>) -> Result<()> {
    let mut last = None;
    for number in numbers {
        if last.is_some_and(|last| last >= number) {
            bail!("{table}: {number} is out of order");
        }
        last = Some(number);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{counted, rising};

    #[test]
    fn a_gap_in_an_enum_is_found() {
        assert!(counted("t", [0, 1, 2].into_iter()).is_ok());
        assert!(counted("t", [0, 2].into_iter()).is_err());
    }

    #[test]
    fn a_table_out_of_order_is_found() {
        assert!(rising("t", [1, 5, 9].into_iter()).is_ok());
        assert!(rising("t", [1, 5, 5].into_iter()).is_err());
        assert!(rising("t", [5, 1].into_iter()).is_err());
    }
}
