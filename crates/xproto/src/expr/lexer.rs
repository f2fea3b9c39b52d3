//! From text to tokens.

use super::error::{ExprError, ExprFault};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name or a keyword; which of them is for the parser to say. `quoted`: in backquotes, never a keyword.
    Word { name: String, quoted: bool },
    /// Text in quotes.
    Text(String),
    /// A whole number.
    Int(u64),
    /// A number with a point or an exponent.
    Float(f64),
    /// Punctuation and operators.
    Sign(&'static str),
}

#[derive(Clone, Debug)]
pub(super) struct Spanned {
    pub(super) token: Token,
    pub(super) at: usize,
    pub(super) end: usize,
}

/// Longer ones first, so that none hides another.
const SIGNS: [&str; 33] = [
    "->>", "**", "->", "<<", ">>", "<=", ">=", "<>", "!=", "==", "&&", "||", "(", ")", "[", "]", "{", "}",
    ",", ".", "$", "?", ":", "=", "<", ">", "+", "-", "*", "/", "%", "!", "~",
];
const MORE_SIGNS: [&str; 3] = ["&", "|", "^"];

pub(super) fn lex(text: &str) -> Result<Vec<Spanned>, ExprError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(first) = rest.chars().next() else { break };
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (token, len) = one(rest, first, at, tokens.last())?;
        tokens.push(Spanned { token, at, end: at + len });
        at += len;
    }
    Ok(tokens)
}

/// One token, and its length in bytes.
fn one(rest: &str, first: char, at: usize, before: Option<&Spanned>) -> Result<(Token, usize), ExprError> {
    match first {
        '\'' | '"' => quoted(rest, first, at).map(|(text, len)| (Token::Text(text), len)),
        '`' => quoted(rest, first, at).map(|(name, len)| (Token::Word { name, quoted: true }, len)),
        '0'..='9' => match hex(rest, "0x", "") {
            Some(hex) if !path_goes_on(before, at) => {
                hex.ok_or_else(|| ExprError::new(at, ExprFault::Number))
            }
            _ => number(rest, at, before),
        },
        'x' | 'X' if rest.as_bytes().get(1) == Some(&b'\'') => {
            let hex = hex(rest, "x'", "'").flatten();
            hex.ok_or_else(|| ExprError::new(at, ExprFault::Number))
        }
        // A number may begin with its point, unless it is a path that goes on: `a.1` has a member `1`.
        '.' if !path_goes_on(before, at) && rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => {
            number(rest, at, before)
        }
        _ if is_word(first) => {
            let len = rest.find(|letter| !is_word(letter) && !letter.is_ascii_digit()).unwrap_or(rest.len());
            let name = rest.get(..len).unwrap_or_default().to_owned();
            Ok((Token::Word { name, quoted: false }, len))
        }
        _ => {
            let sign = SIGNS.iter().chain(&MORE_SIGNS).find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| ExprError::new(at, ExprFault::Character(first)))?;
            Ok((Token::Sign(sign), sign.len()))
        }
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphabetic() || letter == '_'
}

/// Whether something that a path can go on from ends right here.
fn path_goes_on(before: Option<&Spanned>, at: usize) -> bool {
    before.is_some_and(|before| {
        before.end == at && matches!(before.token, Token::Word { .. } | Token::Sign("]" | "$" | "*" | "**"))
    })
}

/// What is between quotes. A quote is doubled, or behind a backslash.
fn quoted(rest: &str, quote: char, at: usize) -> Result<(String, usize), ExprError> {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((place, letter)) = letters.next() {
        if letter == quote {
            match letters.peek() {
                Some((_, next)) if *next == quote => {
                    text.push(quote);
                    letters.next();
                }
                _ => return Ok((text, place + letter.len_utf8())),
            }
        } else if letter == '\\' && quote != '`' {
            let Some((_, escaped)) = letters.next() else { break };
            // As MySQL has it: these stay escaped, for LIKE.
            if matches!(escaped, '%' | '_') {
                text.push('\\');
            }
            text.push(match escaped {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '0' => '\0',
                'b' => '\u{8}',
                'Z' => '\u{1a}',
                other => other,
            });
        } else {
            text.push(letter);
        }
    }
    Err(ExprError::new(at, ExprFault::Unterminated(quote)))
}

/// A number in hexadecimal, between a prefix and a suffix. `None`: there is none; `Some(None)`: it is too large, or has no
/// end.
fn hex(rest: &str, prefix: &str, suffix: &str) -> Option<Option<(Token, usize)>> {
    let digits = rest.get(..prefix.len()).filter(|start| start.eq_ignore_ascii_case(prefix));
    let digits = digits.and_then(|_| rest.get(prefix.len()..))?;
    let len = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
    if len == 0 {
        return None;
    }
    let (digits, behind) = digits.split_at_checked(len)?;
    let number = u64::from_str_radix(digits, 16).ok().filter(|_| behind.starts_with(suffix));
    Some(number.map(|number| (Token::Int(number), prefix.len() + len + suffix.len())))
}

fn number(rest: &str, at: usize, before: Option<&Spanned>) -> Result<(Token, usize), ExprError> {
    let bytes = rest.as_bytes();
    let digits = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let mut len = digits(0);
    let mut float = false;
    // `[1.` is no number in a path, but `1.5` is one anywhere else.
    if bytes.get(len) == Some(&b'.') && !matches!(before.map(|before| &before.token), Some(Token::Sign(".")))
    {
        float = true;
        len += 1 + digits(len + 1);
    }
    if let Some(b'e' | b'E') = bytes.get(len) {
        let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
        let exponent = digits(len + 1 + sign);
        if exponent > 0 {
            float = true;
            len += 1 + sign + exponent;
        }
    }
    let text = rest.get(..len).unwrap_or_default();
    let bad = || ExprError::new(at, ExprFault::Number);
    let token = if float {
        Token::Float(text.parse().map_err(|_| bad())?)
    } else {
        Token::Int(text.parse().map_err(|_| bad())?)
    };
    Ok((token, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        lex(text).unwrap().into_iter().map(|spanned| spanned.token).collect()
    }

    fn word(name: &str) -> Token {
        Token::Word { name: name.to_owned(), quoted: false }
    }

    #[test]
    fn signs_are_as_long_as_they_can_be() {
        let signs: Vec<_> = "->> -> >> >= > ** * && & <> < || |".split(' ').collect();
        let lexed = tokens(&signs.join(""));
        assert_eq!(tokens(&signs.join(" ")).len(), signs.len());
        assert_eq!(lexed[0], Token::Sign("->>"));
    }

    #[test]
    fn numbers_and_paths_share_the_point() {
        assert_eq!(tokens("1.5"), [Token::Float(1.5)]);
        assert_eq!(tokens(".5e1 2E-1 3"), [Token::Float(5.0), Token::Float(0.2), Token::Int(3)]);
        assert_eq!(tokens("18446744073709551615"), [Token::Int(u64::MAX)]);
        assert_eq!(
            tokens("0x1F X'ff' a.0"),
            [Token::Int(31), Token::Int(255), word("a"), Token::Sign("."), Token::Int(0)]
        );
        for text in ["18446744073709551616", "0x10000000000000000", "x'1", "x'g'"] {
            assert_eq!(lex(text).unwrap_err().fault(), &ExprFault::Number, "{text}");
        }
        let path = [word("a"), Token::Sign("."), Token::Int(1), Token::Sign("."), word("b")];
        assert_eq!(tokens("a.1.b"), path);
    }

    #[test]
    fn quotes_can_be_doubled_or_escaped() {
        assert_eq!(tokens(r"'it''s' "), [Token::Text("it's".into())]);
        assert_eq!(tokens(r#""a\"b\n\%""#), [Token::Text("a\"b\n\\%".into())]);
        assert_eq!(tokens("`a``b` `select`").len(), 2);
        for text in ["'", "'a\\", "`x", "\"''"] {
            assert!(matches!(lex(text).unwrap_err().fault(), ExprFault::Unterminated(_)), "{text}");
        }
    }

    #[test]
    fn what_begins_nothing_is_told_with_its_place() {
        let error = lex("a = \u{1f42c}").unwrap_err();
        assert_eq!((error.at(), error.fault()), (4, &ExprFault::Character('\u{1f42c}')));
        assert_eq!(tokens("größe"), [word("größe")]);
    }
}
