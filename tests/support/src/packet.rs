//! Packets on a blocking stream.

use std::io::{self, Read};

/// A packet of one frame: header and payload.
#[must_use]
pub fn packet(id: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b, c, ..] = payload.len().to_le_bytes();
    [&[a, b, c, id], payload].concat()
}

/// Reads a packet of one frame, header included. `None` at the end of the stream.
///
/// # Errors
/// Reading failed, or the stream ends in the middle.
pub fn read_packet(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut header = [0; 4];
    if stream.read(&mut header[..1])? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut header[1..])?;
    let [a, b, c, _] = header;
    let mut packet = header.to_vec();
    packet.resize(4 + u32::from_le_bytes([a, b, c, 0]) as usize, 0);
    let (_, payload) = packet.split_at_mut(4);
    stream.read_exact(payload)?;
    Ok(Some(packet))
}
