//! Commands typed at a terminal: editing, history, completion.

use std::io;
use std::path::PathBuf;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

const PROMPT: &str = "porpoise> ";
/// In the home folder.
const HISTORY: &str = ".porpoise_history";
/// Of what else a command's name may be.
const WORDS: [&str; 3] = ["exit", "help", "quit"];

pub(crate) struct Prompt {
    editor: Editor<Words, DefaultHistory>,
    history: Option<PathBuf>,
    /// A command that may hold a password.
    secret: &'static str,
}

impl Prompt {
    pub(super) fn new(words: Vec<&'static str>, secret: &'static str) -> io::Result<Self> {
        let config = Config::builder().completion_type(CompletionType::List).build();
        let mut editor = Editor::with_config(config).map_err(io::Error::other)?;
        editor.set_helper(Some(Words(words)));
        let history = std::env::home_dir().map(|home| home.join(HISTORY));
        if let Some(path) = &history {
            // The first time there is none.
            let _ = editor.load_history(path);
        }
        Ok(Self { editor, history, secret })
    }

    /// The next line; `None` at the end.
    pub(super) fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            match self.editor.readline(PROMPT) {
                Ok(line) => {
                    if !line.trim().is_empty() && !is_secret(&line, self.secret) {
                        // A history that cannot be kept is no reason not to go on.
                        let _ = self.editor.add_history_entry(&line);
                        if let Some(path) = &self.history {
                            let _ = self.editor.append_history(path);
                        }
                    }
                    return Ok(Some(line));
                }
                // Ctrl-C drops the line.
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => return Ok(None),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }
}

/// Whether a line may hold a password. Such ones are not kept.
fn is_secret(line: &str, secret: &str) -> bool {
    let line = line.trim_start().to_ascii_lowercase();
    line.starts_with(secret) || line.contains("identified") || line.contains("password")
}

/// Completes a command's name.
struct Words(Vec<&'static str>);

impl Completer for Words {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok((0, completions(&self.0, line.get(..pos).unwrap_or(line))))
    }
}

fn completions(words: &[&str], begun: &str) -> Vec<String> {
    let (help, word) = begun.strip_prefix("help ").map_or(("", begun), |word| ("help ", word));
    let names = words.iter().copied().chain(WORDS);
    let mut found: Vec<_> =
        names.filter(|name| name.starts_with(word)).map(|name| format!("{help}{name} ")).collect();
    found.sort_unstable();
    found
}

impl Hinter for Words {
    type Hint = String;
}
impl Highlighter for Words {}
impl Validator for Words {}
impl Helper for Words {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed() {
        let completions = |begun| completions(&["query", "stmt_next", "stmt_new"], begun);
        assert_eq!(completions("qu"), ["query ", "quit "]);
        assert_eq!(completions("help stmt_n"), ["help stmt_new ", "help stmt_next "]);
        assert!(completions("query sel").is_empty());
    }

    #[test]
    fn passwords_are_not_kept() {
        let is_secret = |line| is_secret(line, "change_user");
        assert!(is_secret(" change_user:me:secret:"));
        assert!(is_secret("query ALTER USER me IDENTIFIED BY 'secret'"));
        assert!(!is_secret("query select 1"));
    }
}
