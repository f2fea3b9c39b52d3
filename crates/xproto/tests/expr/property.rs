//! Any text, and any tree.

use porpoise_xproto::expr::{Model, parse};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use proptest::strategy::Union;

use crate::show::show;

/// An expression as text, and the tree it stands for.
type Pair = (String, String);

/// Operators between two operands, and their names.
const INFIX: [(&str, &str); 28] = [
    ("OR", "||"),
    ("||", "||"),
    ("xor", "xor"),
    ("AND", "&&"),
    ("&&", "&&"),
    ("=", "=="),
    ("==", "=="),
    ("!=", "!="),
    ("<>", "!="),
    ("<", "<"),
    (">=", ">="),
    ("&", "&"),
    ("|", "|"),
    ("^", "^"),
    ("<<", "<<"),
    (">>", ">>"),
    ("+", "+"),
    ("-", "-"),
    ("*", "*"),
    ("/", "/"),
    ("%", "%"),
    ("MOD", "%"),
    ("div", "div"),
    ("LIKE", "like"),
    ("not like", "not_like"),
    ("RLIKE", "regexp"),
    ("NOT OVERLAPS", "not_overlaps"),
    ("overlaps", "overlaps"),
];

fn leaf() -> impl Strategy<Value = Pair> {
    let fixed = [
        ("null", "null"),
        ("TRUE", "true"),
        ("False", "false"),
        ("a.b[0]", ".a.b[0]"),
        ("$", "."),
        ("$.`x y`.*", ".x y.*"),
        ("b[*]**.c", ".b[*]**.c"),
        (":p", "?0"),
        ("now()", "fn now()"),
        ("1.5e1", "15.0"),
        ("0x10", "16"),
        ("[]", "[]"),
        ("{}", "{}"),
    ];
    let fixed = Union::new(fixed.map(|(text, tree)| Just((text.to_owned(), tree.to_owned()))));
    let number = any::<i64>().prop_map(|number| (number.to_string(), number.to_string()));
    let text = "[ a-zß%_;()'\"\\\\]{0,6}".prop_map(|text: String| {
        // `\%` and `\_` are kept, so a backslash in front of one has to be escaped as any other is.
        let quoted = text.replace('\\', "\\\\").replace('\'', "''");
        (format!("'{quoted}'"), format!("'{text}'"))
    });
    prop_oneof![fixed, number, text]
}

fn pair() -> impl Strategy<Value = Pair> {
    leaf().prop_recursive(5, 40, 4, |inner| {
        let two = (inner.clone(), prop::sample::select(INFIX.to_vec()), inner.clone());
        let infix = two.prop_map(|(left, (text, name), right)| {
            (format!("({}) {text} ({})", left.0, right.0), format!("{name}({}, {})", left.1, right.1))
        });
        let list = prop::collection::vec(inner.clone(), 1..4).prop_map(|all| {
            let (texts, trees): (Vec<_>, Vec<_>) = all.into_iter().unzip();
            (texts.join(" , "), trees.join(", "))
        });
        let around = [
            ("[", "]", "[", "]"),
            ("s.f(", ")", "fn s.f(", ")"),
            ("`f`(", ")", "fn f(", ")"),
            ("1 IN (", ")", "in(1, ", ")"),
            ("a not in(", ")", "not_in(.a, ", ")"),
        ];
        let lists = (list, prop::sample::select(around.to_vec()))
            .prop_map(|((text, tree), (a, b, c, d))| (format!("{a}{text}{b}"), format!("{c}{tree}{d}")));
        let around = [
            ("!(", ")", "!(", ")"),
            ("not (", ")", "not(", ")"),
            ("~(", ")", "~(", ")"),
            ("-(", ")", "sign_minus(", ")"),
            ("(", ")", "", ""),
            ("(", ") is not Null", "is_not(", ", null)"),
            ("(", ") between 1 and a", "between(", ", 1, .a)"),
            ("a NOT BETWEEN (", ") AND 2", "not_between(.a, ", ", 2)"),
            ("cast((", ") as decimal ( 10 , 2 ))", "cast(", ", 'DECIMAL(10,2)')"),
            ("a + interval (", ") year_month", "date_add(.a, ", ", 'YEAR_MONTH')"),
            ("(", ") - INTERVAL 1 DAY", "date_sub(", ", 1, 'DAY')"),
            ("{ 'k' : ", " }", "{k: ", "}"),
            ("(", ") in $.c", "cont_in(", ", .c)"),
            ("[1] not in (", ")", "not_in([1], ", ")"),
        ];
        let ones = (inner, prop::sample::select(around.to_vec()))
            .prop_map(|((text, tree), (a, b, c, d))| (format!("{a}{text}{b}"), format!("{c}{tree}{d}")));
        prop_oneof![infix, lists, ones]
    })
}

proptest! {
    #[test]
    fn every_tree_has_its_text((text, tree) in pair()) {
        let parsed = parse(&text, Model::Document).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(show(&parsed.expr), tree, "{}", text);
    }

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
