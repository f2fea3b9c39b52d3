//! Scenarios that MySQL's own client ran, as it was recorded (`tests/golden`).

use std::fs;

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Step, root};

/// A line of a recording: a JSON object.
pub type Line = Map<String, Value>;

/// A scenario, and what the reference client did in it.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Scenario {
    /// Its name, which is the file's.
    pub name: String,
    /// What it shows.
    pub what: String,
    /// `mysql` or `mariadb`.
    pub server: String,
    /// `tcp` or `unix`.
    pub transport: String,
    /// The client's options: a name, and a value if it has one.
    pub options: Vec<Vec<String>>,
    /// Statements that root runs first.
    pub before: Option<String>,
    /// What is special about the server.
    #[serde(default)]
    pub special: Option<Special>,
    /// What is done after the connect.
    pub steps: Vec<Step>,
    /// What must be there.
    pub needs: Vec<String>,
    /// Numbers of the errors that are meant, where there is nothing to compare with.
    #[serde(default)]
    pub errors: Vec<u16>,
    /// What may differ between servers.
    #[serde(default)]
    pub unstable: Vec<String>,
    /// What happened: stages, events, results of steps.
    #[serde(skip)]
    pub lines: Vec<Line>,
}

/// What is special about a scenario's server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub enum Special {
    /// The account is in the cache of `caching_sha2_password`.
    Warm,
    /// A peer in between clears this capability bit on both sides.
    Clear(u8),
    /// A peer that sends these bytes and closes.
    Fake(Vec<u8>),
    /// A peer that accepts and says nothing.
    Mute,
    /// Nothing listens.
    Refused,
    /// The server has all the connections that it takes.
    TooMany,
}

impl TryFrom<String> for Special {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        Ok(match text.split_once(':').unwrap_or((text.as_str(), "")) {
            ("warm", _) => Self::Warm,
            ("clear", bit) => Self::Clear(bit.parse()?),
            ("fake", bytes) => Self::Fake(crate::hex::decode(bytes)?),
            ("mute", _) => Self::Mute,
            ("refused", _) => Self::Refused,
            ("toomany", _) => Self::TooMany,
            _ => bail!("an unknown special condition: {text}"),
        })
    }
}

impl Scenario {
    /// All scenarios, by name.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn all() -> Result<Vec<Self>> {
        let dir = root().join("tests/golden");
        let mut paths = Vec::new();
        for entry in fs::read_dir(&dir).with_context(|| dir.display().to_string())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                paths.push(path);
            }
        }
        paths.sort();
        let read = |path: &std::path::PathBuf| {
            let scenario =
                fs::read_to_string(path).map_err(anyhow::Error::from).and_then(|text| Self::parse(&text));
            scenario.with_context(|| path.display().to_string())
        };
        paths.iter().map(read).collect()
    }

    /// A scenario from its lines.
    ///
    /// # Errors
    /// It is not understood.
    pub fn parse(jsonl: &str) -> Result<Self> {
        let mut lines = jsonl.lines();
        let mut scenario: Self = serde_json::from_str(lines.next().context("an empty file")?)?;
        scenario.lines = lines
            .map(|line| serde_json::from_str(line).map_err(|e| anyhow!("{e}: {line}")))
            .collect::<Result<_>>()?;
        Ok(scenario)
    }

    /// An option's value.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        let found = self.options.iter().find(|option| option.first().is_some_and(|n| n == name));
        found.and_then(|option| option.get(1)).map(String::as_str)
    }

    /// What was recorded up to the end of the connect and so many steps; all if there are no more.
    #[must_use]
    pub fn recorded(&self, steps: usize) -> &[Line] {
        if steps >= self.steps.len() {
            return &self.lines;
        }
        // One step has a line for each of its results: the next step is the one that begins after the last `more`.
        let mut left = steps + 1;
        for (i, line) in self.lines.iter().enumerate() {
            if line.get("t").is_some_and(|t| t == "step") && line.get("more").is_none_or(|more| more != true)
            {
                left -= 1;
                if left == 0 {
                    return self.lines.get(..=i).unwrap_or_default();
                }
            }
        }
        &self.lines
    }
}
