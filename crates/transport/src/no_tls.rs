//! In place of TLS when the feature `tls` is off: types without values.

#![expect(clippy::needless_pass_by_ref_mut, reason = "signatures are those of the real thing")]

use std::convert::Infallible;

use bytes::BytesMut;

use crate::room::Room;
use crate::{SslMode, TlsError, TlsFacts, TlsOptions, TlsState};

/// TLS that is ready to be started on pipes. This build has none, so neither has this type any value.
#[derive(Clone, Debug)]
pub struct TlsClient {
    never: Infallible,
}

impl TlsClient {
    /// Fails.
    ///
    /// # Errors
    ///
    /// [`TlsError::NotBuilt`], always.
    pub fn new(_options: &TlsOptions) -> Result<Self, TlsError> {
        Err(TlsError::NotBuilt)
    }

    /// The mode it was made with.
    #[must_use]
    pub fn mode(&self) -> SslMode {
        match self.never {}
    }
}

pub(crate) struct Tls {
    never: Infallible,
}

impl Tls {
    pub(crate) fn start(client: &TlsClient, _host: &str, _buffer: BytesMut) -> Result<Self, TlsError> {
        match client.never {}
    }

    pub(crate) fn recv_buf(&mut self, _room: usize) -> &mut BytesMut {
        match self.never {}
    }

    pub(crate) fn park(&mut self) {
        match self.never {}
    }

    pub(crate) fn received_len(&self) -> usize {
        match self.never {}
    }

    pub(crate) fn received(&mut self, _rx: &mut BytesMut, _room: Room) -> Result<(), TlsError> {
        match self.never {}
    }

    pub(crate) fn eof(&mut self) -> Result<(), TlsError> {
        match self.never {}
    }

    pub(crate) fn encrypt(&mut self, _tx: &[u8], _rx: &mut BytesMut, _room: Room) -> Result<usize, TlsError> {
        match self.never {}
    }

    pub(crate) fn pending(&self) -> &[u8] {
        match self.never {}
    }

    pub(crate) fn transmitted(&mut self, _n: usize) {
        match self.never {}
    }

    pub(crate) fn wants_write(&self, _more: bool) -> bool {
        match self.never {}
    }

    pub(crate) fn close(&mut self) {
        match self.never {}
    }

    pub(crate) fn state(&self) -> TlsState {
        match self.never {}
    }

    pub(crate) fn facts(&self) -> Option<TlsFacts> {
        match self.never {}
    }

    pub(crate) fn peer_certificates(&self) -> std::iter::Empty<&[u8]> {
        match self.never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_built() {
        assert_eq!(TlsClient::new(&TlsOptions::default()).unwrap_err(), TlsError::NotBuilt);
    }
}
