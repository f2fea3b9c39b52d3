//! Conversations of the X Protocol as they were recorded: `tests/golden-x`.

use std::fs;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::{read, root};

/// A recorded conversation.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct XScenario {
    /// Its name, which is the file's.
    pub name: String,
    /// What it shows.
    pub what: String,
    /// The URL, with places in braces to be filled in.
    pub url: String,
    /// Whether only the transport is opened.
    #[serde(default)]
    pub raw: bool,
    /// The script's lines.
    #[serde(default)]
    pub script: Vec<String>,
    /// SQL to be run before, by root.
    #[serde(default)]
    pub before: Vec<String>,
    /// SQL to be run after, by root.
    #[serde(default)]
    pub after: Vec<String>,
    /// Accounts that the server is to have in its cache: `USER:PASSWORD`.
    #[serde(default)]
    pub warm: Vec<String>,
    /// The kind of server.
    pub server: String,
    /// What happens meanwhile.
    #[serde(default)]
    pub special: Option<String>,
    /// What differs each time.
    #[serde(default)]
    pub unstable: Vec<String>,
    /// The lines of the conversation.
    #[serde(skip)]
    pub lines: Vec<String>,
}

impl XScenario {
    /// All of them.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn all() -> Result<Vec<Self>> {
        let mut files: Vec<_> = fs::read_dir(root().join("tests/golden-x"))?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
        files.sort();
        files
            .iter()
            .map(|file| Self::parse(&fs::read_to_string(file)?).with_context(|| file.display().to_string()))
            .collect()
    }

    fn parse(text: &str) -> Result<Self> {
        let (head, lines) = text.split_once('\n').context("a head and lines")?;
        let scenario: Self = serde_json::from_str(head)?;
        Ok(Self { lines: lines.lines().map(str::to_owned).collect(), ..scenario })
    }

    /// The statements that make the accounts and tables anew; they stand between empty lines.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn setup() -> Result<Vec<String>> {
        let text = read("tests/golden-x/setup.sql")?;
        let statements = text.split("\n\n").map(|statement| statement.trim().to_owned());
        Ok(statements.filter(|statement| !statement.is_empty()).collect())
    }
}
