#!/usr/bin/env python3
"""Records what Connector/Python's X DevAPI makes of expressions and statements, and what a server answers.

    python3 -m venv target/xdevapi && target/xdevapi/bin/pip install mysqlx-connector-python
    target/xdevapi/bin/python tests/xdevapi/record.py    # the server: PORPOISE_SERVERS, as for tests/e2e

Writes expressions.tsv and statements.jsonl beside itself. Both are checked in; tests hold porpoise against them.
"""
import datetime
import decimal
import json
import logging
import os
import pathlib
import random

import mysqlx
from mysqlx.expr import ExprParser
from mysqlx.protobuf import Protobuf

HERE = pathlib.Path(__file__).parent
SCHEMA = "porp_xdevapi"
Protobuf.set_use_pure(True)
logging.disable()  # of warnings that the server sends


def connect():
    with open(os.environ["PORPOISE_SERVERS"]) as file:
        server = next(one for one in json.load(file)["servers"] if one["mysqlx_socket"])
    return mysqlx.get_session(user=server["root_user"], password=server["root_password"], socket=server["mysqlx_socket"])


# Expressions: parsed by the connector, and evaluated by the server on this document, and on a row with the same in its columns.

DOCUMENT = {
    "_id": "1", "a": 7, "b": 3, "c": 10, "d": "2024-02-03 04:05:06", "name": "Ann", "f": 1.5, "t": True, "n": None,
    "tags": ["a", "b", 5], "x y": 1, "o": {"p": {"q": 2}, "b": 8, "r": [1, [2, 3], {"b": 4}]}, "s": "it's 100%",
}

BOTH = r"""
a = 7 or b = 2 and c = 3
a = 7 xor b = 3 || c
a xor b and c
1 + 2 * 3 - 4
a & b << 1 + 2
a | b & c
a ^ b | c
a = b = c
a > 1 = true
not a = 7
NOT a AND b
!a = 0
!(a = 1)
- a + 1
-5
- 5
+5
~5 + 1
a is null
a is not null
n is null
t is true
a is not false
a in (1, 7)
a not in (1)
name like 'A%'
name like 'A!%' escape '!'
name not like 'b%'
name regexp '^[A-C]'
name not regexp 'x'
a between 1 and 7
a between 1 and 2 and b
a not between 1 and 2 + 1
a between b + 1 and c * 2
a <> b
a != b
a == b
a div 2
a % 2
a / 2 * 3
cast(a as char)
cast(a as char(1))
cast(name as binary(3))
cast(f as decimal)
cast(f as decimal(10))
cast(f as decimal(10,2))
cast(f as decimal(10, 2))
cast(a as signed)
cast(a as signed integer)
cast(a as unsigned integer)
cast('{"z": 1}' as json)
cast(d as date)
cast(d as datetime)
cast('01:02:03' as time)
cast(d as time)
cast(d as datetime) + interval 1 day
cast(d as datetime) - interval 2*3 month
cast(d as datetime) + interval 1 + 2 day
cast(d as datetime) + interval 1 year_month
cast(d as datetime) + interval '1:2' minute_second
cast(d as datetime) + interval 1 microsecond
cast(d as datetime) + interval 1 quarter = '2024-05-03 04:05:06'
1.5
.5
5.
9223372036854775807
-9223372036854775808
-1.5
''
'x'
"x"
null
NULL
true
TRUE
False
concat(name, 'x')
char_length(name) > 2
upper(name)
abs(-5)
if(a > 5, 'big', 'small')
left(name, 1)
replace(name, 'n', 'm')
mod(a, 2)
greatest(a, b, 5)
{}
{"a": 1}
{"a": [1, {"b": null}], "c": true}
{"k": b + 1}
[1, "x", null]
[]
[[1], [2]]
(a)
((a))
(a = 7) = (b = 3)
a = 7 && b = 3
a && b || 0 xor 1
not not a
a + b like 10
a | b like 7
a = 7 like 1
name like b = 3
name like 'A%' and a
a regexp 3 + 4
a = -7
a-1
a - 1
a+1
2*-3
a*b
a * b
1 <= 2
3 >= 4
1 < 2 > 0
7 << 1
7 >> 1
0 || 1
"""

ONLY_DOCUMENT = r"""
'a' in tags
5 in $.tags
'z' not in tags
{"p": {"q": 2}} in o
[1, 5] not in tags
a in [1, 7]
a in tags
o.p.q
$.o.p.q
o.p
o.r[0]
o.r[1][0]
o.r[*]
o.*
o**.b
$**.b
$**[0]
$.o.r[*]**.b
$
$."x y"
`x y`
`o`.p
o.`p`
tags overlaps ["b", "z"]
tags not overlaps [1]
["a"] overlaps $.tags
o.r[2].b + 1
json_length(tags)
json_extract($, '$.a')
count(*)
_id
missing
missing.x is null
tags[0]
tags[9]
o.p.q = 2 and o.r[1][1] = 3
:x
:x + :y * :x
:x in tags
s
:1
"""

ONLY_TABLE = r"""
t1.a
porp_xdevapi.t1.a
doc->'$.o.p.q'
doc->"$.o.p.q"
t1.doc->'$.a'
doc->$.a
doc->'$'
doc->'$.o.r[*]'
doc->'$**.b'
doc->'$.tags[0]'
json_unquote(doc->'$.name')
1 in doc->'$.o.r'
doc->'$.tags' overlaps ["a"]
doc->'$.a' + 1
`a` + `b`
count(*)
max(a)
"""


def chains(count):
    """Operators without parentheses: what binds tighter is the parser's to say."""
    choice = random.Random(4)
    infix = "or and xor || && = != <> < <= > >= & | ^ << >> + - * / % div".split() + ["==", "like", "regexp", "is not null and"]
    for _ in range(count):
        text = choice.choice("abc")
        for _ in range(choice.randint(2, 5)):
            unary = choice.choice(["", "", "", "not ", "!", "~", "- "])
            text += f" {choice.choice(infix)} {unary}{choice.choice(['a', 'b', 'c', '1', '2.5', '30'])}"
        yield text


def expressions(session):
    schema = session.get_schema(SCHEMA)
    collection = schema.create_collection("c1")
    collection.add(DOCUMENT).execute()
    columns = "a int, b int, c int, d varchar(30), name varchar(10), f double, t bool, n int, s varchar(10), doc json"
    session.sql(f"create table {SCHEMA}.t1 ({columns})").execute()
    names = "a b c d name f t n s".split()
    values = [DOCUMENT[name] for name in names] + [json.dumps(DOCUMENT)]
    schema.get_table("t1").insert(names + ["doc"]).values(values).execute()
    lines = lambda text: [line for line in text.splitlines() if line]
    with open(HERE / "expressions.tsv", "w") as file:
        for model, texts in [
            ("document", lines(BOTH) + lines(ONLY_DOCUMENT) + list(chains(150))),
            ("table", lines(BOTH) + lines(ONLY_TABLE) + list(chains(50))),
        ]:
            for text in texts:
                print(model, text, *expression(schema, model, text), sep="\t", file=file)


def expression(schema, model, text):
    """The tree in hexadecimal, and its value as JSON, or the error's number; "-" where the connector takes no such text."""
    try:
        parser = ExprParser(text, model == "table")
        tree = parser.expr()
        if parser.pos < len(parser.tokens):
            raise ValueError("more than an expression")
    except Exception:
        return "-", "-"
    if model == "table":
        statement = schema.get_table("t1").select(f"{text} as v")
    else:
        statement = schema.get_collection("c1").find().fields(f"{text} as v")
    for number, name in enumerate(parser.placeholder_name_to_position):
        statement = statement.bind(name, number + 5)
    try:
        found = statement.execute().fetch_one()
        value = json.dumps(found["v"] if model == "table" else json.loads(str(found))["v"], default=plain)
    except mysqlx.Error as error:
        # Below 0 are those that the connector finds itself: it binds nothing in fields.
        value = f"error {error.errno}" if error.errno > 0 else "-"
    return tree.serialize_to_string().hex(), value


def plain(value):
    """What JSON has no word for: bytes as text if they are some, sets as texts, decimals and times as MySQL writes them."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    if isinstance(value, list):
        return ",".join(plain(item) for item in value)
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.timedelta):
        minutes, seconds = divmod(value.days * 86400 + value.seconds, 60)
        value = f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{value.microseconds:06}".removesuffix(".000000")
    text = str(value)
    return text.rstrip("0") if "." in text else text


# Statements: each with what the connector reports of it.

PEOPLE = [
    {"_id": "1", "name": "Ann", "age": 31, "tags": ["a", "b"], "home": {"city": "Oslo", "zip": "0150"}},
    {"_id": "2", "name": "Bob", "age": 25, "tags": [], "home": {"city": "Rome"}},
    {"_id": "3", "name": "Cid", "age": 40, "score": 1.5},
    {"_id": "4", "name": "Dee", "age": None, "tags": ["b", "c"]},
    {"_id": "5", "name": "Eve", "age": 25, "big": 9223372036854775807, "text": "quotes ' \" \\ and ünïcode \U0001f42c"},
]

STATEMENTS = [
    {"op": "add", "docs": PEOPLE},
    {"op": "add", "docs": [{"_id": "1", "name": "again"}]},
    {"op": "find", "sort": ["_id"]},
    {"op": "find", "where": "age > :low and name like :name", "bind": {"low": 24, "name": "%e"}, "sort": ["_id"]},
    {"op": "find", "where": "age in (25, 40)", "sort": ["age desc", "name"], "fields": ["name", "age as years"]},
    {"op": "find", "where": "'b' in tags", "sort": ["_id"], "fields": ["name", "tags[0] as first", "home.city as city"]},
    {"op": "find", "sort": ["_id"], "limit": 2, "offset": 1, "fields": ["_id"]},
    {"op": "find", "fields": ["age", "count(*) as n"], "group": ["age"], "having": "count(*) > 1", "sort": ["age"]},
    {"op": "find", "where": "_id = '3'", "fields": ["score * 2 as twice", "missing", "name"]},
    {"op": "find", "where": "_id = '5'"},
    {"op": "find", "where": "age is null"},
    {"op": "find", "where": "none.such = 1"},
    {"op": "modify", "where": "_id = '1'", "set": {"age": 32, "home.street": "Main", "list": [1, {"x": None}], "o": {"k": "v"}}},
    {"op": "modify", "where": "_id = '2'", "set_expr": {"age": "$.age + 1", "copy": "$.home.city"}},
    {"op": "modify", "where": "_id = '1'", "unset": ["tags", "home.zip"]},
    {"op": "modify", "where": "_id = '4'", "array_append": {"tags": "d"}, "array_insert": {"tags[0]": "first"}},
    {"op": "modify", "where": "age > :low", "patch": {"old": True, "home": None}, "bind": {"low": 31}},
    {"op": "modify", "where": "true", "set": {"seen": False}, "sort": ["_id desc"], "limit": 2},
    {"op": "modify", "where": "_id = 'none'", "set": {"x": 1}},
    {"op": "modify", "where": "name = 'Eve'", "set": {"text": "it's 'q' \" \\ \n", "score": -0.25, "on": True}},
    {"op": "find", "sort": ["_id"]},
    {"op": "get_one", "id": "3"},
    {"op": "get_one", "id": "none"},
    {"op": "replace_one", "id": "3", "doc": {"name": "Cyd", "age": 41}},
    {"op": "replace_one", "id": "none", "doc": {"name": "x"}},
    {"op": "add_or_replace_one", "id": "6", "doc": {"name": "Flo", "age": 6}},
    {"op": "add_or_replace_one", "id": "6", "doc": {"name": "Flo", "age": 7}},
    {"op": "remove_one", "id": "2"},
    {"op": "remove_one", "id": "none"},
    {"op": "count"},
    {"op": "find", "sort": ["_id"]},
    {"op": "remove", "where": "age > :low", "bind": {"low": 30}, "sort": ["age desc"], "limit": 1},
    {"op": "remove", "where": "name = 'none'"},
    {"op": "find", "sort": ["_id"], "fields": ["_id", "age"]},
    {"op": "remove", "where": "true"},
    {"op": "count"},
    {"op": "insert", "columns": ["id", "name", "n", "doc"], "rows": [
        [1, "x", 1.25, "{\"a\": [1, 2]}"], [2, None, -3, None], [3, "it's", 0, "{\"b\": \"t\"}"], [4, "x", 7.5, "[]"]]},
    {"op": "insert", "columns": ["id"], "rows": [[1]]},
    {"op": "select", "sort": ["id"]},
    {"op": "select", "fields": ["name", "count(*) as n"], "group": ["name"], "having": "count(*) >= 1", "sort": ["n desc", "name"]},
    {"op": "select", "where": "n > :n and name = 'x'", "bind": {"n": 1}, "fields": ["id * 2 as twice", "name"], "sort": ["id desc"]},
    {"op": "select", "where": "doc->'$.a[1]' = 2", "fields": ["id", "doc->'$.a' as a"]},
    {"op": "select", "sort": ["id"], "limit": 1, "offset": 2, "fields": ["id"]},
    {"op": "update", "where": "id = 1", "set": {"name": "y", "n": 2}},
    {"op": "update", "where": "name is null", "set_expr": {"n": "n * -2"}},
    {"op": "update", "where": "id > :id", "bind": {"id": 1}, "set": {"name": "z"}, "sort": ["id"], "limit": 1},
    {"op": "update", "where": "id = 99", "set": {"name": "none"}},
    {"op": "select", "sort": ["id"]},
    {"op": "delete", "where": "id > :id", "bind": {"id": 1}, "sort": ["id desc"], "limit": 1},
    {"op": "delete", "where": "id = 99"},
    {"op": "select", "sort": ["id"], "fields": ["id"]},
    {"op": "delete", "where": "true"},
    # What Connector/Python cannot do is not among these: read negative times and zero dates, set NULL.
    {"op": "sql", "sql": "CREATE TABLE {schema}.t3 (k INT PRIMARY KEY, ti TINYINT, tu TINYINT UNSIGNED, si SMALLINT, mi MEDIUMINT, "
        "bi BIGINT, bu BIGINT UNSIGNED, zf INT(6) ZEROFILL, bo BOOL, f FLOAT, d DOUBLE, de DECIMAL(10,4), dx DECIMAL(65,30), y YEAR, "
        "da DATE, t0 TIME, t6 TIME(6), dt DATETIME, d6 DATETIME(6), ts TIMESTAMP(3) NULL, c CHAR(5), vc VARCHAR(20), "
        "bin BINARY(4), vb VARBINARY(10), tx TEXT, bl BLOB, js JSON, e ENUM('x','y','z'), s SET('a','b','foo'), b1 BIT(1), b64 BIT(64))"},
    {"op": "sql", "sql": "INSERT INTO {schema}.t3 VALUES (1, -128, 255, -32768, 8388607, -9223372036854775808, 18446744073709551615, 42, TRUE, "
        "-1.5, 1.7976931348623157e308, -12.3401, 12345678901234567890123456789012345.000000000000000000000000000001, 1901, '9999-12-31', "
        "'838:59:59', '01:02:03.000004', '2024-02-03 04:05:06', '1000-01-01 00:00:00.000001', '2024-02-03 04:05:06.789', 'ab', "
        "'größe', 'ab', x'00ff', '', x'', '[1.50, null, \"é\"]', 'z', 'foo,a', b'1', 0xffffffffffffffff)"},
    {"op": "sql", "sql": "INSERT INTO {schema}.t3 (k) VALUES (2)"},
    {"op": "sql", "sql": "INSERT INTO {schema}.t3 VALUES (3, 0, 0, 0, 0, 0, 0, 0, FALSE, 0, 0, 0, 0, 2155, '1000-01-01', '00:00:00', '00:00:00.5', "
        "'2024-02-03', '9999-12-31 23:59:59.999999', '2000-01-01 00:00:00', '', ' x ', '', '', 'quotes '' \" \\\\ \n', 'x', '{}', "
        "'x', '', b'0', 0)"},
    {"op": "select", "table": "t3", "sort": ["k"]},
    {"op": "select", "table": "t3", "fields": ["k", "s", "hex(b64) as h", "de * 2 as twice"], "where": "e = 'z' and bu > :bu and da = :da",
        "bind": {"bu": 9223372036854775807, "da": "9999-12-31"}},
    {"op": "select", "table": "t3", "fields": ["k"], "where": "vc like '%ö%' or f = -1.5 or js->'$[0]' = 1.5", "sort": ["k"]},
    {"op": "update", "table": "t3", "where": "k = 3", "set": {"ti": -1, "bu": 9223372036854775807, "d": 0.1, "tx": "it's", "c": ""}},
    {"op": "update", "table": "t3", "where": "k = 3", "set_expr": {"dt": "dt + interval 1 month", "de": "abs(-1.25)", "s": "'b,a'"}},
    {"op": "select", "table": "t3", "fields": ["ti", "bu", "d", "tx", "c", "dt", "de", "s"], "where": "k = 3"},
]


def statements(session):
    schema = session.get_schema(SCHEMA)
    collection = schema.create_collection("c2")
    session.sql(f"create table {SCHEMA}.t2 (id int primary key, name varchar(20), n decimal(10,2), doc json)").execute()
    with open(HERE / "statements.jsonl", "w") as file:
        for one in STATEMENTS:
            try:
                result = run(session, one, collection, schema.get_table(one.get("table", "t2")))
            except mysqlx.Error as error:
                result = {"error": error.errno}
            print(json.dumps({**one, "result": result}, ensure_ascii=False, default=plain), file=file)


def run(session, one, collection, table):
    op = one["op"]
    if op == "sql":
        return {"affected": session.sql(one["sql"].replace("{schema}", SCHEMA)).execute().get_affected_items_count()}
    if op == "count":
        return {"count": collection.count()}
    if op == "get_one":
        return {"doc": document(collection.get_one(one["id"]))}
    if op in ("replace_one", "add_or_replace_one"):
        return {"affected": getattr(collection, op)(one["id"], one["doc"]).get_affected_items_count()}
    if op == "remove_one":
        return {"affected": collection.remove_one(one["id"]).get_affected_items_count()}
    if op == "add":
        return {"affected": collection.add(*one["docs"]).execute().get_affected_items_count()}
    if op == "insert":
        statement = table.insert(one["columns"])
        for row in one["rows"]:
            statement = statement.values(row)
        return {"affected": statement.execute().get_affected_items_count()}
    reads = op in ("find", "select")
    if op in ("find", "modify", "remove"):
        statement = collection.find(one["where"]) if "where" in one and reads else (
            collection.find() if reads else getattr(collection, op)(one["where"]))
        if "fields" in one:
            statement = statement.fields(*one["fields"])
    else:
        statement = table.select(*one.get("fields", [])) if reads else getattr(table, op)()
        if "where" in one:
            statement = statement.where(one["where"])
    statement = clauses(statement, one)
    result = statement.execute()
    if op == "find":
        return {"docs": [document(doc) for doc in result.fetch_all()]}
    if op == "select":
        rows = result.fetch_all()
        return {"columns": [column.column_label for column in result.columns], "rows": [[plain(cell) if isinstance(cell, list) else cell for cell in row] for row in rows]}
    return {"affected": result.get_affected_items_count()}


def clauses(statement, one):
    for path, value in one.get("set", {}).items():
        statement = statement.set(path, value)
    for path, text in one.get("set_expr", {}).items():
        statement = statement.set(path, mysqlx.expr(text))
    if "unset" in one:
        statement = statement.unset(*one["unset"])
    for name in ("array_append", "array_insert"):
        for path, value in one.get(name, {}).items():
            statement = getattr(statement, name)(path, value)
    if "patch" in one:
        statement = statement.patch(one["patch"])
    if "group" in one:
        statement = statement.group_by(*one["group"])
    if "having" in one:
        statement = statement.having(one["having"])
    if "sort" in one:
        statement = statement.sort(*one["sort"])
    if "limit" in one:
        statement = statement.limit(one["limit"])
    if "offset" in one:
        statement = statement.offset(one["offset"])
    for name, value in one.get("bind", {}).items():
        statement = statement.bind(name, value)
    return statement


def document(doc):
    return None if doc is None else json.loads(str(doc))


def main():
    session = connect()
    session.drop_schema(SCHEMA)
    session.create_schema(SCHEMA)
    try:
        expressions(session)
        statements(session)
    finally:
        session.drop_schema(SCHEMA)


if __name__ == "__main__":
    main()
