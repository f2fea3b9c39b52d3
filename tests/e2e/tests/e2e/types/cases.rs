//! The types, and their extreme values.

use porpoise::value::{Date, DateTime, Decimal, Geometry, Time};
use porpoise::{Kind, Value};

/// A column's type, what its kind is, and values: as they are sent, and as they are stored.
pub(crate) struct Case {
    pub(crate) sql_type: &'static str,
    pub(crate) kind: Kind,
    pub(crate) values: Vec<(Value, Value)>,
}

fn case<T: Into<Value>>(sql_type: &'static str, kind: Kind, values: impl IntoIterator<Item = T>) -> Case {
    let values = values.into_iter().map(|value| {
        let value = value.into();
        (value.clone(), value)
    });
    Case { sql_type, kind, values: values.collect() }
}

fn int(sql_type: &'static str, bits: u8, min: i64, max: i64) -> Case {
    case(sql_type, Kind::Int { bits, unsigned: false }, [min, -1, 0, 1, max])
}

fn unsigned(sql_type: &'static str, bits: u8, max: u64) -> Case {
    case(sql_type, Kind::Int { bits, unsigned: true }, [0, 1, max])
}

/// Values as text that stand for themselves.
fn parsed<T: std::str::FromStr + Into<Value>>(sql_type: &'static str, kind: Kind, values: &[&str]) -> Case {
    case(sql_type, kind, values.iter().filter_map(|text| text.parse::<T>().ok()).map(Into::into))
}

/// All that a server has.
pub(crate) fn of(server: &str) -> Vec<Case> {
    let mut cases = numbers();
    cases.extend(strings());
    cases.extend(temporal());
    cases.push(time(server));
    cases.extend(others(server));
    cases
}

fn numbers() -> Vec<Case> {
    let nines = "99999999999999999999999999999999999.999999999999999999999999999999";
    let minus = format!("-{nines}");
    let tiny = "0.000000000000000000000000000001";
    vec![
        int("TINYINT", 8, i8::MIN.into(), i8::MAX.into()),
        int("SMALLINT", 16, i16::MIN.into(), i16::MAX.into()),
        int("MEDIUMINT", 24, -8_388_608, 8_388_607),
        int("INT", 32, i32::MIN.into(), i32::MAX.into()),
        int("BIGINT", 64, i64::MIN, i64::MAX),
        unsigned("TINYINT UNSIGNED", 8, u8::MAX.into()),
        unsigned("SMALLINT UNSIGNED", 16, u16::MAX.into()),
        unsigned("MEDIUMINT UNSIGNED", 24, 16_777_215),
        unsigned("INT UNSIGNED", 32, u32::MAX.into()),
        unsigned("BIGINT UNSIGNED", 64, u64::MAX),
        unsigned("BIGINT(20) UNSIGNED ZEROFILL", 64, u64::MAX),
        case("BOOLEAN", Kind::Int { bits: 8, unsigned: false }, [false, true]),
        // Six digits: what a server writes of a FLOAT as text.
        case("FLOAT", Kind::Float, [0.0, 0.5, -1.25, 3.402_82e38_f32, -3.402_82e38, 1.175_49e-38]),
        case("DOUBLE", Kind::Double, [0.0, 0.1, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 1.0 / 3.0]),
        parsed::<Decimal>("DECIMAL(65, 30)", Kind::Decimal, &[nines, &minus, tiny]),
        parsed::<Decimal>("DECIMAL(65, 0)", Kind::Decimal, &[&"9".repeat(65), "0", "-1"]),
        parsed::<Decimal>("DECIMAL(5, 2)", Kind::Decimal, &["999.99", "-999.99", "0.00", "-0.01"]),
        Case {
            sql_type: "BIT(64)",
            kind: Kind::Bit,
            values: [0, 1, u64::MAX, 1 << 63].map(|bits| (Value::Bit(bits), Value::Bit(bits))).into(),
        },
        Case {
            sql_type: "BIT(9)",
            kind: Kind::Bit,
            values: [0, 0x1ff, 0x100].map(|bits| (Value::Bit(bits), Value::Bit(bits))).into(),
        },
        Case {
            sql_type: "YEAR",
            kind: Kind::Year,
            values: [0_u64, 1901, 2024, 2155].map(|year| (Value::UInt(year), Value::UInt(year))).into(),
        },
    ]
}

fn strings() -> Vec<Case> {
    let texts = ["", "a", "héllo 🐬", "it's \"quoted\" \\ \0 \n", "NULL"];
    let long = "x".repeat(70_000);
    let bytes = [&b""[..], &[0], &[0xff, 0xfe, 0xfb, 0xfc], b"'\\", long.as_bytes()];
    vec![
        case("VARCHAR(100) CHARACTER SET utf8mb4", Kind::Text, texts),
        case("CHAR(100) CHARACTER SET utf8mb4", Kind::Text, texts),
        case("TINYTEXT CHARACTER SET utf8mb4", Kind::Text, texts),
        case("TEXT CHARACTER SET utf8mb4", Kind::Text, texts),
        case("MEDIUMTEXT CHARACTER SET utf8mb4", Kind::Text, [long.as_str()]),
        case("LONGTEXT CHARACTER SET utf8mb4", Kind::Text, [long.as_str(), "é"]),
        case("VARCHAR(100) CHARACTER SET latin1", Kind::Text, ["", "café"]),
        case("VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", Kind::Text, texts),
        case("VARBINARY(100)", Kind::Bytes, bytes[..4].iter().copied()),
        case("BINARY(2)", Kind::Bytes, [&[0, 0][..], &[0xff, 0]]),
        case("TINYBLOB", Kind::Bytes, bytes[..4].iter().copied()),
        case("BLOB", Kind::Bytes, bytes[..4].iter().copied()),
        case("MEDIUMBLOB", Kind::Bytes, bytes),
        case("LONGBLOB", Kind::Bytes, bytes),
        case("ENUM('a', 'é', '') CHARACTER SET utf8mb4", Kind::Enum, ["a", "é", ""]),
        case("SET('a', 'b', 'é') CHARACTER SET utf8mb4", Kind::Set, ["", "a", "a,b,é"]),
    ]
}

fn temporal() -> Vec<Case> {
    let moments = [
        "0000-00-00 00:00:00",
        "1000-01-01 00:00:00",
        "2024-02-29 00:00:00",
        "2024-02-29 12:34:56.5",
        "2024-00-00 01:02:03.000001",
        "9999-12-31 23:59:59.999999",
    ];
    let dates = ["0000-00-00", "1000-01-01", "2024-00-15", "2024-02-00", "2024-02-31", "9999-12-31"];
    let stamps = ["1970-01-01 00:00:01", "2038-01-19 03:14:07.999999", "2024-02-29 00:00:00"];
    vec![
        parsed::<Date>("DATE", Kind::Date, &dates),
        parsed::<DateTime>("DATETIME(6)", Kind::DateTime, &moments),
        parsed::<DateTime>("DATETIME", Kind::DateTime, &["0000-00-00 00:00:00", "9999-12-31 23:59:59"]),
        parsed::<DateTime>("TIMESTAMP(6)", Kind::Timestamp, &stamps),
        parsed::<DateTime>("TIMESTAMP", Kind::Timestamp, &["1970-01-01 00:00:01", "2038-01-19 03:14:07"]),
    ]
}

fn time(server: &str) -> Case {
    let mut values =
        vec!["00:00:00", "-00:00:00.000001", "23:59:59.999999", "-101:02:03.000004", "838:59:59"];
    values.push("-838:59:59");
    if server.starts_with("mariadb") {
        values.extend(["838:59:59.999999", "-838:59:59.999999"]);
    }
    parsed::<Time>("TIME(6)", Kind::Time, &values)
}

fn others(server: &str) -> Vec<Case> {
    // Little-endian, point, (1.0, -2.0)
    let point = [&[1, 1, 0, 0, 0][..], &1.0_f64.to_le_bytes(), &(-2.0_f64).to_le_bytes()].concat();
    let mut cases = vec![
        case("GEOMETRY", Kind::Geometry, [Geometry::new(0, &point), Geometry::new(4326, &point)]),
        case("POINT", Kind::Geometry, [Geometry::new(0, &point)]),
    ];
    let document = r#"{"a": [1, null, "é\u0000"], "b": {}}"#;
    // MariaDB refuses vectors whose length is no FLOAT.
    let widest = if server.starts_with("mariadb") { 1e18 } else { f32::MAX };
    let vector = vec![0.0, -1.5, widest, f32::MIN_POSITIVE];
    let bytes: Vec<u8> = vector.iter().flat_map(|n| n.to_le_bytes()).collect();
    if server.starts_with("mariadb") {
        // Another name of LONGTEXT.
        cases.push(case("JSON", Kind::Text, [document]));
        if server != "mariadb-10.11" {
            cases.push(Case {
                sql_type: "VECTOR(4)",
                kind: Kind::Bytes,
                values: vec![(Value::Vector(vector), Value::Bytes(bytes))],
            });
        }
        cases.push(case("UUID", Kind::Text, ["00112233-4455-6677-8899-aabbccddeeff"]));
        cases.push(case("INET6", Kind::Text, ["2001:db8::1"]));
    } else {
        let json = |text: &str| (Value::Json(text.to_owned()), Value::Json(text.to_owned()));
        cases.push(Case {
            sql_type: "JSON",
            kind: Kind::Json,
            values: vec![json(document), json("null"), json("18446744073709551615"), json("\"🐬\"")],
        });
        cases.push(case("VECTOR(16)", Kind::Vector, [vector, vec![1.0]]));
    }
    cases
}
