//! Extreme values of every type, sent as parameters, and read back as text, as binary, and by derive.

mod cases;

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use jiff::SignedDuration;
use porpoise::classic::{CapabilityFlags, Columns, Encoding, Event, RowBatch, RowError, encode_params};
use porpoise::value::{Date, DateTime, Decimal, Json, Params, Placeholders, Time};
use porpoise::{Client, Connecting, FromRow, Value};
use uuid::Uuid;

use crate::suite::{Context, MARIADB, MYSQL, Suite, Test, Transport, expect};

pub(crate) fn add(suite: &mut Suite) {
    let tests: &[(&str, Test)] = &[
        ("round-trip", round_trip),
        ("derive", derive),
        ("other-character-sets", other_character_sets),
        ("float-text", float_text),
        ("other-crates", other_crates),
    ];
    suite.add_tests("types", Transport::Tcp, MYSQL, tests);
    for server in MARIADB {
        for (name, test) in tests {
            suite.add_on_each_runtime(&format!("types::{name}::{server}"), Transport::Tcp, server, *test);
        }
    }
}

async fn connect(context: &Context) -> Result<Client> {
    let (user, password) =
        if context.server()?.is_mariadb() { ("nat", "pw-nat") } else { ("sha2all", "pw-sha2") };
    let options = context.options()?.user(user).password(password);
    let options = options.connect(|c| c.database("odb").get_server_public_key(true)).build()?;
    let mut client = Connecting::new(context.runtime(), Arc::new(options)).await?;
    // Zero dates, dates without a month, the 31st of February; and TIMESTAMP in UTC.
    client.query_drop("SET sql_mode = 'STRICT_ALL_TABLES,ALLOW_INVALID_DATES', time_zone = '+00:00'").await?;
    Ok(client)
}

/// Runs a prepared statement.
async fn execute(client: &mut Client, sql: &str, params: &dyn Params) -> Result<Vec<RowBatch>> {
    let statement = client.prepare(sql).await.with_context(|| sql.to_owned())?;
    let with_names = client.capabilities().contains(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);
    let count = statement.params().len();
    let mut block = bytes::BytesMut::new();
    if with_names && count > 0 {
        block.extend_from_slice(&[u8::try_from(count)?]);
    }
    encode_params(&mut block, params, Placeholders::positional(count), &[("", 0); 0], with_names)?;
    let id = statement.id();
    client.command(|session, cx| session.stmt_execute(id, 0, &block, cx)).await?;
    rows(client, sql).await
}

async fn query(client: &mut Client, sql: &str) -> Result<Vec<RowBatch>> {
    client.command(|session, cx| session.query(sql, cx)).await?;
    rows(client, sql).await
}

async fn rows(client: &mut Client, sql: &str) -> Result<Vec<RowBatch>> {
    let mut batches = Vec::new();
    while let Some(event) = client.next_event().await? {
        match event {
            Event::Rows(batch) => batches.push(batch),
            Event::Err(err) => bail!("{sql}: {err}"),
            _ => {}
        }
    }
    Ok(batches)
}

/// All rows of a column as values, and its definition.
fn values(batches: &[RowBatch]) -> Result<(Vec<Value>, Columns)> {
    let first = batches.first().context("no rows")?;
    let plan = first.plan::<Value>()?;
    let values = batches.iter().flat_map(|batch| batch.typed::<Value>(&plan)).collect::<Result<_, _>>()?;
    Ok((values, first.columns().clone()))
}

/// What is said of a cell that must not fit.
fn refusal<T>(read: Result<T, RowError>) -> Result<String> {
    match read {
        Ok(_) => bail!("it fits"),
        Err(error) => Ok(error.to_string()),
    }
}

fn round_trip(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context).await?;
        for case in cases::of(context.cell.server) {
            let sql_type = case.sql_type;
            check(&mut client, &case).await.with_context(|| sql_type.to_owned())?;
        }
        Ok(client.close().await?)
    })
}

async fn check(client: &mut Client, case: &cases::Case) -> Result<()> {
    client.query_drop("DROP TEMPORARY TABLE IF EXISTS types").await?;
    client
        .query_drop(&format!("CREATE TEMPORARY TABLE types (id INT PRIMARY KEY, v {} NULL)", case.sql_type))
        .await?;
    let mut expected = vec![Value::Null];
    execute(client, "INSERT INTO types VALUES (?, ?)", &(0, Value::Null)).await?;
    for (id, (sent, stored)) in (1_u64..).zip(&case.values) {
        let sql = "INSERT INTO types VALUES (?, ?)";
        execute(client, sql, &(id, sent)).await.with_context(|| format!("{sent:?}"))?;
        expected.push(stored.clone());
    }
    let sql = "SELECT v FROM types ORDER BY id";
    let (text, binary) = (query(client, sql).await?, execute(client, sql, &()).await?);
    ensure!(text.iter().all(|batch| batch.encoding() == Encoding::Text));
    ensure!(binary.iter().all(|batch| batch.encoding() == Encoding::Binary));
    for (how, batches) in [("text", text), ("binary", binary)] {
        let (values, columns) = values(&batches)?;
        expect(&format!("{how} {columns:?}"), &columns.kind(0), &Some(case.kind))?;
        expect(how, &values, &expected)?;
    }
    Ok(())
}

/// A row of the widest values, some of them borrowed.
#[derive(FromRow, Debug, PartialEq)]
struct Extremes<'r> {
    tiny: i8,
    small: u16,
    medium: i32,
    int: u32,
    big: i64,
    #[porpoise(rename = "ubig")]
    unsigned: u64,
    float: f32,
    double: f64,
    decimal: Decimal,
    text: &'r str,
    bytes: &'r [u8],
    date: Date,
    moment: DateTime,
    stamp: Option<DateTime>,
    time: Time,
    year: u16,
    bits: u64,
    yes: bool,
    none: Option<String>,
}

fn derive(context: &Context) -> Result<()> {
    let max = "99999999999999999999999999999999999.999999999999999999999999999999";
    let expected = Extremes {
        tiny: i8::MIN,
        small: u16::MAX,
        medium: -8_388_608,
        int: u32::MAX,
        big: i64::MIN,
        unsigned: u64::MAX,
        float: 0.5,
        double: f64::MIN_POSITIVE,
        decimal: max.parse()?,
        text: "héllo 🐬",
        bytes: &[0, 0xff, b'\'', b'\\'],
        date: "9999-12-31".parse()?,
        moment: "9999-12-31 23:59:59.999999".parse()?,
        stamp: Some("2038-01-19 03:14:07.999999".parse()?),
        time: "-838:59:59".parse()?,
        year: 2155,
        bits: u64::MAX,
        yes: true,
        none: None,
    };
    let e = &expected;
    let numbers: Vec<Value> = vec![
        e.tiny.into(),
        e.small.into(),
        e.medium.into(),
        e.int.into(),
        e.big.into(),
        e.unsigned.into(),
        e.float.into(),
        e.double.into(),
        e.decimal.clone().into(),
    ];
    let others: Vec<Value> = vec![
        e.text.into(),
        e.bytes.into(),
        e.date.into(),
        e.moment.into(),
        e.stamp.into(),
        e.time.into(),
        e.year.into(),
        Value::Bit(e.bits),
        e.yes.into(),
        Value::Null,
    ];
    let sent = [numbers, others].concat();
    context.run(async {
        let mut client = connect(context).await?;
        let create = "CREATE TEMPORARY TABLE extremes (tiny TINYINT, small SMALLINT UNSIGNED, medium MEDIUMINT, \
             `int` INT UNSIGNED, big BIGINT, ubig BIGINT UNSIGNED, `float` FLOAT, `double` DOUBLE, \
             `decimal` DECIMAL(65, 30), `text` TEXT CHARACTER SET utf8mb4, `bytes` BLOB, `date` DATE, moment DATETIME(6), \
             stamp TIMESTAMP(6) NULL, `time` TIME(6), `year` YEAR, bits BIT(64), yes BOOLEAN, none VARCHAR(9))";
        client.query_drop(create).await?;
        let marks = vec!["?"; sent.len()].join(", ");
        execute(&mut client, &format!("INSERT INTO extremes VALUES ({marks})"), &sent).await?;
        // By name: in the order of the fields, and with the columns turned round and one more between.
        let turned = "SELECT none, yes, bits, `year`, `time`, stamp, moment, `date`, `bytes`, `text`, 'more', `decimal`, \
             `double`, `float`, ubig, big, `int`, medium, small, tiny FROM extremes";
        for sql in ["SELECT * FROM extremes", turned] {
            let (text, binary) = (query(&mut client, sql).await?, execute(&mut client, sql, &()).await?);
            for batch in text.iter().chain(&binary) {
                let plan = batch.plan::<Extremes<'_>>()?;
                let rows = batch.typed::<Extremes<'_>>(&plan).collect::<Result<Vec<_>, _>>()?;
                expect(sql, &rows.first(), &Some(&expected))?;
            }
            expect("batches", &(text.len(), binary.len()), &(1, 1))?;
        }
        // What does not fit names its column.
        let batches = execute(&mut client, "SELECT `time`, ubig, `date` FROM extremes", &()).await?;
        let row = batches.first().and_then(|batch| batch.iter().next()).context("no row")?;
        let error = refusal(row.get_as::<i64>("ubig"))?;
        expect("error", &error.as_str(), &"column 1 `ubig` (BIGINT UNSIGNED) does not fit i64: out of range")?;
        let error = refusal(row.get_as::<std::time::Duration>(0))?;
        ensure!(error.starts_with("column 0 `time` (TIME)") && error.ends_with("negative"), "{error}");
        Ok(client.close().await?)
    })
}

/// Text that is not in UTF-8 is an error as text, and there as bytes.
fn other_character_sets(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context).await?;
        client.query_drop("SET NAMES latin1").await?;
        let sql = "SELECT CONVERT(X'63616665CC81C3A9' USING utf8mb4), CONVERT(X'636166E9' USING latin1) AS c";
        for batches in [query(&mut client, sql).await?, execute(&mut client, sql, &()).await?] {
            let row = batches.first().and_then(|batch| batch.iter().next()).context("no row")?;
            expect("bytes", &row.get_as::<&[u8]>("c")?, &&b"caf\xe9"[..])?;
            let error = refusal(row.get_as::<String>("c"))?;
            ensure!(error.contains("column 1 `c` (text that is not UTF-8)"), "{error}");
        }
        client.query_drop("SET NAMES utf8mb4").await?;
        let batches = query(&mut client, sql).await?;
        let row = batches.first().and_then(|batch| batch.iter().next()).context("no row")?;
        expect("text", &row.get_as::<&str>("c")?, &"café")?;
        Ok(client.close().await?)
    })
}

/// In text rows, a server writes six digits of a FLOAT. No client can have the rest.
fn float_text(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context).await?;
        client.query_drop("CREATE TEMPORARY TABLE floats (v FLOAT)").await?;
        execute(&mut client, "INSERT INTO floats VALUES (?)", &(16_777_215_f32,)).await?;
        let sql = "SELECT v FROM floats";
        let (text, _) = values(&query(&mut client, sql).await?)?;
        let (binary, _) = values(&execute(&mut client, sql, &()).await?)?;
        expect("binary", &binary, &vec![Value::Float(16_777_215.0)])?;
        expect("text", &text, &vec![Value::Float(16_777_200.0)])?;
        Ok(client.close().await?)
    })
}

/// Types of other crates, there and back, and a zero date that they do not have.
fn other_crates(context: &Context) -> Result<()> {
    type Row =
        (Date, Moment, SignedDuration, rust_decimal::Decimal, Uuid, Uuid, serde_json::Value, Json<Vec<u32>>);
    type Date = jiff::civil::Date;
    type Moment = jiff::civil::DateTime;
    let uuid: Uuid = "00112233-4455-6677-8899-aabbccddeeff".parse()?;
    let row: Row = (
        jiff::civil::date(2024, 2, 29),
        jiff::civil::date(1999, 12, 31).at(23, 59, 59, 999_999_000),
        SignedDuration::from_micros(-1),
        rust_decimal::Decimal::new(-150, 2),
        uuid,
        uuid,
        serde_json::json!({"a": [1, null, "é"]}),
        Json(vec![1, 2]),
    );
    context.run(async {
        let mut client = connect(context).await?;
        // MariaDB has a type of its own for the second.
        let text = if context.server()?.is_mariadb() { "UUID" } else { "CHAR(36)" };
        let create = format!(
            "CREATE TEMPORARY TABLE others (d DATE, m DATETIME(6), t TIME(6), n DECIMAL(20, 2), u BINARY(16), v {text}, \
             j JSON, k JSON) CHARACTER SET utf8mb4"
        );
        client.query_drop(&create).await?;
        let (d, m, t, n, u, v, j, k) = &row;
        let sent = (d, m, t, n, u, v.hyphenated(), j, k);
        execute(&mut client, "INSERT INTO others VALUES (?, ?, ?, ?, ?, ?, ?, ?)", &sent).await?;
        let sql = "SELECT * FROM others";
        for batches in [query(&mut client, sql).await?, execute(&mut client, sql, &()).await?] {
            let batch = batches.first().context("no rows")?;
            let plan = batch.plan::<Row>()?;
            let rows = batch.typed::<Row>(&plan).collect::<Result<Vec<_>, _>>()?;
            expect("row", &rows.first(), &Some(&row))?;
        }
        client.query_drop("UPDATE others SET d = '0000-00-00', t = '24:00:00'").await?;
        for batches in [query(&mut client, sql).await?, execute(&mut client, sql, &()).await?] {
            let row = batches.first().and_then(|batch| batch.iter().next()).context("no row")?;
            let error = refusal(row.get_as::<Date>("d"))?;
            ensure!(error.ends_with("the calendar has no such date"), "{error}");
            let error = refusal(row.get_as::<jiff::civil::Time>("t"))?;
            ensure!(error.ends_with("not a time of day"), "{error}");
        }
        Ok(client.close().await?)
    })
}
