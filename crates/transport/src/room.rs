//! How receive buffers grow: to what is wanted, as far as that is known. A buffer that doubles holds, while it grows,
//! three times what a peer has sent.

use bytes::BytesMut;

/// How much room is made when there is too little.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// What is commonly read in one go.
    pub(crate) read: usize,
    /// How long the plaintext will become, as far as its owner knows.
    pub(crate) wanted: usize,
}

impl Room {
    /// Makes room for plaintext to come, unless there is enough to go on.
    #[inline]
    pub(crate) fn before_reading(self, rx: &mut BytesMut) {
        let missing = self.wanted.saturating_sub(rx.len());
        // Reading into the last few free bytes costs a system call each time; moving a large packet costs more.
        let large = missing > 0 && rx.len() > self.read;
        let enough = if large { missing } else { missing.max(self.read.div_ceil(2)) };
        if rx.capacity() - rx.len() < enough {
            self.make(rx, missing + self.read);
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

    #[test]
    fn a_buffer_grows_to_what_is_wanted_at_once() {
        let room = Room { read: 100, wanted: 10_000 };
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
        let room = Room { read: 100, wanted: 4 };
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
        let room = Room { read: 100, wanted: 10_000 };
        let mut rx = BytesMut::with_capacity(10_000);
        rx.resize(9_990, 7);
        let place = rx.as_ptr();
        room.before_reading(&mut rx);
        assert_eq!((rx.as_ptr(), rx.capacity()), (place, 10_000));
    }
}
