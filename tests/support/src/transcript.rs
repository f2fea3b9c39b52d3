//! The bytes of a run, decrypted, and what was told in it (`tests/transcripts`).
//!
//! ```text
//! # sha2-fast-tls: caching_sha2_password, fast authentication, inside TLS
//! S: 4a0000000a392e37...  |J....9.7|      bytes of the server, 32 a line
//! C: 20000001...          | ...|          bytes of the client; `C~:` if all but the header is random
//! T: unverified                           TLS starts; whether the certificate's chain was checked
//! E: closed                               the outside ended it: refused, closed, deadline, tls; and what it said
//! > {"t": "stage", ...}                   a line that was told
//! ```

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use porpoise_wire::Lost;
use serde_json::Value;

use crate::{hex, root};

/// Bytes a line.
const WIDTH: usize = 32;

/// One thing that happened on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entry {
    /// The server sent this.
    Server(Vec<u8>),
    /// The client sent this.
    #[non_exhaustive]
    Client {
        /// The bytes.
        bytes: Vec<u8>,
        /// Whether the payload is different each time, as what RSA encrypts is.
        random: bool,
    },
    /// TLS started.
    #[non_exhaustive]
    Tls {
        /// Whether the server's certificate was checked against a CA.
        verified: bool,
    },
    /// The connection ended, and not by the client's will.
    #[non_exhaustive]
    Lost {
        /// How.
        end: End,
        /// What the operating system or TLS said, or how many milliseconds were given.
        text: String,
    },
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// Nobody listened.
    Refused,
    /// The server closed it.
    Closed,
    /// The time was up.
    Deadline,
    /// The TLS handshake failed.
    Tls,
}

impl End {
    const NAMES: [(Self, &str); 4] = [
        (Self::Refused, "refused"),
        (Self::Closed, "closed"),
        (Self::Deadline, "deadline"),
        (Self::Tls, "tls"),
    ];

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(end, _)| *end == self).map_or("", |(_, name)| name)
    }
}

impl Entry {
    /// The client sent this.
    #[must_use]
    pub fn client(bytes: &[u8]) -> Self {
        Self::Client { bytes: bytes.into(), random: false }
    }

    /// The connection ended.
    #[must_use]
    pub fn lost(why: &Lost) -> Self {
        let (end, text) = match why {
            Lost::Dial(error) | Lost::Resolve(error) => (End::Refused, error.to_string()),
            Lost::Deadline { after, .. } => (End::Deadline, after.as_millis().to_string()),
            Lost::Tls { error, .. } => (End::Tls, error.to_string()),
            _ => (End::Closed, String::new()),
        };
        Self::Lost { end, text }
    }
}

/// A run, as it is kept in a file.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Transcript {
    /// The server's RSA key, if the client had it beforehand: PEM.
    pub server_key: Option<String>,
    /// What happened.
    pub entries: Vec<Entry>,
    /// What was told: stages, events, results of steps.
    pub lines: Vec<String>,
}

impl Transcript {
    /// The file of a scenario.
    #[must_use]
    pub fn path(name: &str) -> PathBuf {
        root().join("tests/transcripts").join(format!("{name}.txt"))
    }

    /// A run. Neighbours of one side become one; a packet of the client that is as long as an RSA key of `rsa` bytes is
    /// random.
    #[must_use]
    pub fn new(
        entries: Vec<Entry>,
        lines: &[String],
        server_key: Option<String>,
        rsa: Option<usize>,
    ) -> Self {
        let mut transcript = Self { server_key, entries: Vec::new(), lines: lines.to_vec() };
        for mut entry in entries {
            if let Entry::Client { bytes, random } = &mut entry {
                *random = rsa.is_some_and(|len| bytes.len() == 4 + len);
            }
            match (transcript.entries.last_mut(), &mut entry) {
                (Some(Entry::Server(last)), Entry::Server(more)) => last.append(more),
                (
                    Some(Entry::Client { bytes: last, random: false }),
                    Entry::Client { bytes: more, random: false },
                ) => last.append(more),
                _ => transcript.entries.push(entry),
            }
        }
        transcript
    }

    /// How many bytes the server sent.
    #[must_use]
    pub fn server_bytes(&self) -> usize {
        self.entries.iter().map(|entry| if let Entry::Server(bytes) = entry { bytes.len() } else { 0 }).sum()
    }

    /// How many packets of the client are random.
    #[must_use]
    pub fn random_packets(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry, Entry::Client { random: true, .. })).count()
    }

    /// The file's text, below a headline.
    #[must_use]
    pub fn to_text(&self, headline: &str) -> String {
        let mut text = String::new();
        for line in headline.lines() {
            text.push_str(&format!("# {line}\n"));
        }
        if let Some(key) = &self.server_key {
            text.push_str(&format!("server-key {}\n", Value::from(key.as_str())));
        }
        text.push('\n');
        for entry in &self.entries {
            match entry {
                Entry::Server(bytes) => write_bytes(&mut text, "S:", bytes),
                Entry::Client { bytes, random: false } => write_bytes(&mut text, "C:", bytes),
                Entry::Client { bytes, random: true } => write_bytes(&mut text, "C~:", bytes),
                Entry::Tls { verified: true } => text.push_str("T: verified\n"),
                Entry::Tls { verified: false } => text.push_str("T: unverified\n"),
                Entry::Lost { end, text: said } => {
                    text.push_str(format!("E: {} {said}", end.name()).trim_end());
                    text.push('\n');
                }
            }
        }
        text.push('\n');
        for line in &self.lines {
            text.push_str(&format!("> {line}\n"));
        }
        text
    }

    /// Reads the text again.
    ///
    /// # Errors
    /// It is no transcript.
    pub fn parse(text: &str) -> Result<Self> {
        let mut transcript = Self::default();
        for line in text.lines() {
            transcript.take(line).with_context(|| line.to_owned())?;
        }
        Ok(transcript)
    }

    fn take(&mut self, line: &str) -> Result<()> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if let Some(key) = line.strip_prefix("server-key ") {
            self.server_key = Some(serde_json::from_str(key)?);
            return Ok(());
        }
        if let Some(more) = line.strip_prefix("   ") {
            let bytes = parse_bytes(more)?;
            return match self.entries.last_mut() {
                Some(Entry::Server(last) | Entry::Client { bytes: last, .. }) => {
                    last.extend(bytes);
                    Ok(())
                }
                _ => bail!("bytes of nobody"),
            };
        }
        let (mark, rest) = line.split_once(' ').context("no mark")?;
        match mark {
            "S:" => self.entries.push(Entry::Server(parse_bytes(rest)?)),
            "C:" => self.entries.push(Entry::client(&parse_bytes(rest)?)),
            "C~:" => self.entries.push(Entry::Client { bytes: parse_bytes(rest)?, random: true }),
            "T:" => self.entries.push(Entry::Tls { verified: rest == "verified" }),
            "E:" => {
                let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
                let found = End::NAMES.iter().find(|(_, known)| *known == name);
                let (end, _) = found.ok_or_else(|| anyhow!("no such end"))?;
                self.entries.push(Entry::Lost { end: *end, text: text.into() });
            }
            ">" => self.lines.push(rest.to_owned()),
            _ => bail!("no such mark"),
        }
        Ok(())
    }
}

fn write_bytes(text: &mut String, mark: &str, bytes: &[u8]) {
    for (i, row) in bytes.chunks(WIDTH).enumerate() {
        let shown =
            |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
        let shown: String = row.iter().map(shown).collect();
        let mark = if i == 0 { mark } else { "  " };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{mark} {:width$}  |{shown}|", hex::encode(row), width = 2 * WIDTH);
    }
}

fn parse_bytes(row: &str) -> Result<Vec<u8>> {
    hex::decode(row.split("  ").next().unwrap_or_default().trim())
}

#[cfg(test)]
mod tests {
    use super::{End, Entry, Transcript};

    #[test]
    fn a_text_is_read_as_it_was_written() {
        let bytes: Vec<u8> = (0..=255).collect();
        let entries = vec![
            Entry::Server(bytes[..7].to_vec()),
            Entry::Server(bytes[7..].to_vec()),
            Entry::client(b"  | a"),
            Entry::client(b"b"),
            Entry::client(&bytes[..132]),
            Entry::Tls { verified: true },
            Entry::Tls { verified: false },
            Entry::Lost { end: End::Deadline, text: "1000".into() },
            Entry::Lost { end: End::Closed, text: String::new() },
        ];
        let lines = ["{\"t\": \"stage\", \"n\": 2}".to_owned()];
        let written = Transcript::new(entries, &lines, Some("a\nb".into()), Some(128));
        assert_eq!((written.server_bytes(), written.random_packets()), (256, 1));
        assert_eq!(written.entries.len(), 7);
        let read = Transcript::parse(&written.to_text("n: w\nin two lines")).unwrap();
        assert_eq!(read.entries, written.entries);
        assert_eq!(read.lines, written.lines);
        assert_eq!(read.server_key, written.server_key);
    }

    #[test]
    fn something_else_is_refused() {
        for text in ["X: 00", "S: 0", "   00", "E: well", "S:"] {
            assert!(Transcript::parse(text).is_err(), "{text}");
        }
    }
}
