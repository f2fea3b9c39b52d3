use bytes::{BufMut, BytesMut};
use porpoise_wire::WireError;

/// What is inflated in one go, in bytes.
const STEP: usize = 16 << 10;

/// Runs a decoder step by step: `step` inflates into the slice it is given and tells how much, 0 when there is no more.
pub(super) fn bounded(
    most: usize,
    out: &mut BytesMut,
    mut step: impl FnMut(&mut [u8]) -> Result<usize, WireError>,
) -> Result<(), WireError> {
    let mut room = [0; STEP];
    loop {
        let written = step(&mut room)?;
        if written == 0 {
            return Ok(());
        }
        let size = out.len() + written;
        if size > most {
            return Err(WireError::PacketTooLarge { size, limit: most });
        }
        out.put_slice(room.get(..written).unwrap_or_default());
    }
}
