//! A server that says what the input says: packets with the right headers, so that a fuzzer need not guess them, or
//! bytes as they are; and how its bytes are cut.

use bytes::BytesMut;

/// Reads acts off an input: `kind | length | bytes`.
pub(crate) struct Script<'a>(pub(crate) &'a [u8]);

impl<'a> Script<'a> {
    /// One byte of the input, to choose by.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(crate) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// What the server does next; `None` at the end.
    pub(crate) fn act(&mut self) -> Option<Act<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let kind = self.byte();
        let len = usize::from(self.byte());
        let bytes = self.bytes(len);
        // Mostly packets: what is not one ends the conversation at once.
        Some(if kind % 16 == 15 { Act::Raw(bytes) } else { Act::Packet(bytes) })
    }
}

/// What the server does next.
#[derive(Clone, Copy)]
pub(crate) enum Act<'a> {
    /// Sends a packet with the sequence id that is due.
    Packet(&'a [u8]),
    /// Sends these bytes as they are.
    Raw(&'a [u8]),
}

impl<'a> Act<'a> {
    /// The payload, or the bytes.
    pub(crate) const fn bytes(self) -> &'a [u8] {
        match self {
            Self::Packet(bytes) | Self::Raw(bytes) => bytes,
        }
    }
}

/// The server's side of a connection.
pub(crate) struct Wire {
    next_id: u8,
    /// Whether it speaks X Protocol: its packets begin with their type byte.
    x: bool,
    /// Said, and not yet given to the client.
    said: BytesMut,
    /// The client gets so many bytes at a time.
    piece: usize,
}

impl Wire {
    pub(crate) fn new(piece: usize) -> Self {
        Self { next_id: 0, x: false, said: BytesMut::new(), piece }
    }

    /// The same in X Protocol.
    pub(crate) fn x(piece: usize) -> Self {
        Self { x: true, ..Self::new(piece) }
    }

    /// Takes what the client sent: the next packet's id is the one after its last.
    pub(crate) fn hear(&mut self, tx: &mut BytesMut) {
        let mut rest = &tx[..];
        while let Some(([a, b, c, d], body)) = rest.split_first_chunk::<4>() {
            let high = if self.x { *d } else { 0 };
            self.next_id = d.wrapping_add(1);
            let len = u32::from_le_bytes([*a, *b, *c, high]) as usize;
            rest = body.get(len..).expect("the client sends whole packets");
        }
        assert!(rest.is_empty(), "the client sent half a header");
        tx.clear();
    }

    /// Whether the client has not got all that was said.
    pub(crate) fn has_said(&self) -> bool {
        !self.said.is_empty()
    }

    /// Gives the client some bytes, of what was said before or is said now. `false` when there are none.
    pub(crate) fn give(&mut self, script: &mut Script<'_>, rx: &mut BytesMut) -> bool {
        while self.said.is_empty() {
            match script.act() {
                Some(Act::Packet(message)) if self.x => {
                    let len = u32::try_from(message.len()).expect("a short one");
                    self.said.extend_from_slice(&[&len.to_le_bytes(), message].concat());
                }
                Some(Act::Packet(payload)) => {
                    self.said.extend_from_slice(&framed(payload, self.next_id));
                    self.next_id = self.next_id.wrapping_add(1);
                }
                Some(Act::Raw(bytes)) => self.said.extend_from_slice(bytes),
                None => return false,
            }
        }
        rx.extend_from_slice(&self.said.split_to(self.piece.min(self.said.len())));
        true
    }
}

/// A seed of such acts: every piece a packet.
pub(crate) fn acts(head: &[u8], packets: &[&[u8]]) -> Vec<u8> {
    let mut seed = head.to_vec();
    for packet in packets {
        seed.push(0);
        seed.push(u8::try_from(packet.len()).expect("a seed's packet is short"));
        seed.extend_from_slice(packet);
    }
    seed
}

/// A packet's header and payload.
pub(crate) fn framed(payload: &[u8], id: u8) -> Vec<u8> {
    let [a, b, c, ..] = payload.len().to_le_bytes();
    [&[a, b, c, id], payload].concat()
}
