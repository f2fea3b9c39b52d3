//! LOAD DATA LOCAL: sends a file as MySQL's own library does.

use std::fs::File;
use std::io::{self, Read as _};

use porpoise::classic::ClientError;
use porpoise::trace::{ProtocolStage, TraceEvent};
use porpoise::{Client, Error};

use super::outcome::Failed;
use super::output::Output;
use crate::infile;

/// Bytes in one packet, as MySQL's own library has it.
const BLOCK: usize = 8 << 10;

/// ENOENT, which stands for a file that is none, too.
const ENOENT: u16 = 2;

/// Sends the file that the server asks for, or says why not. The outer error is the connection's.
pub(super) async fn send(
    client: &mut Client,
    output: &Output,
    name: &[u8],
    statement: &str,
) -> Result<Result<(), Failed>, Error> {
    let sent = match infile::open(name, statement) {
        Ok(file) => blocks(client, file).await?,
        Err(error) => Err(error),
    };
    // The empty packet ends the file, and keeps the session in step when there is none.
    client.command_now(|session, cx| session.end_file(cx))?;
    let sent = sent.map_err(|error| failed(name, &error));
    if let Err(failed) = &sent {
        output.tell(ProtocolStage::FileRequest, &TraceEvent::Error { errno: failed.errno });
    }
    Ok(sent)
}

async fn blocks(client: &mut Client, mut file: File) -> Result<io::Result<()>, Error> {
    let mut block = vec![0; BLOCK];
    loop {
        match fill(&mut file, &mut block) {
            Ok([]) => return Ok(Ok(())),
            Ok(bytes) => {
                client.command_now(|session, cx| session.send_file(bytes, cx))?;
                // Each block is written before the next is read.
                client.next_event().await?;
            }
            Err(error) => return Ok(Err(error)),
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

/// The number is the operating system's if it has one, as in MySQL's own library.
fn failed(name: &[u8], error: &io::Error) -> Failed {
    match error.raw_os_error().and_then(|errno| errno.try_into().ok()) {
        Some(errno) => Failed::client(errno, format!("file {:?}: {error}", String::from_utf8_lossy(name))),
        None if error.kind() == io::ErrorKind::IsADirectory => {
            Failed::client(ENOENT, format!("file {:?}: {error}", String::from_utf8_lossy(name)))
        }
        None => Failed::client(ClientError::CR_LOAD_DATA_LOCAL_INFILE_REJECTED, error.to_string()),
    }
}
