//! What the workloads say to the server, the same for all clients.

use std::fmt::Write as _;

/// `point-query`: one row by its key.
pub const POINT: &str = "SELECT id, k, c, pad, d FROM pf_point WHERE id = ?";
/// `insert-pipeline` and `insert-sequential`.
pub const INSERT: &str = "INSERT INTO pf_ins (a, b, s) VALUES (?, ?, ?)";
/// The text that is inserted.
pub const INSERTED: &str = "some value here";
/// Empties the table of [`INSERT`].
pub const TRUNCATE: &str = "TRUNCATE pf_ins";
/// The collection of `x-insert-docs`.
pub const DOCS_NAME: &str = "pf_docs";
/// Makes it anew, and begins a transaction.
pub const DOCS: [&str; 3] = [
    "DROP TABLE IF EXISTS pf_docs",
    "CREATE TABLE pf_docs (doc JSON, _id VARBINARY(32) GENERATED ALWAYS AS \
        (JSON_UNQUOTE(JSON_EXTRACT(doc, '$._id'))) STORED PRIMARY KEY)",
    "START TRANSACTION",
];
/// Statements of one `multi` command.
pub const STATEMENTS: u64 = 100;

/// `rows-narrow[-bin]`: three numbers and a short text.
#[must_use]
pub fn narrow(n: u64) -> String {
    format!("SELECT a, b, c, s FROM pf_narrow WHERE a < {n}")
}

/// `rows-wide[-bin]`: twenty columns of all kinds.
#[must_use]
pub fn wide(n: u64) -> String {
    format!("SELECT * FROM pf_wide WHERE id < {n}")
}

/// `blob`: 8 MiB in each row.
#[must_use]
pub fn blob(n: u64) -> String {
    format!("SELECT x.a, y.b FROM pf_narrow x JOIN pf_blob y WHERE x.a < {n}")
}

/// `multi`: [`STATEMENTS`] statements in one command.
#[must_use]
pub fn multi() -> String {
    let mut sql = "SELECT 0".to_owned();
    for i in 1..STATEMENTS {
        // Writing to a string does not fail.
        let _ = write!(sql, ";SELECT {i}");
    }
    sql
}

/// A document with its id.
#[must_use]
pub fn document(i: u64) -> String {
    format!(r#"{{"_id":"{i:028}","a":{i},"b":{},"s":"{INSERTED}"}}"#, key(i))
}

/// Keys in no order, and the same ones each time.
#[must_use]
pub const fn key(i: u64) -> i32 {
    let mixed = i.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 33;
    (mixed % 10_000) as i32
}

/// What the cells that are looked at in a row of [`wide`] add up to: columns 0, 4, 7, 13, 14, 18 and 19.
#[derive(Clone, Copy, Debug)]
pub struct Wide<'a> {
    /// `id`
    pub id: i32,
    /// `i4`
    pub i4: i64,
    /// `d`
    pub d: f64,
    /// `s1`
    pub s1: &'a str,
    /// `s2`
    pub s2: &'a str,
    /// `n1`
    pub n1: Option<i32>,
    /// `n2`
    pub n2: Option<&'a str>,
}

impl Wide<'_> {
    /// The sum.
    #[must_use]
    pub fn sum(self) -> u64 {
        let Self { id, i4, d, s1, s2, n1, n2 } = self;
        let texts = s1.len() + s2.len() + n2.map_or(0, str::len);
        let n1 = n1.unwrap_or(0).unsigned_abs();
        id as u64 + i4 as u64 + whole(d) + texts as u64 + u64::from(n1)
    }
}

/// What `d` of [`Wide`] adds to the sum.
#[expect(clippy::cast_possible_truncation, reason = "the fraction does not count, and the number is small")]
#[must_use]
pub const fn whole(number: f64) -> u64 {
    number as u64
}

/// The sum of a row of [`narrow`], in which one number is negative.
#[must_use]
pub const fn narrow_sum(numbers: [i32; 3], text: usize) -> u64 {
    let [a, b, c] = numbers;
    (a as i64 + b as i64 + c as i64 + text as i64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_statements() {
        let sql = multi();
        assert_eq!(sql.split(';').count() as u64, STATEMENTS);
        assert!(sql.starts_with("SELECT 0;SELECT 1;") && sql.ends_with(";SELECT 99"));
    }

    #[test]
    fn keys_stay_in_the_table() {
        assert!((0..1000).map(key).all(|key| (0..10_000).contains(&key)));
        assert_ne!(key(1), key(2));
    }
}
