//! Values of keys, read as what they stand for.

use std::ffi::OsStr;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use porpoise_auth::Secret;
use porpoise_classic_connect::ConnectStage;
use porpoise_transport::UnknownName;

use super::{UrlError, nearest};

/// A key's value, percent-decoded.
pub(crate) struct Value {
    key: &'static str,
    /// Of any key: a secret is among them.
    bytes: Secret,
}

impl Value {
    pub(super) const fn new(key: &'static str, bytes: Secret) -> Self {
        Self { key, bytes }
    }

    pub(super) fn text(&self) -> Result<&str, UrlError> {
        str::from_utf8(self.bytes.expose()).map_err(|_| UrlError::NotUtf8 { part: self.key })
    }

    pub(super) fn path(&self) -> Result<PathBuf, UrlError> {
        if self.bytes.is_empty() {
            return Err(self.bad("", "a file name"));
        }
        Ok(PathBuf::from(OsStr::from_bytes(self.bytes.expose())))
    }

    pub(super) fn secret(&self) -> Secret {
        self.bytes.clone()
    }

    pub(super) fn boolean(&self) -> Result<bool, UrlError> {
        self.as_boolean()?.ok_or_else(|| self.unfit("true or false"))
    }

    fn as_boolean(&self) -> Result<Option<bool>, UrlError> {
        Ok(match self.text()?.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        })
    }

    pub(super) fn number<N: FromStr + PartialOrd + Display>(
        &self,
        range: RangeInclusive<N>,
    ) -> Result<N, UrlError> {
        let number = self.text()?.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| self.unfit(&format!("a number from {} to {}", range.start(), range.end())))
    }

    /// A number of bytes, with MySQL's suffixes.
    pub(super) fn size(&self) -> Result<u32, UrlError> {
        let text = self.text()?;
        let (digits, shift) = match text.as_bytes().last() {
            Some(b'k' | b'K') => (text.get(..text.len() - 1), 10),
            Some(b'm' | b'M') => (text.get(..text.len() - 1), 20),
            Some(b'g' | b'G') => (text.get(..text.len() - 1), 30),
            _ => (Some(text), 0),
        };
        let number =
            digits.and_then(|digits| digits.parse::<u32>().ok()).and_then(|n| n.checked_mul(1_u32 << shift));
        number.ok_or_else(|| self.unfit("a number of bytes below 4G, such as 64M"))
    }

    pub(super) fn duration(&self) -> Result<Duration, UrlError> {
        duration(self.text()?).ok_or_else(|| self.unfit("a time such as 10, 1500ms, 10s or 2m"))
    }

    /// A time whose number alone is one of milliseconds.
    #[cfg(feature = "xproto")]
    pub(super) fn millis(&self) -> Result<Duration, UrlError> {
        let text = self.text()?;
        let millis = text.parse().ok().map(Duration::from_millis).or_else(|| duration(text));
        millis.ok_or_else(|| self.unfit("milliseconds such as 1500, or a time such as 10s or 2m"))
    }

    /// A time, or whether the default one applies.
    pub(super) fn switch_or_duration(&self) -> Result<Switch, UrlError> {
        match self.as_boolean()? {
            Some(on) => Ok(if on { Switch::Default } else { Switch::Off }),
            None => self
                .duration()
                .map(Switch::Time)
                .map_err(|_| self.unfit("true, false, or a time such as 10m")),
        }
    }

    /// What has its own way of being read.
    pub(super) fn named<N: FromStr<Err = UnknownName>>(&self) -> Result<N, UrlError> {
        let text = self.text()?;
        text.parse().map_err(|unknown: UnknownName| self.bad(text, format!("one of {}", unknown.expected())))
    }

    /// The items of a list; blanks around them do not count.
    pub(super) fn list(&self, separator: char) -> Result<impl Iterator<Item = &str>, UrlError> {
        Ok(self.text()?.split(separator).map(str::trim))
    }

    /// The items of a list, each read.
    pub(super) fn parse_list<N>(
        &self,
        separator: char,
        mut parse: impl FnMut(&str) -> Result<N, String>,
    ) -> Result<Vec<N>, UrlError> {
        self.list(separator)?.map(|item| parse(item).map_err(|expected| self.bad(item, expected))).collect()
    }

    /// `STAGE:TIME` items.
    pub(super) fn stage_timeouts(&self) -> Result<Vec<(ConnectStage, Duration)>, UrlError> {
        self.parse_list(',', |item| {
            let (stage, time) = item.split_once(':').ok_or("STAGE:TIME, such as READ_GREETING:500ms")?;
            let stage = stage_by_name(stage)?;
            let time = duration(time).filter(|time| !time.is_zero());
            Ok((stage, time.ok_or("a time above 0 after the colon, such as 500ms, 10s or 2m")?))
        })
    }

    /// `name=value` items, as MySQL Shell writes them: `[name=value,name,...]`, the brackets optional.
    pub(super) fn attributes(&self) -> Result<Vec<(&str, &str)>, UrlError> {
        let item = |item| match str::split_once(item, '=').unwrap_or((item, "")) {
            ("", _) => Err(self.bad(item, "a name before =")),
            attribute => Ok(attribute),
        };
        self.bracketed("[name=value,...]")?.map(item).collect()
    }

    /// The items of a list in brackets, each read.
    #[cfg(feature = "xproto")]
    pub(super) fn in_brackets<N>(
        &self,
        mut parse: impl FnMut(&str) -> Result<N, String>,
    ) -> Result<Vec<N>, UrlError> {
        let items = self.bracketed("[name,...]")?.map(str::trim);
        items.map(|item| parse(item).map_err(|expected| self.bad(item, expected))).collect()
    }

    /// What is between commas, in brackets or without.
    fn bracketed(&self, shape: &str) -> Result<impl Iterator<Item = &str>, UrlError> {
        let text = self.text()?;
        let inner = match (text.strip_prefix('['), text.ends_with(']')) {
            (Some(rest), true) => rest.strip_suffix(']').unwrap_or(rest),
            (None, false) => text,
            _ => return Err(self.unfit(&format!("{shape}, with both brackets or none"))),
        };
        Ok(inner.split(',').filter(|_| !inner.is_empty()))
    }

    /// The value as a whole does not fit.
    pub(super) fn unfit(&self, expected: &str) -> UrlError {
        self.bad(&String::from_utf8_lossy(self.bytes.expose()), expected)
    }

    pub(super) fn bad(&self, value: &str, expected: impl Into<String>) -> UrlError {
        UrlError::BadValue { key: self.key, value: value.to_owned(), expected: expected.into() }
    }

    pub(super) fn unsupported(&self, reason: &'static str) -> UrlError {
        UrlError::Unsupported {
            key: self.key,
            value: String::from_utf8_lossy(self.bytes.expose()).into_owned(),
            reason,
        }
    }

    pub(super) const fn key(&self) -> &'static str {
        self.key
    }
}

/// What can be on, off, or on with a time.
pub(super) enum Switch {
    Default,
    Off,
    Time(Duration),
}

/// A whole number with the unit `ms`, `s` or `m`; seconds without.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    match text.get(digits.len()..)? {
        "ms" => Some(Duration::from_millis(number)),
        "" | "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    }
}

/// A stage in which a connect can spend time.
fn stage_by_name(name: &str) -> Result<ConnectStage, String> {
    let upper = name.trim().to_ascii_uppercase();
    let lasts = |stage: &ConnectStage| *stage > ConnectStage::NotStarted && *stage < ConnectStage::Complete;
    ConnectStage::from_name(&upper).filter(lasts).ok_or_else(|| {
        let names = ConnectStage::ALL.into_iter().filter(lasts).map(ConnectStage::name);
        match nearest(&upper, names) {
            Some(near) => format!("a connect stage, perhaps {near}"),
            None => "a connect stage, such as READ_GREETING".to_owned(),
        }
    })
}
