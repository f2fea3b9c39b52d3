//! What the grammar makes of texts.

use porpoise_xproto::expr::{
    ExprFault, Model, Placeholders, parse, parse_column, parse_orders, parse_path, parse_projections,
};

use crate::show::{path, show};

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
        ("a not rlike 'x'", "not_regexp(.a, 'x')"),
        ("a mod 2 = mod(a, 2)", "==(%(.a, 2), fn mod(.a, 2))"),
        ("a = 0x1f or a = -X'1F'", "||(==(.a, 31), ==(.a, -31))"),
        ("cast(a as signed int)", "cast(.a, 'SIGNED INTEGER')"),
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
        ("t.doc->>$.a", "fn JSON_UNQUOTE(t/doc.a)"),
        ("doc->>'$[0]' = 'x'", "==(fn JSON_UNQUOTE(doc[0]), 'x')"),
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
    let projections =
        parse_projections("a.b as x, count(*) n, {c: 1}, d", Model::Document, &mut Placeholders::default())
            .unwrap();
    let aliases: Vec<_> = projections.iter().map(|projection| projection.alias.as_deref()).collect();
    assert_eq!(aliases, [Some("x"), Some("n"), Some("{c: 1}"), Some("d")]);
    let projections = parse_projections("a, b as c", Model::Table, &mut Placeholders::default()).unwrap();
    assert_eq!(projections[0].alias, None);
    let document = parse_projections("{c: 1}", Model::Document, &mut Placeholders::default()).unwrap();
    assert_eq!((document.len(), document[0].alias.as_deref()), (1, None));
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
