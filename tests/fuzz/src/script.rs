//! A server that says what the input says: packets with the right headers, so that a fuzzer need not guess them, or
//! bytes as they are.

/// What the server does next.
pub(crate) enum Act<'a> {
    /// Sends a packet with the sequence id that is due.
    Packet(&'a [u8]),
    /// Sends these bytes as they are.
    Raw(&'a [u8]),
}

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
}

impl<'a> Iterator for Script<'a> {
    type Item = Act<'a>;

    fn next(&mut self) -> Option<Act<'a>> {
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
