//! Which compression a connection gets.

use std::fmt;
use std::str::FromStr;

use porpoise_classic::CapabilityFlags;
use porpoise_wire::Compression;

use crate::OptionsError;

/// What MySQL takes unless told otherwise.
#[cfg_attr(not(feature = "zlib"), expect(dead_code, reason = "zlib is not there"))]
const ZLIB_LEVEL: u8 = 6;
const ZSTD_LEVEL: u8 = 3;

/// A way to compress that a connection may use, or none. Follows "MySQL Reference Manual: Connection Compression
/// Control".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CompressionAlgorithm {
    /// zlib. All servers know it; needs the feature `zlib`.
    Zlib,
    /// zstd. MySQL since 8.0.18 knows it, MariaDB does not; needs the feature `zstd`.
    Zstd,
    /// No compression.
    Uncompressed,
}

impl CompressionAlgorithm {
    /// All of them, those that are taken first before the others.
    pub const ALL: &'static [Self] = &[Self::Zlib, Self::Zstd, Self::Uncompressed];

    /// The name that MySQL has for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
            Self::Uncompressed => "uncompressed",
        }
    }

    /// Whether this build has it: zlib and zstd are features.
    #[must_use]
    pub const fn is_available(self) -> bool {
        match self {
            Self::Zlib => cfg!(feature = "zlib"),
            Self::Zstd => cfg!(feature = "zstd"),
            Self::Uncompressed => true,
        }
    }
}

impl fmt::Display for CompressionAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name is not one of [`CompressionAlgorithm::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownAlgorithm;

impl fmt::Display for UnknownAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the compression algorithms are zlib, zstd and uncompressed")
    }
}

impl std::error::Error for UnknownAlgorithm {}

impl FromStr for CompressionAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        let known = Self::ALL.iter().find(|known| known.name().eq_ignore_ascii_case(name));
        known.copied().ok_or(UnknownAlgorithm)
    }
}

/// What the options allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) algorithms: Box<[CompressionAlgorithm]>,
    pub(crate) zlib_level: Option<u8>,
    pub(crate) zstd_level: Option<u8>,
}

impl Default for Allowed {
    fn default() -> Self {
        Self { algorithms: [CompressionAlgorithm::Uncompressed].into(), zlib_level: None, zstd_level: None }
    }
}

impl Allowed {
    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        if self.algorithms.is_empty() {
            return Err(OptionsError::NoAlgorithm);
        }
        if let Some(missing) = self.algorithms.iter().find(|algorithm| !algorithm.is_available()) {
            return Err(OptionsError::NotBuiltIn { algorithm: missing.name() });
        }
        let levels = [("zlib", self.zlib_level, 9), ("zstd", self.zstd_level, 22)];
        match levels.into_iter().find(|(_, level, max)| level.is_some_and(|level| level < 1 || level > *max))
        {
            Some((algorithm, _, max)) => Err(OptionsError::NoSuchLevel { algorithm, max }),
            None => Ok(()),
        }
    }

    /// The capabilities to ask for.
    pub(crate) fn wanted(&self) -> CapabilityFlags {
        self.algorithms.iter().fold(CapabilityFlags::empty(), |wanted, algorithm| {
            wanted
                | match algorithm {
                    CompressionAlgorithm::Zlib => CapabilityFlags::CLIENT_COMPRESS,
                    CompressionAlgorithm::Zstd => CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM,
                    CompressionAlgorithm::Uncompressed => CapabilityFlags::empty(),
                }
        })
    }

    /// Whether a server that agreed to these capabilities can be used.
    pub(crate) fn accepts(&self, agreed: CapabilityFlags) -> bool {
        self.algorithms.contains(&CompressionAlgorithm::Uncompressed) || agreed.intersects(self.wanted())
    }

    /// The level that the server is told.
    pub(crate) fn zstd_level(&self) -> u8 {
        self.zstd_level.unwrap_or(ZSTD_LEVEL)
    }

    /// What both sides use now. When they agreed on both algorithms, both sides take zlib.
    pub(crate) fn agreed(&self, agreed: CapabilityFlags) -> Option<Compression> {
        #[cfg(feature = "zlib")]
        if agreed.contains(CapabilityFlags::CLIENT_COMPRESS) {
            return Some(Compression::Zlib { level: self.zlib_level.unwrap_or(ZLIB_LEVEL) });
        }
        #[cfg(feature = "zstd")]
        if agreed.contains(CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM) {
            return Some(Compression::Zstd { level: self.zstd_level() });
        }
        let _ = agreed;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZLIB: CapabilityFlags = CapabilityFlags::CLIENT_COMPRESS;
    const ZSTD: CapabilityFlags = CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM;

    fn allowed(names: &[&str]) -> Allowed {
        let algorithms = names.iter().map(|name| name.parse().unwrap()).collect();
        Allowed { algorithms, ..Allowed::default() }
    }

    #[test]
    fn names_are_mysqls() {
        for algorithm in CompressionAlgorithm::ALL {
            assert_eq!(algorithm.to_string().to_uppercase().parse(), Ok(*algorithm));
        }
        assert_eq!("lz4".parse::<CompressionAlgorithm>(), Err(UnknownAlgorithm));
    }

    #[test]
    fn what_is_not_in_the_list_is_not_asked_for() {
        assert_eq!(Allowed::default().wanted(), CapabilityFlags::empty());
        assert_eq!(allowed(&["zstd", "uncompressed"]).wanted(), ZSTD);
        assert_eq!(allowed(&["zstd", "zlib"]).wanted(), ZLIB | ZSTD);
    }

    #[test]
    fn a_server_that_knows_none_of_the_list_is_not_accepted() {
        let none = CapabilityFlags::empty();
        assert!(Allowed::default().accepts(none) && allowed(&["zlib", "uncompressed"]).accepts(none));
        assert!(!allowed(&["zlib"]).accepts(none) && !allowed(&["zlib", "zstd"]).accepts(none));
        assert!(!allowed(&["zlib"]).accepts(ZSTD) && allowed(&["zlib", "zstd"]).accepts(ZSTD));
    }

    #[cfg(all(feature = "zlib", feature = "zstd"))]
    #[test]
    fn zlib_comes_before_zstd_whatever_the_order() {
        let allowed = Allowed { zlib_level: Some(1), zstd_level: Some(22), ..allowed(&["zstd", "zlib"]) };
        assert_eq!(allowed.agreed(ZLIB | ZSTD), Some(Compression::Zlib { level: 1 }));
        assert_eq!(allowed.agreed(ZSTD), Some(Compression::Zstd { level: 22 }));
        assert_eq!(allowed.agreed(CapabilityFlags::empty()), None);
        let defaults = Allowed::default();
        assert_eq!(defaults.agreed(ZLIB), Some(Compression::Zlib { level: 6 }));
        assert_eq!(defaults.agreed(ZSTD), Some(Compression::Zstd { level: 3 }));
    }

    #[test]
    fn levels_are_in_their_range() {
        for (zlib, zstd, fits) in
            [(1, 1, true), (9, 22, true), (0, 1, false), (10, 1, false), (1, 0, false), (1, 23, false)]
        {
            let allowed = Allowed { zlib_level: Some(zlib), zstd_level: Some(zstd), ..Allowed::default() };
            assert_eq!(allowed.check().is_ok(), fits);
        }
        assert_eq!(allowed(&[]).check(), Err(OptionsError::NoAlgorithm));
    }

    #[test]
    fn what_is_not_built_in_is_named() {
        for (name, there) in [("zlib", cfg!(feature = "zlib")), ("zstd", cfg!(feature = "zstd"))] {
            let error = OptionsError::NotBuiltIn { algorithm: if name == "zlib" { "zlib" } else { "zstd" } };
            assert!(error.to_string().contains(&format!("feature `{name}`")));
            assert_eq!(allowed(&[name, "uncompressed"]).check(), if there { Ok(()) } else { Err(error) });
        }
    }
}
