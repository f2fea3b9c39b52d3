//! LOAD DATA LOCAL: which files may be sent, and how.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use porpoise::classic::ClientError;
use porpoise::trace::{ProtocolStage, TraceEvent};
use porpoise::{Client, Error};

use super::outcome::Failed;
use super::output::Output;

/// Bytes in one packet, as MySQL's own library has it.
const BLOCK: usize = 8 << 10;

/// Whether a statement is one that asks for a file.
pub(super) fn is_load_local(sql: &str) -> bool {
    let mut words = sql.split_ascii_whitespace().map(str::to_ascii_lowercase);
    words.next().is_some_and(|word| word == "load") && words.any(|word| word == "local")
}

/// Sends the file that the server asks for, or says why not. The outer error is the connection's.
pub(super) async fn send(
    client: &mut Client,
    output: &Output,
    name: &[u8],
    statement: Option<&str>,
) -> Result<Result<(), Failed>, Error> {
    let name = String::from_utf8_lossy(name).into_owned();
    let sent = match open(&name, statement) {
        Ok(file) => blocks(client, &name, file).await?,
        Err(failed) => Err(failed),
    };
    // The empty packet ends the file, and keeps the session in step when there is none.
    client.command_now(|session, cx| session.end_file(cx))?;
    if let Err(failed) = &sent {
        output.tell(ProtocolStage::FileRequest, &TraceEvent::Error { errno: failed.errno });
    }
    Ok(sent)
}

async fn blocks(client: &mut Client, name: &str, mut file: File) -> Result<Result<(), Failed>, Error> {
    let mut block = vec![0; BLOCK];
    loop {
        match fill(&mut file, &mut block) {
            Ok([]) => return Ok(Ok(())),
            Ok(bytes) => {
                client.command_now(|session, cx| session.send_file(bytes, cx))?;
                // Each block is written before the next is read.
                client.next_event().await?;
            }
            Err(error) => return Ok(Err(unreadable(name, &error))),
        }
    }
}

/// Reads until the block is full or the file ends.
fn fill<'a>(file: &mut File, block: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let mut len = 0;
    while let Some(room) = block.get_mut(len..).filter(|room| !room.is_empty()) {
        match file.read(room) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(block.get(..len).unwrap_or_default())
}

/// Opens a file under the working directory that the statement itself names.
fn open(name: &str, statement: Option<&str>) -> Result<File, Failed> {
    let refused = |why: &str| {
        let message = format!("the server asked for the file {name:?}, which was refused: {why}");
        Failed::client(ClientError::CR_LOAD_DATA_LOCAL_INFILE_REJECTED, message)
    };
    if !statement.is_some_and(|sql| names(sql, name)) {
        return Err(refused("the statement does not name it"));
    }
    let path = under(Path::new(name)).map_err(|error| unreadable(name, &error))?;
    let path = path.ok_or_else(|| refused("it is not under the working directory"))?;
    let file = File::open(path).map_err(|error| unreadable(name, &error))?;
    match file.metadata() {
        Ok(facts) if facts.is_file() => Ok(file),
        Ok(facts) if facts.is_dir() => Err(unreadable(name, &io::ErrorKind::IsADirectory.into())),
        Ok(_) => Err(refused("it is no plain file")),
        Err(error) => Err(unreadable(name, &error)),
    }
}

/// Whether a string of the statement is this name.
fn names(sql: &str, name: &str) -> bool {
    !name.is_empty()
        && [['\'', '\''], ['"', '"']]
            .iter()
            .any(|[open, close]| sql.contains(&format!("{open}{name}{close}")))
}

/// The real path, links followed, if it is under the working directory.
fn under(path: &Path) -> io::Result<Option<PathBuf>> {
    let (base, real) = (std::env::current_dir()?.canonicalize()?, path.canonicalize()?);
    Ok(real.starts_with(base).then_some(real))
}

fn unreadable(name: &str, error: &io::Error) -> Failed {
    // The number is the operating system's, as in MySQL's own library.
    let errno = error.raw_os_error().and_then(|errno| errno.try_into().ok());
    Failed::client(errno.unwrap_or(ClientError::CR_UNKNOWN_ERROR), format!("file {name:?}: {error}"))
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
        let errno = |name: &str, sql: Option<&str>| open(name, sql).map_err(|failed| failed.errno).err();
        assert_eq!(errno("Cargo.toml", Some("load data local infile 'Cargo.toml'")), None);
        assert_eq!(errno("Cargo.toml", Some("load data local infile \"Cargo.toml\"")), None);
        assert_eq!(errno("Cargo.toml", Some("load data local infile 'src/Cargo.toml'")), Some(2068));
        assert_eq!(errno("Cargo.toml", None), Some(2068));
        assert_eq!(errno("/etc/passwd", Some("load data local infile '/etc/passwd'")), Some(2068));
        assert_eq!(errno("../../Cargo.toml", Some("load data local infile '../../Cargo.toml'")), Some(2068));
        assert_eq!(errno("no/such", Some("load data local infile 'no/such'")), Some(2));
    }
}
