//! The connect machine alone, without the driver.

use std::sync::Arc;

use anyhow::{Result, bail};
use bytes::BytesMut;
use porpoise_classic::Session;
use porpoise_classic_connect::{ConnectEvent, ConnectOptions, Connector, TlsUse, Transport};
use porpoise_trace::TraceSink;
use porpoise_wire::{Cx, Machine as _, Step};

use crate::{GREETING, LOGIN_REPLY};

/// What every connect here connects with.
///
/// # Errors
/// None, or these options are wrong.
pub fn options() -> Result<Arc<ConnectOptions>> {
    let builder = ConnectOptions::builder().user("pf_u").password("secret").database("pf_bench");
    Ok(Arc::new(builder.tls(TlsUse::Disabled).build()?))
}

/// One connect after the other, in the same buffers.
#[derive(Debug)]
pub struct Machine {
    options: Arc<ConnectOptions>,
    rx: BytesMut,
    tx: BytesMut,
}

impl Machine {
    /// With buffers that need not grow.
    ///
    /// # Errors
    /// As [`options`].
    pub fn new() -> Result<Self> {
        let buffer = || BytesMut::with_capacity(4096);
        Ok(Self { options: options()?, rx: buffer(), tx: buffer() })
    }

    /// Connects. The sink is a parameter, so each kind of sink makes a function of its own.
    ///
    /// # Errors
    /// The machine failed, or asked for something that the script does not have.
    #[inline(never)]
    pub fn connect<T: TraceSink>(&mut self, sink: &mut T) -> Result<Box<Session>> {
        let mut machine = Connector::new(Arc::clone(&self.options), Transport::Tcp);
        let cx = &mut Cx::new(&mut self.rx, &mut self.tx, sink);
        machine.dialing(cx);
        machine.dial_pending(cx);
        machine.connected(cx);
        for answer in [GREETING, LOGIN_REPLY] {
            let Step::NeedRead { .. } = machine.advance(cx)? else { bail!("it has nothing to ask") };
            cx.tx.clear();
            cx.rx.extend_from_slice(answer);
        }
        match machine.advance(cx)? {
            Step::Event(ConnectEvent::Ready(session)) => Ok(session),
            step => bail!("not connected: {step:?}"),
        }
    }
}

#[cfg(all(test, feature = "driver"))]
mod tests {
    use porpoise_driver::Tap;
    use porpoise_trace::{NoTrace, Record, TraceSink as _};

    use super::Machine;

    #[test]
    fn it_connects_whatever_the_sink() {
        let mut machine = Machine::new().unwrap();
        let mut record = Record::new();
        for _ in 0..3 {
            assert_eq!(machine.connect(&mut NoTrace).unwrap().connection_id(), 8);
            assert_eq!(machine.connect(&mut Tap::default()).unwrap().connection_id(), 8);
            assert_eq!(machine.connect(&mut record).unwrap().connection_id(), 8);
        }
        assert!(!Tap::default().on());
        // 16 stages and 14 events, each time
        assert_eq!(record.entries().len() % 3, 0);
        assert!(record.entries().len() > 3 * 20, "{:?}", record.entries());
    }
}
