//! Tables: selected from, inserted into, updated, deleted from.

#![expect(clippy::indexing_slicing, reason = "rows that were just compared")]

use anyhow::{Result, bail};
use porpoise::value::{Date, DateTime, Decimal, Time, Value as Plain};
use porpoise::x::Error;
use porpoise::x::crud::Value;
use porpoise::xproto::messages::crud::find::RowLockOptions;
use porpoise::xproto::messages::datatypes::Scalar;

use super::{over, refused, rows, scene, sql};
use crate::suite::{Context, expect};
use crate::x_session::connect;

pub(super) fn tables(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, schema) = scene(context).await?;
        let columns =
            "id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20), n DECIMAL(10,2) DEFAULT 5, doc JSON";
        session.execute(sql(format!("CREATE TABLE {}.fish ({columns})", schema.name()))).await?;
        let fish = schema.table("fish");
        expect("exists", &session.execute(fish.exists()).await?, &true)?;
        let insert = fish
            .insert(["name", "n", "doc"])
            .row([Value::from("orca"), Value::from(1.25), Value::json(r#"{"a": [1, 2]}"#)])
            .row([Value::null(), Value::expr("DEFAULT"), Value::null()])
            .row([Value::expr("concat(:name, '!')"), Value::expr("2 * 3"), Value::expr("{'k': [1, 'x']}")])
            .bind("name", "tuna");
        let done = session.execute(insert).await?;
        expect("inserted", &(done.affected, done.insert_id), &(Some(3), Some(1)))?;
        type Fish = (u32, Option<String>, Decimal, Option<String>);
        let all: Vec<Fish> = rows(&mut session, fish.select_all().sort("id")).await?;
        let decimal = |text: &str| text.parse::<Decimal>();
        let should: Vec<Fish> = vec![
            (1, Some("orca".into()), decimal("1.25")?, Some(r#"{"a": [1, 2]}"#.into())),
            (2, None, decimal("5.00")?, None),
            (3, Some("tuna!".into()), decimal("6.00")?, Some(r#"{"k": [1, "x"]}"#.into())),
        ];
        expect("rows", &all, &should)?;
        let select =
            fish.select("id * 2 AS twice, doc->>'$.k[1]' AS k").filter("n > ? OR name IS NULL").args([2]);
        let found: Vec<(i64, Option<String>)> = rows(&mut session, select.sort("id DESC")).await?;
        expect("selected", &found, &vec![(6, Some("x".to_owned())), (4, None)])?;
        let select =
            fish.select("count(*), max(n)").group_by("name IS NULL").having("count(*) > :n").bind("n", 1);
        expect(
            "groups",
            &rows::<(u64, Decimal), _>(&mut session, select).await?,
            &vec![(2, decimal("6.00")?)],
        )?;
        let update = fish
            .update("id = :id")
            .bind("id", 1)
            .set("n", Value::expr("n * 2"))
            .set("name", "shark")
            .set("doc->'$.b'", true)
            .array_append("doc->'$.a'", 3)
            .unset("doc->'$.a[0]'")
            .patch_column("doc", Value::json(r#"{"c": null, "d": 1}"#));
        expect("updated", &session.execute(update).await?.affected, &Some(1))?;
        let one: Vec<Fish> = rows(&mut session, fish.select_all().filter("id = 1")).await?;
        let doc = Some(r#"{"a": [2, 3], "b": true, "d": 1}"#.to_owned());
        expect("row", &one, &vec![(1, Some("shark".into()), decimal("2.50")?, doc)])?;
        let some = fish.update("true").set("name", "same").sort("id DESC").limit(1);
        expect("limited", &session.execute(some).await?.affected, &Some(1))?;
        let delete = fish.delete("name = :name").bind("name", "same");
        expect("deleted", &session.execute(delete).await?.affected, &Some(1))?;
        expect("count", &session.execute(fish.count()).await?, &2)?;
        refused("a key twice", session.execute(fish.insert(["id"]).row([1])).await, 1062)?;
        refused("no such column", session.execute(fish.delete("nosuch = 1")).await, 1054)?;
        match session.execute(porpoise::x::crud::Delete::table(schema.name(), "fish")).await {
            Err(Error::Crud(_)) => {}
            other => bail!("a delete without a condition: {other:?}"),
        }
        over(session, &schema).await
    })
}

/// Values of every kind come back as they went.
pub(super) fn values(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, schema) = scene(context).await?;
        let columns = "i BIGINT, u BIGINT UNSIGNED, f FLOAT, d DOUBLE, de DECIMAL(65,30), s TEXT, b BLOB, da DATE, \
                       dt DATETIME(6), ti TIME(6), se SET('a','b'), y YEAR, bi BIT(64), j JSON";
        session.execute(sql(format!("CREATE TABLE {}.t ({columns})", schema.name()))).await?;
        let table = schema.table("t");
        let lowest = "-99999999999999999999999999999999999.999999999999999999999999999999";
        let rows_in: [Vec<Scalar>; 2] = [
            vec![
                i64::MIN.into(),
                u64::MAX.into(),
                (-1.5_f32).into(),
                f64::MIN_POSITIVE.into(),
                lowest.parse::<Decimal>()?.into(),
                "quotes ' \" \\ \0 \u{1f42c}".into(),
                Scalar::of(&vec![b'\'', b'\\', b'\n', 0, b'x'])?,
                "9999-12-31".parse::<Date>()?.into(),
                "1000-01-01 00:00:00.000001".parse::<DateTime>()?.into(),
                "-838:59:58.999999".parse::<Time>()?.into(),
                "a,b".into(),
                1901.into(),
                u64::MAX.into(),
                Scalar::json(r#"{"z": [true, null, "é"]}"#),
            ],
            std::iter::repeat_with(Scalar::null).take(14).collect(),
        ];
        let mut insert = table.insert(Vec::<String>::new());
        for row in &rows_in {
            insert = insert.row(row.clone());
        }
        expect("inserted", &session.execute(insert).await?.affected, &Some(2))?;
        let found: Vec<Vec<Plain>> = rows(&mut session, table.select_all().sort("i DESC")).await?;
        let should = vec![
            Plain::Int(i64::MIN),
            Plain::UInt(u64::MAX),
            Plain::Float(-1.5),
            Plain::Double(f64::MIN_POSITIVE),
            Plain::Decimal(lowest.parse()?),
            Plain::Text("quotes ' \" \\ \0 \u{1f42c}".into()),
            Plain::Bytes(vec![b'\'', b'\\', b'\n', 0, b'x']),
            Plain::Date("9999-12-31".parse()?),
            Plain::DateTime("1000-01-01 00:00:00.000001".parse()?),
            Plain::Time("-838:59:58.999999".parse()?),
            Plain::Text("a,b".into()),
            Plain::UInt(1901),
            Plain::Bit(u64::MAX),
            Plain::Json(r#"{"z": [true, null, "é"]}"#.into()),
        ];
        expect("values", &found[0], &should)?;
        expect("NULLs", &found[1], &vec![Plain::Null; 14])?;
        // The same values find their row again.
        let exact = "i = :i AND u = :u AND f = :f AND d = :d AND s = :s AND b = :b AND da = :da AND dt = :dt AND ti = :ti \
                     AND y = :y AND de = CAST(:de AS DECIMAL(65,30)) AND j->'$.z[2]' = 'é'";
        let mut select = table.select("i").filter(exact);
        for (name, at) in ["i", "u", "f", "d"].into_iter().zip(0..).chain(["s", "b", "da", "dt", "ti"].into_iter().zip(5..)) {
            select = select.bind(name, rows_in[0][at].clone());
        }
        let select = select.bind("y", 1901).bind("de", lowest.parse::<Decimal>()?);
        expect("found by them", &rows::<i64, _>(&mut session, select).await?, &vec![i64::MIN])?;
        over(session, &schema).await
    })
}

pub(super) fn locks(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, schema) = scene(context).await?;
        session.execute(sql(format!("CREATE TABLE {}.t (id INT PRIMARY KEY)", schema.name()))).await?;
        let table = schema.table("t");
        session.execute(table.insert(["id"]).row([1]).row([2])).await?;
        session.execute(sql("START TRANSACTION")).await?;
        let one = table.select("id").filter("id = 1");
        expect("locked", &rows::<u8, _>(&mut session, one.clone().lock_exclusive(None)).await?, &vec![1])?;
        let mut other = connect(context, |options| options).await?;
        let now = one.lock_shared(Some(RowLockOptions::Nowait));
        refused("not waited for", rows::<u8, _>(&mut other, now).await, 3572)?;
        let free = table.select("id").sort("id").lock_exclusive(Some(RowLockOptions::SkipLocked));
        expect("passed over", &rows::<u8, _>(&mut other, free).await?, &vec![2])?;
        session.execute(sql("ROLLBACK")).await?;
        other.close().await?;
        over(session, &schema).await
    })
}
