use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the parts of a URL stand.
const SHAPE: &str = "mysql://user:password@host:port/database?key=value&...";
/// The same, behind the scheme.
const REST: &str = "user:password@host:port/database?key=value&...";

/// Why a URL cannot be read. Names the key and its value, never a password.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum UrlError {
    /// It does not start with `mysql://`, or `mysqlx://`.
    #[non_exhaustive]
    Scheme {
        /// What it should start with.
        scheme: &'static str,
    },
    /// A `%` is not followed by two hexadecimal digits.
    BadEncoding {
        /// The part, or the key.
        part: &'static str,
    },
    /// A part is not UTF-8 once it is decoded.
    NotUtf8 {
        /// The part, or the key.
        part: &'static str,
    },
    /// A character that separates parts is where it separates nothing. The text around it is not shown: it may be
    /// a password.
    Ambiguous,
    /// The host is none.
    BadHost,
    /// The port is none.
    BadPort,
    /// A Unix socket and another host than `localhost`.
    HostAndSocket,
    /// The name of a MySQL option that has its own place in a URL.
    HasPlace {
        /// The name.
        key: &'static str,
    },
    /// No key has this name.
    #[non_exhaustive]
    UnknownKey {
        /// The name.
        key: String,
        /// The key whose name is nearest, if one is near.
        nearest: Option<&'static str>,
        /// All keys.
        keys: Box<[&'static str]>,
    },
    /// A key without `=`.
    NoValue {
        /// The key.
        key: &'static str,
    },
    /// A key that may be given once is given twice.
    Repeated {
        /// The key.
        key: &'static str,
    },
    /// The value does not fit its key.
    BadValue {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What fits.
        expected: String,
    },
    /// What the value asks for is known but not to be had.
    Unsupported {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// Why.
        reason: &'static str,
    },
    /// A file that a key names cannot be used.
    File {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        error: Arc<dyn StdError + Send + Sync>,
    },
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme { scheme } => {
                write!(f, "the URL does not start with {scheme} (its shape: {scheme}{REST})")
            }
            Self::BadEncoding { part } => {
                write!(f, "{part}: a % must be followed by two hexadecimal digits; % itself is %25")
            }
            Self::NotUtf8 { part } => write!(f, "{part} is not UTF-8 once it is percent-decoded"),
            Self::Ambiguous => write!(
                f,
                "a / ? or @ is where it cannot be understood: in a user name, password or database name write %2F, %3F \
                 or %40 (the URL's shape: {SHAPE})"
            ),
            Self::BadHost => {
                write!(f, "the host cannot be read: an IPv6 address goes into brackets, {SHAPE}")
            }
            Self::BadPort => write!(
                f,
                "the port must be a number from 1 to 65535 (a colon in a user name is %3A; the URL's shape: {SHAPE})"
            ),
            Self::HostAndSocket => {
                f.write_str("socket: with a Unix socket the host is left out, mysql://user@/")
            }
            Self::HasPlace { key } => write!(f, "{key} is no key, it has its own place: {SHAPE}"),
            Self::UnknownKey { key, nearest: Some(nearest), .. } => {
                write!(f, "unknown key {key:?}: did you mean {nearest}?")
            }
            Self::UnknownKey { key, nearest: None, keys } => {
                write!(f, "unknown key {key:?}; the keys are {}", keys.join(", "))
            }
            Self::NoValue { key } => write!(f, "{key} has no value: write {key}=..."),
            Self::Repeated { key } => write!(f, "{key} is given twice"),
            Self::BadValue { key, value, expected } => write!(f, "{key}={value:?}: expected {expected}"),
            Self::Unsupported { key, value, reason } => write!(f, "{key}={value:?}: {reason}"),
            Self::File { key, path, error } => write!(f, "{key}: {}: {error}", path.display()),
        }
    }
}

impl StdError for UrlError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::File { error, .. } => Some(&**error),
            _ => None,
        }
    }
}
