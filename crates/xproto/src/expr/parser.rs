//! Operators and predicates.

use std::mem;

use super::build::{literal, octets, operator};
use super::error::{ExprError, ExprFault};
use super::lexer::{Spanned, Token, lex};
use crate::messages::datatypes::Scalar;
use crate::messages::expr::Expr;

/// What identifiers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Model {
    /// Paths into a document.
    Document,
    /// Columns.
    Table,
}

/// An expression, and what is to be filled in.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Parsed {
    /// The expression.
    pub expr: Expr,
    /// The placeholders' names in the order of their positions; `?` has its number, from 0. A name that is used twice has one
    /// position.
    pub placeholders: Vec<String>,
}

/// Servers read 100 messages into each other, and an operator is two of them.
const MAX_DEPTH: usize = 48;

/// The placeholders of one message, which all of its expressions share: a name that is used twice has one position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placeholders {
    names: Vec<String>,
    /// Whether they have names; unknown before the first.
    named: Option<bool>,
}

impl Placeholders {
    /// Their names in the order of their positions; `?` has its number, from 0.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The position of the next one; `None` if those before are of the other kind.
    pub(super) fn position(&mut self, name: Option<String>) -> Option<usize> {
        let named = name.is_some();
        if *self.named.get_or_insert(named) != named {
            return None;
        }
        let name = name.unwrap_or_else(|| self.names.len().to_string());
        Some(self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        }))
    }
}

/// Parses an expression.
///
/// # Errors
/// [`ExprError`] says what is wrong, and where.
pub fn parse(text: &str, model: Model) -> Result<Parsed, ExprError> {
    let mut placeholders = Placeholders::default();
    let expr = parse_with(text, model, &mut placeholders)?;
    Ok(Parsed { expr, placeholders: placeholders.names })
}

/// Parses one of several expressions that share placeholders.
///
/// # Errors
/// [`ExprError`].
pub fn parse_with(text: &str, model: Model, placeholders: &mut Placeholders) -> Result<Expr, ExprError> {
    all(text, model, placeholders, Parser::expr)
}

/// Parses a text to its end.
pub(super) fn all<R>(
    text: &str,
    model: Model,
    placeholders: &mut Placeholders,
    parse: impl FnOnce(&mut Parser) -> Result<R, ExprError>,
) -> Result<R, ExprError> {
    let mut parser = Parser::new(text, model)?;
    parser.placeholders = mem::take(placeholders);
    let parsed = parse(&mut parser).and_then(|parsed| parser.end().map(|()| parsed));
    *placeholders = parser.placeholders;
    parsed
}

/// How many expressions are in each other.
fn depth(expr: &Expr) -> usize {
    let operands = expr.operator.iter().flat_map(|operator| &operator.param);
    let arguments = expr.function_call.iter().flat_map(|call| &call.param);
    let elements = expr.array.iter().flat_map(|array| &array.value);
    let fields = expr.object.iter().flat_map(|object| &object.fld).map(|field| &field.value);
    1 + operands.chain(arguments).chain(elements).chain(fields).map(depth).max().unwrap_or_default()
}

pub(super) struct Parser {
    tokens: Vec<Spanned>,
    next: usize,
    len: usize,
    depth: usize,
    pub(super) model: Model,
    pub(super) placeholders: Placeholders,
}

/// An operator between two operands: its spelling, the name that the server knows, and how tightly it binds.
type Infix = (&'static str, &'static str, u8);

const OR: u8 = 1;
const XOR: u8 = 2;
const AND: u8 = 3;
/// IS, IN, LIKE and the like: one behind a comparison, and none behind that.
const PREDICATE: u8 = 4;
const COMPARE: u8 = 5;
const BITS: u8 = 6;
const SHIFT: u8 = 7;
const SUM: u8 = 8;
const PRODUCT: u8 = 9;

const INFIX: [Infix; 24] = [
    ("||", "||", OR),
    ("OR", "||", OR),
    ("XOR", "xor", XOR),
    ("&&", "&&", AND),
    ("AND", "&&", AND),
    ("==", "==", COMPARE),
    ("=", "==", COMPARE),
    ("!=", "!=", COMPARE),
    ("<>", "!=", COMPARE),
    ("<=", "<=", COMPARE),
    (">=", ">=", COMPARE),
    ("<", "<", COMPARE),
    (">", ">", COMPARE),
    ("&", "&", BITS),
    ("|", "|", BITS),
    ("^", "^", BITS),
    ("<<", "<<", SHIFT),
    (">>", ">>", SHIFT),
    ("+", "+", SUM),
    ("-", "-", SUM),
    ("*", "*", PRODUCT),
    ("/", "/", PRODUCT),
    ("%", "%", PRODUCT),
    ("DIV", "div", PRODUCT),
];

const UNITS: [&str; 20] = [
    "MICROSECOND",
    "SECOND",
    "MINUTE",
    "HOUR",
    "DAY",
    "WEEK",
    "MONTH",
    "QUARTER",
    "YEAR",
    "SECOND_MICROSECOND",
    "MINUTE_MICROSECOND",
    "MINUTE_SECOND",
    "HOUR_MICROSECOND",
    "HOUR_SECOND",
    "HOUR_MINUTE",
    "DAY_MICROSECOND",
    "DAY_SECOND",
    "DAY_MINUTE",
    "DAY_HOUR",
    "YEAR_MONTH",
];

impl Parser {
    pub(super) fn new(text: &str, model: Model) -> Result<Self, ExprError> {
        let tokens = lex(text)?;
        Ok(Self { tokens, next: 0, len: text.len(), depth: 0, model, placeholders: Placeholders::default() })
    }

    /// An expression.
    pub(super) fn expr(&mut self) -> Result<Expr, ExprError> {
        let outermost = self.depth == 0;
        let expr = self.deeper(|parser| parser.operators(OR))?;
        if outermost && depth(&expr) > MAX_DEPTH {
            return Err(ExprError::new(0, ExprFault::TooDeep));
        }
        Ok(expr)
    }

    /// Several of what is parsed, with commas between.
    pub(super) fn several<R>(
        &mut self,
        mut parse: impl FnMut(&mut Self) -> Result<R, ExprError>,
    ) -> Result<Vec<R>, ExprError> {
        let mut list = vec![parse(self)?];
        while self.take(",") {
            list.push(parse(self)?);
        }
        Ok(list)
    }

    /// Operands with operators between that bind at least this tightly. One function for all levels: an expression in
    /// parentheses costs few frames of the stack.
    fn operators(&mut self, least: u8) -> Result<Expr, ExprError> {
        let mut left = self.atom()?;
        let (mut chained, mut most) = (0, PRODUCT);
        loop {
            let infix = INFIX.iter().find(|(spelling, ..)| self.is(spelling));
            let (level, name) = match infix {
                Some((_, name, level)) => (*level, Some(*name)),
                None if self.is_predicate() => (PREDICATE, None),
                None => return Ok(left),
            };
            if level < least || level > most {
                return Ok(left);
            }
            // Each one makes the tree one level deeper.
            chained += 1;
            if self.depth + chained > MAX_DEPTH {
                return Err(ExprError::new(self.at(), ExprFault::TooDeep));
            }
            left = match name {
                Some(name) => {
                    self.next += 1;
                    self.right(left, name, level)?
                }
                None => self.predicate(left)?,
            };
            // They associate to the left, but for predicates, of which there is only one.
            most = if level == PREDICATE { AND } else { level };
        }
    }

    /// What is right of an operator that is read.
    fn right(&mut self, left: Expr, name: &'static str, level: u8) -> Result<Expr, ExprError> {
        if level == SUM && self.take("INTERVAL") {
            let amount = self.operators(COMPARE)?;
            let unit = UNITS.iter().find(|unit| self.is(unit));
            let unit = *unit.ok_or_else(|| self.expected("a unit of time"))?;
            self.next += 1;
            let name = if name == "+" { "date_add" } else { "date_sub" };
            return Ok(operator(name, vec![left, amount, octets(unit)]));
        }
        let right = self.operators(level + 1)?;
        Ok(operator(name, vec![left, right]))
    }

    /// What nests without parentheses.
    pub(super) fn deeper<R>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<R, ExprError>,
    ) -> Result<R, ExprError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ExprError::new(self.at(), ExprFault::TooDeep));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn is_predicate(&self) -> bool {
        self.is("IS") || self.is_said(0) || (self.is("NOT") && self.is_said(1))
    }

    /// Whether a word of a predicate that can be negated is that far ahead.
    fn is_said(&self, ahead: usize) -> bool {
        let Some(Token::Word { name, quoted: false }) = self.ahead(ahead) else { return false };
        ["IN", "LIKE", "BETWEEN", "REGEXP", "OVERLAPS"].iter().any(|word| name.eq_ignore_ascii_case(word))
    }

    /// What is said of a comparison.
    fn predicate(&mut self, left: Expr) -> Result<Expr, ExprError> {
        if self.take("IS") {
            return self.is_what(left);
        }
        let not = self.take("NOT");
        let name = |plain, negated| if not { negated } else { plain };
        if self.take("IN") {
            return self.inside(left, not);
        }
        if self.take("LIKE") {
            let mut param = vec![left, self.operators(COMPARE)?];
            if self.take("ESCAPE") {
                param.push(self.operators(COMPARE)?);
            }
            return Ok(operator(name("like", "not_like"), param));
        }
        if self.take("BETWEEN") {
            let low = self.operators(COMPARE)?;
            self.want("AND")?;
            let high = self.operators(COMPARE)?;
            return Ok(operator(name("between", "not_between"), vec![left, low, high]));
        }
        let name = if self.take("REGEXP") {
            name("regexp", "not_regexp")
        } else {
            self.want("OVERLAPS")?;
            name("overlaps", "not_overlaps")
        };
        let right = self.operators(COMPARE)?;
        Ok(operator(name, vec![left, right]))
    }

    /// `IS` is read.
    fn is_what(&mut self, left: Expr) -> Result<Expr, ExprError> {
        let name = if self.take("NOT") { "is_not" } else { "is" };
        for (word, scalar) in
            [("NULL", Scalar::null()), ("TRUE", Scalar::from(true)), ("FALSE", Scalar::from(false))]
        {
            if self.take(word) {
                return Ok(operator(name, vec![left, literal(scalar)]));
            }
        }
        Err(self.expected("NULL, TRUE or FALSE"))
    }

    /// `IN (a, b)` looks for one of several values, `IN x` into a JSON value.
    fn inside(&mut self, left: Expr, not: bool) -> Result<Expr, ExprError> {
        if self.take("(") {
            let mut param = vec![left];
            param.extend(self.list(")")?);
            return Ok(operator(if not { "not_in" } else { "in" }, param));
        }
        let right = self.operators(COMPARE)?;
        Ok(operator(if not { "not_cont_in" } else { "cont_in" }, vec![left, right]))
    }

    /// Expressions up to a closing sign, which is taken.
    pub(super) fn list(&mut self, close: &'static str) -> Result<Vec<Expr>, ExprError> {
        let mut list = Vec::new();
        if self.take(close) {
            return Ok(list);
        }
        loop {
            list.push(self.expr()?);
            if self.take(close) {
                return Ok(list);
            }
            self.want(",")?;
        }
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.ahead(0)
    }

    pub(super) fn ahead(&self, n: usize) -> Option<&Token> {
        self.tokens.get(self.next + n).map(|spanned| &spanned.token)
    }

    pub(super) const fn advance(&mut self) {
        self.next += 1;
    }

    /// Where the next token is.
    pub(super) fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.len, |spanned| spanned.at)
    }

    /// Whether the next token is this sign or this keyword.
    pub(super) fn is(&self, what: &str) -> bool {
        match self.peek() {
            Some(Token::Sign(sign)) => *sign == what,
            Some(Token::Word { name, quoted: false }) => name.eq_ignore_ascii_case(what),
            _ => false,
        }
    }

    pub(super) fn take(&mut self, what: &str) -> bool {
        let is = self.is(what);
        self.next += usize::from(is);
        is
    }

    pub(super) fn want(&mut self, what: &'static str) -> Result<(), ExprError> {
        if self.take(what) { Ok(()) } else { Err(self.expected(what)) }
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), ExprError> {
        if self.peek().is_none() { Ok(()) } else { Err(self.expected("an operator or the end")) }
    }

    pub(super) fn expected(&self, expected: &'static str) -> ExprError {
        let found = self.peek().map(|token| match token {
            Token::Word { name, .. } => name.clone(),
            Token::Text(text) => text.clone(),
            Token::Int(number) => number.to_string(),
            Token::Float(number) => number.to_string(),
            Token::Sign(sign) => (*sign).to_owned(),
        });
        ExprError::expected(self.at(), expected, found.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;
    use crate::expr::{parse_column, parse_orders, parse_path, parse_projections};
    use crate::messages::expr::{DocumentPathItem, document_path_item, expr};

    fn path(items: &[DocumentPathItem]) -> String {
        let mut out = String::new();
        for item in items {
            match item.r#type() {
                document_path_item::Type::Member => out.push_str(&format!(".{}", item.value())),
                document_path_item::Type::MemberAsterisk => out.push_str(".*"),
                document_path_item::Type::ArrayIndex => out.push_str(&format!("[{}]", item.index())),
                document_path_item::Type::ArrayIndexAsterisk => out.push_str("[*]"),
                document_path_item::Type::DoubleAsterisk => out.push_str("**"),
            }
        }
        out
    }

    /// A tree as text, each operator with all of its operands in parentheses.
    fn show(expr: &Expr) -> String {
        let list = |all: &[Expr]| all.iter().map(show).collect::<Vec<_>>().join(", ");
        match expr.r#type() {
            expr::Type::Operator => {
                let operator = expr.operator.as_ref().unwrap();
                format!("{}({})", operator.name, list(&operator.param))
            }
            expr::Type::FuncCall => {
                let call = expr.function_call.as_ref().unwrap();
                let schema = call.name.schema_name.as_ref().map(|schema| format!("{schema}."));
                format!("fn {}{}({})", schema.unwrap_or_default(), call.name.name, list(&call.param))
            }
            expr::Type::Ident => {
                let id = expr.identifier.as_ref().unwrap();
                let names = [&id.schema_name, &id.table_name, &id.name];
                let names: Vec<_> = names.into_iter().flatten().cloned().collect();
                format!("{}{}", names.join("/"), path(&id.document_path))
            }
            expr::Type::Literal => {
                let scalar = expr.literal.as_ref().unwrap();
                match scalar.text() {
                    Some(text) => format!("'{}'", String::from_utf8_lossy(text)),
                    None if scalar.v_bool.is_some() => scalar.v_bool().to_string(),
                    None if scalar.v_signed_int.is_some() => scalar.v_signed_int().to_string(),
                    None if scalar.v_unsigned_int.is_some() => format!("u{}", scalar.v_unsigned_int()),
                    None if scalar.v_double.is_some() => format!("{:?}", scalar.v_double()),
                    None => "null".to_owned(),
                }
            }
            expr::Type::Placeholder => format!("?{}", expr.position()),
            expr::Type::Object => {
                let fields = &expr.object.as_ref().unwrap().fld;
                let fields = fields.iter().map(|field| format!("{}: {}", field.key, show(&field.value)));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
            }
            expr::Type::Array => format!("[{}]", list(&expr.array.as_ref().unwrap().value)),
            expr::Type::Variable => unreachable!("the grammar has none"),
        }
    }

    fn document(text: &str) -> String {
        show(&parse(text, Model::Document).unwrap_or_else(|error| panic!("{text}: {error}")).expr)
    }

    fn table(text: &str) -> String {
        show(&parse(text, Model::Table).unwrap_or_else(|error| panic!("{text}: {error}")).expr)
    }

    #[test]
    fn operators_bind_as_in_the_grammar() {
        for (text, tree) in [
            ("a = 1 or b = 2 and c = 3", "||(==(.a, 1), &&(==(.b, 2), ==(.c, 3)))"),
            ("a xor b || c", "||(xor(.a, .b), .c)"),
            ("1 + 2 * 3 - 4", "-(+(1, *(2, 3)), 4)"),
            ("a & b << 1 + 2", "&(.a, <<(.b, +(1, 2)))"),
            ("(a or b) and c", "&&(||(.a, .b), .c)"),
            ("not a = b", "==(not(.a), .b)"),
            ("!a && ~b", "&&(!(.a), ~(.b))"),
            ("a <> 1", "!=(.a, 1)"),
            ("10 div 3 % 2", "%(div(10, 3), 2)"),
            ("-a - -1", "-(sign_minus(.a), -1)"),
        ] {
            assert_eq!(document(text), tree, "{text}");
        }
    }

    #[test]
    fn what_may_be_said_of_a_comparison() {
        for (text, tree) in [
            ("a is null", "is(.a, null)"),
            ("a is not true", "is_not(.a, true)"),
            ("a in (1, 2)", "in(.a, 1, 2)"),
            ("a not in (1)", "not_in(.a, 1)"),
            ("'x' in tags", "cont_in('x', .tags)"),
            ("{} not in tags", "not_cont_in({}, .tags)"),
            ("a like 'x%' escape '!'", "like(.a, 'x%', '!')"),
            ("a not like :p", "not_like(.a, ?0)"),
            ("a between 1 and 2 and b", "&&(between(.a, 1, 2), .b)"),
            ("a not between 1 and 2", "not_between(.a, 1, 2)"),
            ("a regexp '^x'", "regexp(.a, '^x')"),
            ("a overlaps [1, 2]", "overlaps(.a, [1, 2])"),
            ("a not overlaps b", "not_overlaps(.a, .b)"),
        ] {
            assert_eq!(document(text), tree, "{text}");
        }
    }

    #[test]
    fn values() {
        for (text, tree) in [
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "u9223372036854775808"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("1.5e3", "1500.0"),
            ("{\"a\": [1, {b: null}], 'c': true}", "{a: [1, {b: null}], c: true}"),
            ("cast(a as decimal(10, 2))", "cast(.a, 'DECIMAL(10,2)')"),
            ("cast(a as unsigned integer)", "cast(.a, 'UNSIGNED INTEGER')"),
            ("binary 'x'", "cast('x', 'BINARY')"),
            (
                "d + interval 1 day - interval a minute_second",
                "date_sub(date_add(.d, 1, 'DAY'), .a, 'MINUTE_SECOND')",
            ),
            ("concat(a, 'x') = s.f()", "==(fn concat(.a, 'x'), fn s.f())"),
            ("count(*)", "fn count(*())"),
            ("null_value", ".null_value"),
        ] {
            assert_eq!(document(text), tree, "{text}");
        }
    }

    #[test]
    fn identifiers_of_both_models() {
        for (text, tree) in [
            ("a.b[0].*", ".a.b[0].*"),
            ("$", "."),
            ("$.a", ".a"),
            ("$**.b", "**.b"),
            ("a**[1]", ".a**[1]"),
            ("`and`.\"x y\"[*]", ".and.x y[*]"),
            ("a.1", ".a.1"),
            ("_id", "._id"),
        ] {
            assert_eq!(document(text), tree, "{text}");
        }
        for (text, tree) in [
            ("s.t.c", "s/t/c"),
            ("t.c = default", "==(t/c, default())"),
            ("doc->'$.a[0]'", "doc.a[0]"),
            ("t.doc->>$.a", "t/doc.a"),
        ] {
            assert_eq!(table(text), tree, "{text}");
        }
        assert_eq!(path(&parse_path("$.a[0]").unwrap().document_path), ".a[0]");
        assert_eq!(parse_column("t.c").unwrap().table_name.as_deref(), Some("t"));
    }

    #[test]
    fn placeholders_have_one_position_for_each_name() {
        let parsed = parse(":b > :a and c = :b", Model::Document).unwrap();
        assert_eq!(parsed.placeholders, ["b", "a"]);
        assert_eq!(show(&parsed.expr), "&&(>(?0, ?1), ==(.c, ?0))");
        assert_eq!(parse("? = ?", Model::Table).unwrap().placeholders, ["0", "1"]);
        let error = parse("a = ? or a = :a", Model::Table).unwrap_err();
        assert_eq!((error.at(), error.fault()), (13, &ExprFault::MixedPlaceholders));
    }

    #[test]
    fn lists_of_clauses() {
        let projections = parse_projections(
            "a.b as x, count(*) n, {c: 1}, d",
            Model::Document,
            &mut Placeholders::default(),
        )
        .unwrap();
        let aliases: Vec<_> = projections.iter().map(|projection| projection.alias.as_deref()).collect();
        assert_eq!(aliases, [Some("x"), Some("n"), None, Some("d")]);
        let projections = parse_projections("a, b as c", Model::Table, &mut Placeholders::default()).unwrap();
        assert_eq!(projections[0].alias, None);
        let orders = parse_orders("a desc, b asc, c", Model::Table, &mut Placeholders::default()).unwrap();
        assert_eq!(orders.iter().map(|order| order.direction).collect::<Vec<_>>(), [Some(2), Some(1), None]);
        assert!(parse_orders("a b", Model::Table, &mut Placeholders::default()).is_err());
    }

    #[test]
    fn errors_say_what_and_where() {
        for (text, at, said) in [
            ("", 0, "a value expected, but nothing is left (at byte 0)"),
            ("a =", 3, "a value expected, but nothing is left (at byte 3)"),
            ("a b", 2, "an operator or the end expected, not \"b\" (at byte 2)"),
            ("a in (1", 7, ", expected, but nothing is left (at byte 7)"),
            ("cast(a as blob)", 10, "nothing can be cast to \"BLOB\" (at byte 10)"),
            ("a**", 3, "what ** leads to expected, but nothing is left (at byte 3)"),
            ("a is 5", 5, "NULL, TRUE or FALSE expected, not \"5\" (at byte 5)"),
            ("a[4294967296]", 2, "not a number, or one that is too large (at byte 2)"),
        ] {
            let error = parse(text, Model::Document).unwrap_err();
            assert_eq!((error.at(), error.to_string().as_str()), (at, said), "{text}");
        }
    }

    #[test]
    fn what_is_deeper_than_servers_read_is_refused() {
        for text in [
            format!("{}1{}", "(".repeat(5000), ")".repeat(5000)),
            "!".repeat(100_000) + "a",
            "1+".repeat(100_000) + "1",
            format!("{}1{}", "[".repeat(5000), "]".repeat(5000)),
        ] {
            assert!(matches!(parse(&text, Model::Document).unwrap_err().fault(), ExprFault::TooDeep));
        }
        // 40 parentheses and 40 operators, each for itself allowed.
        let both = format!("{}1{}", "(".repeat(40), "+1)".repeat(40));
        assert!(parse(&both, Model::Document).is_ok());
        let product = format!("{}1{}", "(".repeat(20), "+1+1+1)".repeat(20));
        assert!(parse(&product, Model::Document).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = parse(&text, Model::Document);
            let _ = parse(&text, Model::Table);
        }

        #[test]
        fn no_tokens_make_it_panic(words in prop::collection::vec(prop::sample::select(vec![
            "a", "1", "'x'", "(", ")", "[", "]", "{", "}", ",", ".", "*", "**", "$", "->", "=", "not", "in", "like",
            "is", "null", "between", "and", "cast", "as", "interval", "day", "+", "-", ":", "?", "binary", "default",
        ]), 0..12)) {
            let text = words.join(" ");
            let _ = parse(&text, Model::Document);
            let _ = parse(&text, Model::Table);
        }
    }
}
