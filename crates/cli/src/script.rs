//! Scripts: where their lines come from, and what is said of the commands in them.

mod prompt;

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _};
use std::path::Path;

use self::prompt::Prompt;
use crate::exit::Failure;
use crate::text::BAD;

/// How a command is described.
pub(crate) struct About<N> {
    pub(crate) name: N,
    pub(crate) word: &'static str,
    pub(crate) argument: &'static str,
    /// What it does, and what it sends.
    pub(crate) doc: &'static str,
}

pub(crate) const fn about<N>(
    name: N,
    word: &'static str,
    argument: &'static str,
    doc: &'static str,
) -> About<N> {
    About { name, word, argument, doc }
}

/// One command with its argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step<N> {
    pub(crate) name: N,
    pub(crate) argument: String,
}

impl<N: Copy> Step<N> {
    /// The command of that word, which a line begins with.
    pub(crate) fn of(line: &str, word: &str, argument: &str, all: &[About<N>]) -> Result<Self, Unknown> {
        match all.iter().find(|about| about.word == word) {
            Some(about) => Ok(Self { name: about.name, argument: argument.to_owned() }),
            None => Err(Unknown::new(line, word, all)),
        }
    }
}

/// Whether a line has nothing to say: an empty one, and a comment, which begins with `#`.
pub(crate) fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// A command's word in a script.
pub(crate) fn word_of<N: PartialEq>(name: &N, all: &[About<N>]) -> &'static str {
    all.iter().find(|about| about.name == *name).map_or("", |about| about.word)
}

/// Why a line is no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    word: String,
    like: Option<&'static str>,
}

impl Unknown {
    /// `word`: what was taken for the command's name.
    fn new<N>(line: &str, word: &str, all: &[About<N>]) -> Self {
        Self { word: line.split_whitespace().next().unwrap_or(line).to_owned(), like: like(word, all) }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no command \"{}\"", self.word.escape_debug())?;
        if let Some(like) = self.like {
            write!(f, "; is \"{like}\" meant?")?;
        }
        Ok(())
    }
}

/// The command whose name is nearest, if one is near.
fn like<N>(word: &str, all: &[About<N>]) -> Option<&'static str> {
    let near = all.iter().map(|about| (strsim::damerau_levenshtein(word, about.word), about.word));
    near.filter(|(distance, _)| *distance <= 2).min().map(|(_, word)| word)
}

/// Where commands come from.
pub(crate) enum Source {
    Script {
        lines: Box<dyn Iterator<Item = io::Result<String>>>,
        number: usize,
    },
    /// Somebody types them.
    Prompt(Box<Prompt>),
}

impl Source {
    /// A file, standard input, or a terminal, where `words` are completed and lines that begin with `secret` are not kept.
    pub(crate) fn new(
        file: Option<&Path>,
        words: Vec<&'static str>,
        secret: &'static str,
    ) -> Result<Self, Failure> {
        let lines: Box<dyn Iterator<Item = io::Result<String>>> = match file {
            Some(path) if path != Path::new("-") => {
                let file = File::open(path)
                    .map_err(|error| Failure::Script(format!("{}: {error}", path.display())))?;
                Box::new(BufReader::new(file).lines())
            }
            None if io::stdin().is_terminal() => {
                let prompt =
                    Prompt::new(words, secret).map_err(|error| Failure::Script(error.to_string()))?;
                return Ok(Self::Prompt(Box::new(prompt)));
            }
            _ => Box::new(io::stdin().lock().lines()),
        };
        Ok(Self::Script { lines, number: 0 })
    }

    /// Whether somebody types.
    pub(crate) const fn is_typed(&self) -> bool {
        matches!(self, Self::Prompt(_))
    }

    /// The next command. In a script a line that is none is an error; at a terminal it is told.
    pub(crate) fn next<N, S>(
        &mut self,
        all: &[About<N>],
        parse: impl Fn(&str) -> Result<Option<S>, Unknown>,
    ) -> Result<Option<S>, Failure> {
        let unread = |error: io::Error| Failure::Script(error.to_string());
        loop {
            let step = match self {
                Self::Script { lines, number } => {
                    let Some(line) = lines.next() else { return Ok(None) };
                    *number += 1;
                    let step = parse(&line.map_err(unread)?);
                    step.map_err(|unknown| Failure::Script(format!("line {number}: {unknown}")))?
                }
                Self::Prompt(prompt) => {
                    let Some(line) = prompt.line().map_err(unread)? else { return Ok(None) };
                    match line.split_whitespace().next() {
                        Some("exit" | "quit") => return Ok(None),
                        Some("help") => {
                            help(&line, all);
                            None
                        }
                        _ => parse(&line).unwrap_or_else(|unknown| {
                            anstream::eprintln!("{BAD}{unknown}{BAD:#}; `help` lists all");
                            None
                        }),
                    }
                }
            };
            if step.is_some() {
                return Ok(step);
            }
        }
    }
}

fn help<N>(line: &str, all: &[About<N>]) {
    let wanted = line.split_whitespace().nth(1);
    let found = all.iter().filter(|about| wanted.is_none_or(|word| about.word == word));
    anstream::print!("{}", listed(found));
}

/// The width of the help, and where in it what a command does begins.
pub(crate) const HELP_COLUMNS: usize = 80;
const DOC: usize = 32;

/// Commands with what each does.
pub(crate) fn listed<'a, N: 'a>(commands: impl IntoIterator<Item = &'a About<N>>) -> String {
    let mut help = String::new();
    for about in commands {
        let head = format!("  {} {}", about.word, about.argument);
        let indent = " ".repeat(DOC);
        let doc = textwrap::fill(
            about.doc,
            textwrap::Options::new(HELP_COLUMNS).initial_indent(&indent).subsequent_indent(&indent),
        );
        // Writing to a string cannot fail.
        let _ = match head.len() {
            0..DOC => writeln!(help, "{head:DOC$}{}", doc.trim_start()),
            _ => writeln!(help, "{head}\n{doc}"),
        };
    }
    help
}
