//! URLs for accounts of the test set-up (`tests/sql`).

use std::path::Path;

use anyhow::Context as _;

use crate::Result;
use crate::server::state::Server;
use crate::server::url::encode;

/// An account that the set-up SQL makes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
}

/// `caching_sha2_password`, on MySQL.
pub(crate) const SHA2: Account = Account { user: "sha2", password: "pw-sha2" };

/// `mysql_native_password`, on MariaDB.
pub(crate) const NATIVE: Account = Account { user: "nat", password: "pw-nat" };

/// The database that the accounts may use.
const DATABASE: &str = "odb";

impl Account {
    /// The account's URL over TCP.
    pub(crate) fn tcp_url(&self, server: &Server, options: &[(&str, &str)]) -> String {
        self.url_at(&server.host, server.port, options)
    }

    /// The account's URL at any port.
    pub(crate) fn url_at(&self, host: &str, port: u16, options: &[(&str, &str)]) -> String {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        self.url(&format!("{host}:{port}"), options)
    }

    /// The account's URL over the Unix socket, if the server has one here.
    pub(crate) fn unix_url(&self, server: &Server, options: &[(&str, &str)]) -> Result<String> {
        let path = server.socket.as_deref();
        let path =
            path.and_then(Path::to_str).with_context(|| format!("{} has no socket here", server.name))?;
        Ok(self.url_on(path, options))
    }

    /// The account's URL over any Unix socket.
    pub(crate) fn url_on(&self, socket: &str, options: &[(&str, &str)]) -> String {
        self.url("", &[&[("socket", socket)], options].concat())
    }

    /// The account's `mysqlx://` URL at any port.
    pub(crate) fn x_url_at(&self, host: &str, port: u16, options: &[(&str, &str)]) -> String {
        x(&self.url_at(host, port, options))
    }

    /// The account's `mysqlx://` URL over any Unix socket.
    pub(crate) fn x_url_on(&self, socket: &str, options: &[(&str, &str)]) -> String {
        x(&self.url_on(socket, options))
    }

    fn url(&self, address: &str, options: &[(&str, &str)]) -> String {
        let Self { user, password } = self;
        let mut url = format!("mysql://{user}:{}@{address}/{DATABASE}", encode(password));
        for (n, (key, value)) in options.iter().enumerate() {
            let mark = if n == 0 { '?' } else { '&' };
            url.push_str(&format!("{mark}{key}={}", encode(value)));
        }
        url
    }
}

/// The same URL for the X Protocol.
fn x(url: &str) -> String {
    url.replacen("mysql://", "mysqlx://", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        let json = r#"{"name": "mysql-9.7", "version": "9.7.4", "source": "apt", "host": "::1", "port": 1,
            "socket": "/a b/s", "mysqlx_port": null, "mysqlx_socket": null, "root_user": "root",
            "root_password": "", "os_user": "o", "datadir": null, "test_plugins": false, "client": null,
            "pid_file": null, "setup": null}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn urls_have_their_options() {
        let account = Account { user: "u", password: "p:w" };
        assert_eq!(
            account.tcp_url(&server(), &[("ssl-mode", "DISABLED")]),
            "mysql://u:p%3Aw@[::1]:1/odb?ssl-mode=DISABLED"
        );
        assert_eq!(account.tcp_url(&server(), &[]), "mysql://u:p%3Aw@[::1]:1/odb");
        assert_eq!(account.x_url_at("h", 1, &[]), "mysqlx://u:p%3Aw@h:1/odb");
        assert_eq!(account.x_url_on("/s", &[]), "mysqlx://u:p%3Aw@/odb?socket=/s");
        let two = account.unix_url(&server(), &[("ssl-mode", "DISABLED")]).unwrap();
        assert_eq!(two, "mysql://u:p%3Aw@/odb?socket=/a%20b/s&ssl-mode=DISABLED");
        assert_eq!(account.unix_url(&server(), &[]).unwrap(), "mysql://u:p%3Aw@/odb?socket=/a%20b/s");
        assert!(account.unix_url(&Server { socket: None, ..server() }, &[]).is_err());
    }
}
