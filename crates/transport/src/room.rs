//! How receive buffers grow: to what is wanted, as far as that is known. A buffer that doubles holds, while it grows,
//! three times what a peer has sent.

use bytes::BytesMut;

/// How much room is made when there is too little.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// What is commonly read in one go.
    pub(crate) read: usize,
    /// What is read in one go while much comes, and no packet is awaited that is larger than what is commonly read.
    pub(crate) ample: usize,
    /// Much comes: the last read was as large as it could be.
    pub(crate) much: bool,
    /// How long the plaintext will become, as far as its owner knows.
    pub(crate) wanted: usize,
}

impl Room {
    pub(crate) const fn new(read: usize) -> Self {
        Self { read, ample: read, much: false, wanted: 0 }
    }

    /// Makes room for plaintext to come, unless there is enough to go on.
    #[inline]
    pub(crate) fn before_reading(self, rx: &mut BytesMut) {
        let missing = self.wanted.saturating_sub(rx.len());
        let read = if self.much && missing <= self.read { self.ample } else { self.read };
        // Reading into the last few free bytes costs a system call each time; moving a large packet costs more.
        let large = missing > 0 && rx.len() > read;
        let enough = if large { missing } else { missing.max(read.div_ceil(2)) };
        if rx.capacity() - rx.len() < enough {
            self.make(rx, missing + read);
        }
    }

    /// So many bytes were read into a buffer that now has so much room left.
    #[inline]
    pub(crate) const fn note(&mut self, read: usize, left: usize) {
        if left == 0 {
            self.much = true;
        } else if self.much {
            self.much = read >= self.read / 2;
        }
    }

    /// Appends plaintext.
    #[cfg(any(feature = "tls", test))]
    pub(crate) fn append(self, rx: &mut BytesMut, payload: &[u8]) {
        let missing = self.wanted.saturating_sub(rx.len());
        let enough = payload.len().max(missing);
        if rx.capacity() - rx.len() < enough {
            // One read can bring, behind what is wanted, as much as the ciphertext buffer holds.
            self.make(rx, if missing > self.read { missing + 2 * self.read } else { enough });
        }
        rx.extend_from_slice(payload);
    }

    #[cold]
    fn make(self, rx: &mut BytesMut, more: usize) {
        if rx.capacity() == 0 {
            // All of it may have been given away, and let go since. What was made for a large packet is not kept.
            if !rx.try_reclaim(more) || rx.capacity() > 2 * more {
                *rx = BytesMut::with_capacity(more);
            }
            return;
        }
        let small = rx.len() + more <= 2 * self.read;
        if small || self.wanted == 0 {
            rx.reserve(more);
        } else {
            grow(rx, more);
        }
    }
}

/// Makes room for so many bytes and no more.
pub(crate) fn grow(buf: &mut BytesMut, more: usize) {
    if buf.capacity() - buf.len() >= more || buf.try_reclaim(more) {
        return;
    }
    let len = buf.len();
    let old = if len <= more {
        // The old buffer, which may be large, goes before the new one comes.
        BytesMut::from(&std::mem::take(buf)[..])
    } else {
        std::mem::take(buf)
    };
    buf.reserve(len + more);
    buf.extend_from_slice(&old);
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn room(wanted: usize) -> Room {
        Room { read: 100, ample: 400, much: false, wanted }
    }

    #[test]
    fn much_is_read_at_once_while_much_comes() {
        let mut room = room(4);
        // How much room there is, of which so many bytes are used.
        let offered = |room: &mut Room, bytes: usize| {
            let mut rx = BytesMut::new();
            room.before_reading(&mut rx);
            let offered = rx.capacity();
            rx.resize(bytes.min(offered), 7);
            room.note(rx.len(), offered - rx.len());
            offered
        };
        assert_eq!(offered(&mut room, 1000), 104);
        assert_eq!(offered(&mut room, 1000), 404);
        assert_eq!(offered(&mut room, 60), 404, "not full, but much");
        assert_eq!(offered(&mut room, 10), 404);
        assert_eq!(offered(&mut room, 10), 104);
        // Never beside a large packet: that has its own room.
        room = Room { much: true, ..self::room(1000) };
        assert_eq!(offered(&mut room, 10), 1100);
    }

    #[test]
    fn a_buffer_grows_to_what_is_wanted_at_once() {
        let room = room(10_000);
        let mut rx = BytesMut::from(&b"four"[..]);
        room.before_reading(&mut rx);
        assert_eq!((&rx[..], rx.capacity()), (&b"four"[..], 10_100));
        let place = rx.as_ptr();
        while rx.len() < 10_000 {
            room.before_reading(&mut rx);
            room.append(&mut rx, &[7; 16]);
        }
        assert_eq!((rx.as_ptr(), rx.capacity()), (place, 10_100));
        assert_eq!(&rx[..4], b"four");
    }

    #[test]
    fn what_was_taken_off_makes_room_again() {
        let room = room(4);
        let mut rx = BytesMut::with_capacity(100);
        for _ in 0..1000 {
            room.before_reading(&mut rx);
            room.append(&mut rx, &[7; 60]);
            drop(rx.split_to(60));
            assert!(rx.capacity() <= 200, "{}", rx.capacity());
        }
    }

    #[test]
    fn a_large_packet_is_not_moved_for_its_last_bytes() {
        let room = room(10_000);
        let mut rx = BytesMut::with_capacity(10_000);
        rx.resize(9_990, 7);
        let place = rx.as_ptr();
        room.before_reading(&mut rx);
        assert_eq!((rx.as_ptr(), rx.capacity()), (place, 10_000));
    }
}
