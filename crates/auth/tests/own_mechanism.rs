//! Shapes of exchange that no built-in plugin has, but the trait must carry: an initial response without any
//! challenge, several rounds, a proof that the server owes, and suspension.

use bytes::{BufMut, BytesMut};
use porpoise_auth::{
    Answer, Ask, AuthError, AuthPath, AuthStep, Channel, Exchange, Input, Mechanism, Policy, Registry, Secret,
};

/// SASL's PLAIN as X Protocol has it: all in the first message.
struct Plain;

impl Mechanism for Plain {
    fn name(&self) -> &str {
        "PLAIN"
    }

    fn step(
        &mut self,
        input: Input<'_>,
        exchange: &Exchange<'_>,
        out: &mut BytesMut,
    ) -> Result<AuthStep, AuthError> {
        match input {
            Input::Start { .. } if exchange.channel.is_secure() => {
                let password = exchange.password.expose();
                out.reserve(exchange.schema.len() + exchange.user.len() + password.len() + 2);
                for part in [exchange.schema.as_bytes(), b"\0", exchange.user.as_bytes(), b"\0", password] {
                    out.put_slice(part);
                }
                Ok(AuthStep::Reply { last: true })
            }
            Input::Start { .. } => Err(AuthError::RequiresSecureConnection),
            _ => Err(AuthError::OutOfTurn),
        }
    }

    fn path(&self) -> AuthPath {
        AuthPath::Other("PLAIN")
    }
}

/// The outline of SCRAM: client first, server first, client final, server final. The hashes are left out.
#[derive(Default)]
struct Proving {
    round: u8,
    proven: bool,
}

impl Mechanism for Proving {
    fn name(&self) -> &str {
        "PROVING"
    }

    fn step(
        &mut self,
        input: Input<'_>,
        _: &Exchange<'_>,
        out: &mut BytesMut,
    ) -> Result<AuthStep, AuthError> {
        self.round += 1;
        match (self.round, input) {
            (1, Input::Start { .. }) => out.put_slice(b"client first"),
            (2, Input::Packet(b"server first")) => out.put_slice(b"client final"),
            (3, Input::Packet(b"server final")) => {
                self.proven = true;
                return Ok(AuthStep::Done);
            }
            _ => return Err(AuthError::ServerNotProven),
        }
        Ok(AuthStep::Reply { last: false })
    }

    fn accepts_verdict(&self) -> bool {
        self.proven
    }
}

/// Signs on a device that the owner holds.
struct Device;

impl Mechanism for Device {
    fn name(&self) -> &str {
        "device"
    }

    fn wants_password(&self) -> bool {
        false
    }

    fn step(
        &mut self,
        input: Input<'_>,
        _: &Exchange<'_>,
        out: &mut BytesMut,
    ) -> Result<AuthStep, AuthError> {
        match input {
            Input::Start { challenge } => Ok(AuthStep::Ask(Ask::Custom {
                plugin: "device".into(),
                prompt: challenge.unwrap_or_default().to_vec(),
            })),
            Input::Answer(Answer::Bytes(signature)) => {
                out.put_slice(&signature);
                Ok(AuthStep::Reply { last: true })
            }
            _ => Err(AuthError::Refused),
        }
    }
}

fn registry() -> Registry {
    let mut registry = Registry::empty();
    registry
        .register("PLAIN", || Box::new(Plain))
        .register("PROVING", || Box::new(Proving::default()))
        .register("device", || Box::new(Device));
    registry
}

#[test]
fn an_initial_response_without_challenge() {
    let (policy, password) = (Policy::default(), Secret::from("pw"));
    let exchange = Exchange::new(Channel::UnixSocket, &policy, "root", &password).schema("test");
    let mut out = BytesMut::new();
    let mut plain = registry().make("PLAIN").unwrap();
    let step = plain.step(Input::Start { challenge: None }, &exchange, &mut out);
    assert!(matches!(step, Ok(AuthStep::Reply { last: true })));
    assert_eq!(&out[..], b"test\0root\0pw");
    assert_eq!(plain.path().to_string(), "PLAIN");
}

#[test]
fn a_server_that_owes_a_proof_is_not_believed() {
    let (policy, password) = (Policy::default(), Secret::from("pw"));
    let exchange = Exchange::new(Channel::Plain, &policy, "root", &password);
    let mut out = BytesMut::new();
    let mut proving = registry().make("PROVING").unwrap();
    let inputs = [Input::Start { challenge: None }, Input::Packet(b"server first")];
    for input in inputs {
        let step = proving.step(input, &exchange, &mut out);
        assert!(matches!(step, Ok(AuthStep::Reply { last: false })));
        assert!(!proving.accepts_verdict());
    }
    assert_eq!(&out[..], b"client firstclient final");
    assert!(matches!(proving.step(Input::Packet(b"server final"), &exchange, &mut out), Ok(AuthStep::Done)));
    assert!(proving.accepts_verdict());
}

#[test]
fn a_question_suspends_and_its_answer_goes_on() {
    let (policy, password) = (Policy::default(), Secret::default());
    let exchange = Exchange::new(Channel::Plain, &policy, "root", &password);
    let mut out = BytesMut::new();
    let ask = |device: &mut Box<dyn Mechanism>, out: &mut BytesMut| {
        assert!(!device.wants_password());
        match device.step(Input::Start { challenge: Some(b"nonce") }, &exchange, out) {
            Ok(AuthStep::Ask(Ask::Custom { plugin, prompt })) => (plugin, prompt),
            other => panic!("{other:?}"),
        }
    };
    let mut device = registry().make("device").unwrap();
    assert_eq!(ask(&mut device, &mut out), ("device".to_owned(), b"nonce".to_vec()));
    let step = device.step(Input::Answer(Answer::Bytes(b"signed".to_vec())), &exchange, &mut out);
    assert!(matches!(step, Ok(AuthStep::Reply { last: true })));
    assert_eq!(&out[..], b"signed");

    let mut device = registry().make("device").unwrap();
    let _ = ask(&mut device, &mut out);
    let step = device.step(Input::Answer(Answer::Refused), &exchange, &mut out);
    assert!(matches!(step, Err(AuthError::Refused)));
}
