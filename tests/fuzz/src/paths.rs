//! What an input reached: inputs that reach something new are worth changing further.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The way that an input took: each step on it, by what was before and what came then.
#[derive(Default)]
pub(crate) struct Path {
    steps: Vec<u64>,
    last: u64,
}

impl Path {
    /// Something happened.
    pub(crate) fn passes(&mut self, what: &impl Hash) {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        let now = hasher.finish();
        self.steps.push(self.last.rotate_left(1) ^ now);
        self.last = now;
    }

    /// Something was told, by its kind: numbers and texts in it do not count, or every input would be new.
    pub(crate) fn tells(&mut self, what: &impl fmt::Debug) {
        let (mut kind, mut quoted) = (String::new(), false);
        let text = format!("{what:?}");
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match letter {
                // Whatever comes next is no end of a text.
                '\\' => drop(letters.next()),
                '"' => quoted = !quoted,
                _ if !quoted && (letter.is_alphabetic() || letter == '_') => kind.push(letter),
                _ => {}
            }
        }
        self.passes(&kind);
    }

    /// A number, roughly.
    pub(crate) fn counts(&mut self, number: usize) {
        self.passes(&number.checked_ilog2());
    }

    pub(crate) fn steps(self) -> Vec<u64> {
        self.steps
    }
}
