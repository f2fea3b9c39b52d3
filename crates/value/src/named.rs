use std::borrow::Cow;

/// A statement whose parameters have names: `:name` for each `?`.
///
/// MySQL itself knows `?` only. A name begins with an ASCII letter or `_`, goes on with letters, digits and `_`, and
/// is case-sensitive; the same one may stand at several places. What stands in quotes, backticks or comments is left alone, and so are
/// `:=` and a `?`, which is none of ours: a statement has one style or the other. A backslash in a string escapes, as
/// it does unless the SQL mode has `NO_BACKSLASH_ESCAPES`.
///
/// ```
/// use porpoise_value::NamedSql;
///
/// let named = NamedSql::parse("SELECT ':a' FROM t WHERE id = :id OR parent = :id");
/// assert_eq!(named.sql(), "SELECT ':a' FROM t WHERE id = ? OR parent = ?");
/// assert_eq!(named.names(), [Box::from("id"), Box::from("id")]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSql<'a> {
    sql: Cow<'a, str>,
    names: Box<[Box<str>]>,
}

impl<'a> NamedSql<'a> {
    /// Finds the names.
    #[must_use]
    pub fn parse(sql: &'a str) -> Self {
        let mut names = Vec::new();
        let mut out = String::new();
        let (mut copied, mut at) = (0, 0);
        while let Some(left) = sql.as_bytes().get(at..).filter(|left| !left.is_empty()) {
            let len = match token(left) {
                Token::Name(len) => {
                    names.push(sql.get(at + 1..at + len).unwrap_or_default().into());
                    out.push_str(sql.get(copied..at).unwrap_or_default());
                    out.push('?');
                    copied = at + len;
                    len
                }
                Token::Other(len) => len,
            };
            at += len.max(1);
        }
        if names.is_empty() {
            return Self { sql: Cow::Borrowed(sql), names: Box::default() };
        }
        out.push_str(sql.get(copied..).unwrap_or_default());
        Self { sql: Cow::Owned(out), names: names.into() }
    }

    /// The statement with `?` for every name.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The name of each `?`, in order.
    #[must_use]
    pub const fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// Both.
    #[must_use]
    pub fn into_parts(self) -> (Cow<'a, str>, Box<[Box<str>]>) {
        (self.sql, self.names)
    }
}

enum Token {
    /// A colon and a name, of so many bytes.
    Name(usize),
    Other(usize),
}

/// What the text begins with. All that matters is ASCII, so a length never ends inside a character.
fn token(text: &[u8]) -> Token {
    match text {
        [quote @ (b'\'' | b'"'), rest @ ..] => Token::Other(1 + quoted(rest, *quote, true)),
        [b'`', rest @ ..] => Token::Other(1 + quoted(rest, b'`', false)),
        [b'/', b'*', rest @ ..] => Token::Other(2 + until(rest, b"*/")),
        [b'#', rest @ ..] => Token::Other(1 + until(rest, b"\n")),
        // Two dashes begin a comment only before white space, or at the end.
        [b'-', b'-'] => Token::Other(2),
        [b'-', b'-', next, rest @ ..] if next.is_ascii_whitespace() || next.is_ascii_control() => {
            Token::Other(if *next == b'\n' { 3 } else { 3 + until(rest, b"\n") })
        }
        [b':', first, rest @ ..] if first.is_ascii_alphabetic() || *first == b'_' => {
            Token::Name(2 + word(rest))
        }
        // `a:b` after a word or another colon is no name of ours, as in labels (`here:BEGIN`).
        [b':', b':', ..] => Token::Other(2),
        [first, rest @ ..] if is_word(*first) => {
            let len = 1 + word(rest);
            Token::Other(if text.get(len) == Some(&b':') { len + 1 } else { len })
        }
        _ => Token::Other(1),
    }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// How many bytes of a name follow. Bytes above ASCII end it.
fn word(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
}

/// Bytes up to and with the closing quote. A doubled quote is read as the end of one string and the start of another,
/// which comes to the same.
fn quoted(text: &[u8], quote: u8, escapes: bool) -> usize {
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let ends = !escaped && *byte == quote;
        escaped = escapes && !escaped && *byte == b'\\';
        ends
    });
    end.map_or(text.len(), |end| end + 1)
}

/// Bytes up to and with `end`.
fn until(text: &[u8], end: &[u8]) -> usize {
    text.windows(end.len()).position(|window| window == end).map_or(text.len(), |place| place + end.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    fn parsed(sql: &str) -> (String, Vec<String>) {
        let (sql, names) = NamedSql::parse(sql).into_parts();
        (sql.into_owned(), names.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn names_become_question_marks() {
        let (sql, names) = parsed("INSERT INTO t VALUES (:a, :b_2,:a)");
        assert_eq!(
            (sql.as_str(), names),
            ("INSERT INTO t VALUES (?, ?,?)", vec!["a".into(), "b_2".into(), "a".into()])
        );
        assert_eq!(parsed(":é:x"), (":é:x".into(), vec![]));
        assert_eq!(parsed("id=:id"), ("id=?".into(), vec!["id".into()]));
        assert_eq!(parsed("LIMIT 1,:n"), ("LIMIT 1,?".into(), vec!["n".into()]));
    }

    #[test]
    fn what_is_left_alone() {
        for sql in [
            "SELECT ':a', \":a\", `:a`, 'it''s :a', 'it\\'s :a', '\\\\'",
            "SELECT 1 -- :a\n, 2 # :a\n, 3 /* :a */",
            "SELECT 1 --",
            "SET @x := 1, @y:=2",
            "here:BEGIN END",
            "SELECT '12:30:00', ':a",
            "SELECT /* :a",
            "SELECT ?",
            "",
        ] {
            assert!(
                matches!(NamedSql::parse(sql).into_parts().0, Cow::Borrowed(same) if same == sql),
                "{sql}"
            );
        }
        // Not a comment: minus minus five.
        assert_eq!(parsed("SELECT 5--:a").1, ["a"]);
        assert_eq!(parsed("SELECT `a\\`, :b").1, ["b"]);
        assert_eq!(parsed("--\n:b").1, ["b"]);
    }

    proptest! {
        #[test]
        fn each_name_is_one_question_mark(sql in "[a:'`\"\\-/*# \\n_?é=\\\\]{0,40}") {
            let marks = |sql: &str| sql.matches('?').count();
            let (out, names) = parsed(&sql);
            prop_assert_eq!(marks(&out), marks(&sql) + names.len());
        }

        #[test]
        fn no_text_makes_it_panic(sql in any::<String>()) {
            let (out, names) = parsed(&sql);
            prop_assert_eq!(out.len() + names.iter().map(String::len).sum::<usize>(), sql.len());
        }
    }
}
