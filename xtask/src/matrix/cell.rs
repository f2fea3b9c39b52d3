//! The axes of the matrix, and which of their values do not go together.

use std::fmt;

use serde::Serialize;

use super::pairwise;
use crate::server::state::Server;
use crate::{Result, account};

/// An axis: its values in order, each with its name.
macro_rules! axis {
    ($(#[$doc:meta])* $axis:ident { $($(#[$value_doc:meta])* $value:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
        pub(super) enum $axis { $($(#[$value_doc])* #[serde(rename = $name)] $value,)+ }

        impl $axis {
            const ALL: &[Self] = &[$(Self::$value,)+];

            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$value => $name,)+ }
            }
        }
    };
}

axis! {
    /// Who moves the bytes.
    Runtime { Tokio = "tokio", AsyncStd = "async-std", Blocking = "blocking", }
}

axis! {
    /// What they are moved over.
    Transport { Tcp = "tcp", Tls = "tls", Unix = "unix", }
}

axis! {
    /// The names of the servers in the state file.
    ServerKind { MySql97 = "mysql-9.7", MariaDb1011 = "mariadb-10.11", MariaDb118 = "mariadb-11.8", }
}

axis! {
    /// How they are compressed.
    Compression { None = "uncompressed", Zlib = "zlib", Zstd = "zstd", }
}

axis! {
    /// What the facade is built with.
    Features {
        /// All features: the end-to-end suite.
        All = "all",
        /// The facade's default features and the cell's own runtime.
        OneRuntime = "one-runtime",
        /// The same without TLS.
        NoTls = "no-tls",
        /// The classic protocol, the cell's own runtime and its compression: no TLS, no RSA, no Ed25519.
        Bare = "bare",
    }
}

/// One value of each axis.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(super) struct Cell {
    pub(super) runtime: Runtime,
    pub(super) transport: Transport,
    pub(super) server: ServerKind,
    pub(super) compression: Compression,
    pub(super) features: Features,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runtime, transport, server, compression, features } = self;
        let (runtime, transport, server) = (runtime.name(), transport.name(), server.name());
        write!(f, "{runtime}, {transport}, {server}, {}, features {}", compression.name(), features.name())
    }
}

/// Every cell, applicable or not.
pub(super) fn all() -> impl Iterator<Item = Cell> {
    points().map(cell)
}

/// Every cell that can be run.
pub(super) fn applicable() -> Vec<Cell> {
    all().filter(|cell| cell.not_applicable().is_none()).collect()
}

/// A choice of these in which each two values that go together do so.
pub(super) fn pairs() -> Vec<Cell> {
    let points: Vec<_> = points().filter(|point| cell(*point).not_applicable().is_none()).collect();
    pairwise::choose(&points).into_iter().map(cell).collect()
}

fn points() -> impl Iterator<Item = pairwise::Point<5>> {
    let [runtimes, transports, servers, features] =
        [Runtime::ALL.len(), Transport::ALL.len(), ServerKind::ALL.len(), Features::ALL.len()];
    (0..Compression::ALL.len() * runtimes * transports * servers * features).map(move |n| {
        let (n, e) = (n / features, n % features);
        let (n, c) = (n / servers, n % servers);
        let (n, b) = (n / transports, n % transports);
        [n % runtimes, b, c, n / runtimes, e]
    })
}

fn cell([runtime, transport, server, compression, features]: pairwise::Point<5>) -> Cell {
    fn value<T: Copy>(values: &[T], n: usize) -> T {
        values.get(n).copied().expect("points are made from the axes' lengths")
    }
    Cell {
        runtime: value(Runtime::ALL, runtime),
        transport: value(Transport::ALL, transport),
        server: value(ServerKind::ALL, server),
        compression: value(Compression::ALL, compression),
        features: value(Features::ALL, features),
    }
}

impl Cell {
    /// Why there is nothing to run.
    pub(super) fn not_applicable(&self) -> Option<&'static str> {
        match (self.transport, self.server, self.features) {
            (Transport::Tls, _, Features::NoTls | Features::Bare) => Some("built without TLS"),
            (Transport::Tcp, ServerKind::MySql97, Features::Bare) => {
                Some("built without RSA, which a full login over plain TCP needs")
            }
            (_, ServerKind::MariaDb1011 | ServerKind::MariaDb118, _)
                if self.compression == Compression::Zstd =>
            {
                Some("MariaDB has no zstd")
            }
            _ => None,
        }
    }

    /// The facade's features in this cell.
    pub(super) fn feature_names(&self) -> String {
        let more = match self.features {
            Features::All | Features::OneRuntime => ",ed25519,rsa,tls",
            Features::NoTls => ",ed25519,rsa",
            Features::Bare => "",
        };
        let compression = match self.compression {
            Compression::None => "",
            Compression::Zlib => ",zlib",
            Compression::Zstd => ",zstd",
        };
        format!("classic,{}{more}{compression}", self.runtime.name())
    }

    /// How its server is reached over its transport, with an account of the test set-up.
    pub(super) fn url(&self, server: &Server) -> Result<String> {
        let account = match self.server {
            ServerKind::MySql97 => account::SHA2,
            ServerKind::MariaDb1011 | ServerKind::MariaDb118 => account::NATIVE,
        };
        let compression = ("compression-algorithms", self.compression.name());
        match self.transport {
            // Over plain TCP a full login needs the server's RSA key.
            Transport::Tcp => {
                let key = ("get-server-public-key", "true");
                Ok(account.tcp_url(server, &[("ssl-mode", "DISABLED"), key, compression]))
            }
            Transport::Tls => Ok(account.tcp_url(server, &[("ssl-mode", "REQUIRED"), compression])),
            Transport::Unix => account.unix_url(server, &[("ssl-mode", "DISABLED"), compression]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_cannot_log_in_is_left_out() {
        let out: Vec<_> = all().filter(|cell| cell.not_applicable().is_some()).collect();
        let count = |why| out.iter().filter(|cell| cell.not_applicable() == Some(why)).count();
        // 3 runtimes, 3 servers, 3 compressions, 2 feature sets.
        assert_eq!(count("built without TLS"), 54);
        // 3 runtimes, 2 servers, 3 transports with 4 feature sets each but for the two without TLS.
        assert_eq!(count("MariaDB has no zstd"), 60);
        // 3 runtimes, 3 compressions.
        assert_eq!(out.len(), 54 + 60 + 9);
        assert_eq!(applicable().len(), 3 * 3 * 3 * 3 * 4 - 123);
    }

    #[test]
    fn each_cell_is_there_once() {
        let names: BTreeSet<_> = all().map(|cell| cell.to_string()).collect();
        assert_eq!(names.len(), all().count());
    }

    #[test]
    fn the_choice_is_applicable_and_small() {
        let chosen = pairs();
        assert!(chosen.iter().all(|cell| cell.not_applicable().is_none()));
        assert!((12..=18).contains(&chosen.len()), "{}", chosen.len());
        // The suite itself runs on each runtime, transport and server.
        let whole = || chosen.iter().filter(|cell| cell.features == Features::All);
        assert!(Runtime::ALL.iter().all(|value| whole().any(|cell| cell.runtime == *value)));
        assert!(Transport::ALL.iter().all(|value| whole().any(|cell| cell.transport == *value)));
        assert!(ServerKind::ALL.iter().all(|value| whole().any(|cell| cell.server == *value)));
    }

    #[test]
    fn features_follow_the_cell() {
        let of = |n| all().nth(n).unwrap().feature_names();
        assert_eq!(of(1), "classic,tokio,ed25519,rsa,tls");
        assert_eq!(of(2), "classic,tokio,ed25519,rsa");
        assert_eq!(of(3), "classic,tokio");
        assert_eq!(of(108 + 3), "classic,tokio,zlib");
        assert_eq!(of(216 + 1), "classic,tokio,ed25519,rsa,tls,zstd");
    }
}
