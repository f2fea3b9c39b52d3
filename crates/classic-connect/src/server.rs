//! What the greeting told of the server.

use porpoise_classic::CapabilityFlags;

/// A plugin's name, kept without an allocation.
#[derive(Clone, Debug)]
pub(crate) struct PluginName {
    bytes: [u8; 64],
    len: usize,
}

impl PluginName {
    /// Names longer than MySQL's own bound of 64 bytes name no plugin.
    pub(crate) fn new(name: &str) -> Self {
        let mut bytes = [0; 64];
        let Some(place) = bytes.get_mut(..name.len()) else { return Self { bytes, len: 0 } };
        place.copy_from_slice(name.as_bytes());
        Self { bytes, len: name.len() }
    }

    pub(crate) fn get(&self) -> Option<&str> {
        let name = self.bytes.get(..self.len).and_then(|name| std::str::from_utf8(name).ok());
        name.filter(|name| !name.is_empty())
    }
}

impl Default for PluginName {
    fn default() -> Self {
        Self { bytes: [0; 64], len: 0 }
    }
}

/// What is known of the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Server {
    pub(crate) capabilities: CapabilityFlags,
    pub(crate) version: Box<str>,
    pub(crate) connection_id: u32,
    pub(crate) plugin: PluginName,
    pub(crate) challenge: [u8; 21],
    pub(crate) challenge_len: usize,
}
