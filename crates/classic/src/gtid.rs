use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bytes::BufMut;

/// A set of global transaction identifiers, as COM_BINLOG_DUMP_GTID takes it.
///
/// ```
/// let set: porpoise_classic::GtidSet = "3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5:11".parse()?;
/// assert_eq!(set.to_string(), "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:11");
/// # Ok::<(), porpoise_classic::GtidError>(())
/// ```
///
/// | type | field |
/// |---|---|
/// | `int<8>` | number of servers |
/// | `string<16>` | a server's UUID |
/// | `int<8>` | number of its intervals |
/// | `int<8>`, `int<8>` | first transaction of an interval, and the one behind its last |
///
/// Follows "MySQL Source Code Documentation: COM_BINLOG_DUMP_GTID". Tagged identifiers (`UUID:tag:1`) have another form and
/// are not part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GtidSet {
    /// For each server sorted intervals that do not touch; the second number is behind the last transaction.
    servers: BTreeMap<[u8; 16], Vec<(u64, u64)>>,
}

/// The largest number of a transaction.
const MAX: u64 = i64::MAX as u64;

impl GtidSet {
    /// No transactions.
    #[must_use]
    pub const fn new() -> Self {
        Self { servers: BTreeMap::new() }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// Adds the transactions from `first` to `last` of a server.
    ///
    /// # Errors
    /// [`GtidError::Interval`] unless 1 ≤ `first` ≤ `last` < 2⁶³ - 1.
    pub fn add(&mut self, server: [u8; 16], first: u64, last: u64) -> Result<(), GtidError> {
        if first == 0 || last < first || last >= MAX {
            return Err(GtidError::Interval);
        }
        let intervals = self.servers.entry(server).or_default();
        let (mut start, mut end) = (first, last + 1);
        // Those that it touches become one with it.
        intervals.retain(|&(other_start, other_end)| {
            let apart = other_end < start || end < other_start;
            if !apart {
                (start, end) = (start.min(other_start), end.max(other_end));
            }
            apart
        });
        let place = intervals.partition_point(|interval| interval.0 < start);
        intervals.insert(place, (start, end));
        Ok(())
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u64_le(self.servers.len() as u64);
        for (server, intervals) in &self.servers {
            out.put_slice(server);
            out.put_u64_le(intervals.len() as u64);
            for (start, end) in intervals {
                out.put_u64_le(*start);
                out.put_u64_le(*end);
            }
        }
        out
    }
}

impl FromStr for GtidSet {
    type Err = GtidError;

    /// Reads what `@@gtid_executed` has: `UUID:1-5:11,UUID:7`, white space anywhere between.
    fn from_str(text: &str) -> Result<Self, GtidError> {
        let mut set = Self::new();
        for server in text.split(',').map(str::trim).filter(|server| !server.is_empty()) {
            let mut parts = server.split(':').map(str::trim);
            let uuid = parts.next().and_then(uuid).ok_or(GtidError::Uuid)?;
            let mut any = false;
            for interval in parts {
                let (first, last) = interval.split_once('-').unwrap_or((interval, interval));
                let number = |text: &str| match text.trim().parse() {
                    Ok(number) => Ok(number),
                    Err(_) if interval.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                        Err(GtidError::Tagged)
                    }
                    Err(_) => Err(GtidError::Interval),
                };
                set.add(uuid, number(first)?, number(last)?)?;
                any = true;
            }
            if !any {
                return Err(GtidError::Interval);
            }
        }
        Ok(set)
    }
}

/// 32 hexadecimal digits, with dashes or without.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let digits: Option<Vec<u32>> =
        text.chars().filter(|digit| *digit != '-').map(|digit| digit.to_digit(16)).collect();
    let digits: [u32; 32] = digits?.try_into().ok()?;
    let mut uuid = [0; 16];
    for (byte, pair) in uuid.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::try_from(pair.iter().fold(0, |sum, digit| sum * 16 + digit)).ok()?;
    }
    Some(uuid)
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (server, intervals)) in self.servers.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            for (i, byte) in server.iter().enumerate() {
                let dash = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
                write!(f, "{dash}{byte:02x}")?;
            }
            for (start, end) in intervals {
                write!(f, ":{start}")?;
                if end - start > 1 {
                    write!(f, "-{}", end - 1)?;
                }
            }
        }
        Ok(())
    }
}

/// Why a set of GTIDs cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GtidError {
    /// A server's UUID is none.
    Uuid,
    /// An interval is none: from 1 on, the last not before the first.
    Interval,
    /// The identifiers have tags.
    Tagged,
}

impl fmt::Display for GtidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uuid => "a GTID begins with 32 hexadecimal digits",
            Self::Interval => "transactions are counted from 1, the last not before the first",
            Self::Tagged => "GTIDs with tags cannot be sent in this form",
        })
    }
}

impl std::error::Error for GtidError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::*;

    const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    #[test]
    fn sets_as_servers_write_them() {
        let same = |text: &str| assert_eq!(text.parse::<GtidSet>().unwrap().to_string(), text);
        same("");
        same(&format!("{UUID}:1"));
        same(&format!("00000000-0000-0000-0000-000000000001:7,{UUID}:1-5:11-12:14"));
        let set: GtidSet = format!(" {UUID} : 7 : 1 - 3 ,\n{UUID}:4").parse().unwrap();
        assert_eq!(set.to_string(), format!("{UUID}:1-4:7"));
        let plain: GtidSet = "3E11FA4771CA11E19E33C80AA9429562:1-4:7".parse().unwrap();
        assert_eq!(plain, set);
    }

    #[test]
    fn what_is_no_set() {
        let error = |text: &str| text.parse::<GtidSet>().unwrap_err();
        assert_eq!(error("1-5"), GtidError::Uuid);
        assert_eq!(error("3e11fa47-71ca-11e1-9e33-c80aa942956:1"), GtidError::Uuid);
        assert_eq!(error("+e11fa47-71ca-11e1-9e33-c80aa942956a:1"), GtidError::Uuid);
        for interval in ["", ":", ":0", ":5-4", ":1-", ":9223372036854775807", ":1-99999999999999999999"] {
            assert_eq!(error(&format!("{UUID}{interval}")), GtidError::Interval, "{interval}");
        }
        assert_eq!(error(&format!("{UUID}:tag:1")), GtidError::Tagged);
    }

    #[test]
    fn the_bytes() {
        assert_eq!(GtidSet::new().encode(), [0; 8]);
        let set: GtidSet = format!("{UUID}:1-5:11").parse().unwrap();
        let numbers = |numbers: &[u64]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>();
        // servers | uuid | intervals | from, behind
        let uuid = b"\x3e\x11\xfa\x47\x71\xca\x11\xe1\x9e\x33\xc8\x0a\xa9\x42\x95\x62";
        assert_eq!(set.encode(), [&numbers(&[1]), &uuid[..], &numbers(&[2, 1, 6, 11, 12])].concat());
    }

    proptest! {
        #[test]
        fn intervals_are_sorted_and_apart(added in prop::collection::vec((1u64..60, 0u64..5), 1..20)) {
            let mut set = GtidSet::new();
            let mut all = std::collections::BTreeSet::new();
            for (first, more) in added {
                set.add([7; 16], first, first + more).unwrap();
                all.extend(first..=first + more);
            }
            let intervals = &set.servers[&[7; 16]];
            prop_assert_eq!(intervals.iter().flat_map(|(start, end)| *start..*end).collect::<Vec<_>>(),
                all.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(intervals.windows(2).filter(|pair| pair[0].1 >= pair[1].0).count(), 0);
            prop_assert_eq!(set.to_string().parse(), Ok(set));
        }
    }
}
