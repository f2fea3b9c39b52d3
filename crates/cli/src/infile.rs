//! LOAD DATA LOCAL: which files may be sent.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Whether a statement is one that asks for a file.
pub(crate) fn is_load_local(sql: &str) -> bool {
    let mut words = sql.split_ascii_whitespace().map(str::to_ascii_lowercase);
    words.next().is_some_and(|word| word == "load") && words.any(|word| word == "local")
}

/// Opens a file under the working directory that the statement itself names. The server may ask for any other, and
/// gets [`io::ErrorKind::PermissionDenied`] without a number of the operating system.
pub(crate) fn open(name: &[u8], sql: &str) -> io::Result<File> {
    let name = String::from_utf8_lossy(name);
    let refused = |why: &str| {
        let message = format!("the server asked for the file {name:?}, which was refused: {why}");
        io::Error::new(io::ErrorKind::PermissionDenied, message)
    };
    if !names(sql, &name) {
        return Err(refused("the statement does not name it"));
    }
    let path = under(Path::new(&*name))?.ok_or_else(|| refused("it is not under the working directory"))?;
    let facts = path.metadata()?;
    if facts.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !facts.is_file() {
        return Err(refused("it is no plain file"));
    }
    File::open(path)
}

/// Whether a string of the statement is this name.
fn names(sql: &str, name: &str) -> bool {
    !name.is_empty() && ['\'', '"'].iter().any(|quote| sql.contains(&format!("{quote}{name}{quote}")))
}

/// The real path, links followed, if it is under the working directory.
fn under(path: &Path) -> io::Result<Option<PathBuf>> {
    let (base, real) = (std::env::current_dir()?.canonicalize()?, path.canonicalize()?);
    Ok(real.starts_with(base).then_some(real))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_ask_for_a_file() {
        assert!(is_load_local("load data local infile 'a' into table t"));
        assert!(is_load_local("LOAD XML\n CONCURRENT LOCAL INFILE 'a' INTO TABLE t"));
        assert!(!is_load_local("load data infile 'local' into table t"));
        assert!(!is_load_local("select 'load data local infile'"));
    }

    #[test]
    fn only_files_that_the_statement_names_and_that_are_here() {
        let opened =
            |name: &str, sql: &str| open(name.as_bytes(), sql).map(|_| ()).map_err(|error| error.kind());
        let refused = Err(io::ErrorKind::PermissionDenied);
        assert_eq!(opened("Cargo.toml", "load data local infile 'Cargo.toml'"), Ok(()));
        assert_eq!(opened("Cargo.toml", "load data local infile \"Cargo.toml\""), Ok(()));
        assert_eq!(opened("Cargo.toml", "load data local infile 'src/Cargo.toml'"), refused);
        assert_eq!(opened("", "load data local infile ''"), refused);
        assert_eq!(opened("/etc/passwd", "load data local infile '/etc/passwd'"), refused);
        assert_eq!(opened("../../Cargo.toml", "load data local infile '../../Cargo.toml'"), refused);
        assert_eq!(opened("src", "load data local infile 'src'"), Err(io::ErrorKind::IsADirectory));
        assert_eq!(opened("no/such", "load data local infile 'no/such'"), Err(io::ErrorKind::NotFound));
    }
}
