//! Connects that must fail, each in its own way.

use std::sync::Arc;

use porpoise_classic_connect::{ConnectError, ConnectErrorKind, ConnectStage};
use porpoise_driver::blocking::{BLOCKING, block_on};
use porpoise_driver::{Client, Connecting, Error, Options, OptionsBuilder};
use porpoise_trace::Record;
use porpoise_transport::SslMode;
use porpoise_wire::Limits;

use crate::{Act, Heard, Peer, watch};

/// The password of all tests. It must never be seen on a channel that others read.
pub const SECRET: &str = "do-not-let-them-see-this";
/// The user of all tests.
pub const USER: &str = "dolphin";

/// A connect and what must become of it.
pub struct Case {
    /// What the server does.
    pub name: &'static str,
    /// How.
    pub script: Vec<Act>,
    /// What the client connects with.
    pub options: OptionsBuilder,
    /// What error must come of it.
    pub kind: fn(&ConnectErrorKind) -> bool,
    /// In which stage.
    pub stage: ConnectStage,
    /// With which number.
    pub code: u16,
    /// What must hold of what the client sent.
    pub sent: fn(&Heard),
    /// It waits for a deadline, so it is run a few times only.
    pub slow: bool,
    /// It is about bytes that come together.
    pub whole: bool,
    /// The largest packet.
    pub limit: usize,
}

/// Options that ask for no TLS.
#[must_use]
pub fn plain() -> OptionsBuilder {
    Options::builder().host("localhost").user(USER).password(SECRET).ssl_mode(SslMode::Disabled)
}

/// Options that ask for TLS, and check no certificate.
#[must_use]
pub fn tls() -> OptionsBuilder {
    // A session that is kept would be memory that stays.
    plain().ssl_mode(SslMode::Required).tls(|tls| tls.resume = false)
}

impl Case {
    /// A case without TLS.
    #[must_use]
    pub fn new(
        name: &'static str,
        script: impl Into<Vec<Act>>,
        stage: ConnectStage,
        code: u16,
        kind: fn(&ConnectErrorKind) -> bool,
    ) -> Self {
        let script = script.into();
        Self {
            name,
            script,
            options: plain(),
            kind,
            stage,
            code,
            sent: |_| {},
            slow: false,
            whole: false,
            limit: Limits::default().max_packet,
        }
    }

    /// With other options.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(OptionsBuilder) -> OptionsBuilder) -> Self {
        self.options = change(self.options);
        self
    }

    /// With these options.
    #[must_use]
    pub fn options(mut self, options: OptionsBuilder) -> Self {
        self.options = options;
        self
    }

    /// This must hold of what the client sent.
    #[must_use]
    pub fn sent(mut self, check: fn(&Heard)) -> Self {
        self.sent = check;
        self
    }

    /// It waits for a deadline.
    #[must_use]
    pub fn slow(mut self) -> Self {
        self.slow = true;
        self
    }

    /// It is about bytes that come together.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    /// With packets of so many bytes at most.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Runs it: in one piece, byte by byte, in random pieces; and holds its memory against the limit.
    ///
    /// # Panics
    /// When the connect ends otherwise than it should.
    pub fn run(&self) {
        let options = self.options_with(self.limit);
        self.check(&Peer::new(&self.script), &options);
        if !self.slow && !self.whole {
            self.check(&Peer::new(&self.script).in_pieces_of(1), &options);
            for seed in 0..8 {
                self.check(&Peer::new(&self.script).with_moods(seed), &options);
            }
        }
        for limit in [16 << 10, 1 << 20] {
            self.check_memory(limit);
        }
    }

    fn options_with(&self, limit: usize) -> Arc<Options> {
        let limits = Limits::default().with_max_packet(limit);
        let options = self.options.clone().connect(|connect| connect.limits(limits)).build();
        Arc::new(options.unwrap_or_else(|error| panic!("options: {error}")))
    }

    fn check(&self, peer: &Peer, options: &Arc<Options>) {
        let record = Record::new();
        let mut connecting =
            Connecting::over(peer.link(), BLOCKING, Arc::clone(options)).with_sink(Box::new(record.clone()));
        let outcome = if self.slow { block_on(&mut connecting) } else { watch::run(&mut connecting) };
        let heard = peer.heard();
        let error = fails_clearly(outcome, &heard);
        assert!((self.kind)(error.kind()), "another kind: {error:?}");
        assert_eq!(error.stage(), self.stage, "{error:?}");
        assert_eq!(error.code(), self.code, "{error:?}");
        assert_eq!(connecting.stage(), ConnectStage::NotStarted);
        let trace = record.to_jsonl();
        assert_eq!(trace.matches("\"DISCONNECTED\"").count(), 1, "{trace}");
        assert!(!trace.contains(SECRET) && !format!("{connecting:?}").contains(SECRET));
        (self.sent)(&heard);
    }

    fn check_memory(&self, limit: usize) {
        let options = self.options_with(limit);
        let peer = Peer::new(&self.script);
        let (outcome, info) = watch::measure(|| {
            let connecting = Connecting::over(peer.link(), BLOCKING, Arc::clone(&options));
            if self.slow { block_on(connecting) } else { watch::run(connecting) }
        });
        assert!(outcome.is_err());
        let most = 2 * limit as u64 + (64 << 10);
        let peak = info.bytes_max;
        assert!(peak <= most, "limit {limit}: {peak} bytes at a time, {most} are allowed");
    }
}

/// Holds the end of a connect against what every error must tell; and no password may have been read on the way.
///
/// # Panics
/// When it succeeded, or the error leaves something open.
pub fn fails_clearly(outcome: Result<Client, Error>, heard: &Heard) -> ConnectError {
    let error = match outcome {
        Ok(client) => panic!("connected: {client:?}"),
        Err(error) => error,
    };
    assert!(error.is_fatal());
    let advice = error.advice().unwrap_or_else(|| panic!("no advice: {error:?}"));
    assert!(advice.ends_with(['.', '?']), "{advice}");
    let (text, debug) = (error.to_string(), format!("{error:?}"));
    let Error::Connect(error) = error else { panic!("{error:?}") };
    assert!(text.contains(error.stage().name()), "{text}");
    assert!(error.code_name().is_some(), "no name: {debug}");
    assert_eq!(error.sqlstate().len(), 5, "{debug}");
    assert!(!error.expected().is_empty() && !error.got().is_empty(), "{debug}");
    for shown in [&text, &debug, &error.got()] {
        assert!(!shown.contains(SECRET), "the password is shown: {shown}");
    }
    assert!(!heard.leaks(SECRET), "the password was sent in clear");
    error
}
