use zstd::zstd_safe::{CCtx, DCtx, InBuffer, OutBuffer, ResetDirective};

use super::{Deflate, Inflate, Inflated};
use crate::{Reader, WireError};

/// What every frame begins with.
const MAGIC: u32 = 0xfd2f_b528;

/// The longest header of a frame: magic number, descriptor, window, dictionary id, content size.
const HEAD: usize = 4 + 1 + 1 + 4 + 8;

pub(super) struct Inflater(DCtx<'static>);

impl Inflater {
    pub(super) fn new() -> Self {
        Self(DCtx::create())
    }
}

impl Inflate for Inflater {
    fn reset(&mut self) {
        // A session can always be reset; what cannot are parameters in the middle of one.
        let _ = self.0.reset(ResetDirective::SessionOnly);
    }

    fn head(&self) -> usize {
        HEAD
    }

    fn check(&self, head: &[u8], limit: usize) -> Result<(), WireError> {
        match memory(head) {
            Some(size) if size <= limit as u64 => Ok(()),
            Some(size) => Err(WireError::WindowTooLarge { size, limit }),
            None => Err(self.invalid()),
        }
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Inflated, WireError> {
        let (mut input, mut output) = (InBuffer::around(input), OutBuffer::around(output));
        match self.0.decompress_stream(&mut output, &mut input) {
            Ok(left) => Ok(Inflated { read: input.pos(), written: output.pos(), ended: left == 0 }),
            Err(_) => Err(self.invalid()),
        }
    }

    fn invalid(&self) -> WireError {
        WireError::Inflate { algorithm: "zstd" }
    }
}

pub(super) struct Deflater {
    context: CCtx<'static>,
    level: i32,
}

impl Deflater {
    pub(super) fn new(level: u8) -> Self {
        Self { context: CCtx::create(), level: i32::from(level) }
    }
}

impl Deflate for Deflater {
    fn deflate(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        self.context.compress(output, input, self.level).ok()
    }
}

/// What a decoder must keep of a frame's content, in bytes: the frame's window, or all of the content if that is less.
/// `None` when this is no header of a frame. Follows RFC 8878, section 3.1.1.1.
fn memory(head: &[u8]) -> Option<u64> {
    let mut head = Reader::new(head);
    if head.u32("Magic_Number").ok()? != MAGIC {
        return None;
    }
    let descriptor = head.u8("Frame_Header_Descriptor").ok()?;
    let single_segment = descriptor & 0x20 != 0;
    let mut window = None;
    if !single_segment {
        let byte = head.u8("Window_Descriptor").ok()?;
        let base = 1u64 << (10 + u32::from(byte >> 3));
        window = Some(base + base / 8 * u64::from(byte & 7));
    }
    // 0, 1, 2 or 4 bytes
    head.bytes("Dictionary_ID", (1 << (descriptor & 3)) >> 1).ok()?;
    let content = match descriptor >> 6 {
        0 if single_segment => Some(u64::from(head.u8("Frame_Content_Size").ok()?)),
        0 => None,
        1 => Some(u64::from(head.u16("Frame_Content_Size").ok()?) + 256),
        2 => Some(u64::from(head.u32("Frame_Content_Size").ok()?)),
        _ => Some(head.u64("Frame_Content_Size").ok()?),
    };
    [window, content].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_a_frame_needs_is_told_by_its_header() {
        // magic, descriptor: single segment, content size of one byte: 5
        assert_eq!(memory(&[0x28, 0xb5, 0x2f, 0xfd, 0x20, 5]), Some(5));
        // content size of two bytes: 0x0100 + 256
        assert_eq!(memory(&[0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x01]), Some(512));
        // no content size, window 2^(10 + 14) * (1 + 1/8)
        assert_eq!(memory(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, (14 << 3) | 1]), Some((1 << 24) + (1 << 21)));
        // window 2^41 * (1 + 7/8), a dictionary id of four bytes, and a content size of eight
        let head = [0x28, 0xb5, 0x2f, 0xfd, 0xc3, 0xff, 1, 2, 3, 4, 0, 0, 0, 0, 1, 0, 0, 0];
        assert_eq!((head.len(), memory(&head)), (HEAD, Some(1 << 32)));
        for short in 0..head.len() {
            assert_eq!(memory(&head[..short]), None);
        }
        // a skippable frame
        assert_eq!(memory(&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]), None);
    }

    #[test]
    fn the_context_takes_what_the_header_says_and_little_more() {
        let window = 1 << 20;
        let content = vec![7; 4 * window];
        let mut compressed = vec![0; 1 << 16];
        let mut encoder = CCtx::create();
        encoder.set_parameter(zstd::zstd_safe::CParameter::WindowLog(20)).unwrap();
        let len = encoder.compress2(&mut compressed[..], &content).unwrap();
        assert_eq!(memory(&compressed), Some(window as u64));
        let mut inflater = Inflater::new();
        let mut output = vec![0; 1 << 15];
        let mut read = 0;
        loop {
            let step = inflater.step(&compressed[read..len], &mut output).unwrap();
            assert!(output[..step.written].iter().all(|byte| *byte == 7));
            read += step.read;
            if step.ended {
                break;
            }
        }
        assert!(inflater.0.sizeof() < window + (512 << 10), "{}", inflater.0.sizeof());
    }
}
