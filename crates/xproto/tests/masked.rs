//! What a trace sees of a login that a tool has encoded by itself.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use bytes::BytesMut;
use porpoise_trace::{ProtocolStage, StageId, TraceEvent, TraceSink, XEvent};
use porpoise_wire::{Cx, Limits};
use porpoise_xproto::messages::session;
use porpoise_xproto::{ClientKind, Connection};
use prost::Message;

/// Keeps the payload that it is told last.
struct Payload(Vec<u8>);

impl TraceSink for Payload {
    fn on(&self) -> bool {
        true
    }

    fn enter(&mut self, _: StageId) {}

    fn event(&mut self, _: ProtocolStage, _: &TraceEvent<'_>) {}

    fn x_event(&mut self, _: StageId, event: &XEvent<'_>) {
        if let XEvent::MessageSent(message) = event {
            self.0 = message.payload.bytes().unwrap().to_vec();
        }
    }
}

#[test]
fn authentication_data_that_is_encoded_already_is_masked() {
    let start = session::AuthenticateStart {
        mech_name: "PLAIN".to_owned(),
        auth_data: Some("\0app\0hunter2".into()),
        initial_response: Some("".into()),
    };
    let payload = start.encode_to_vec();
    let (mut rx, mut tx, mut seen) = (BytesMut::new(), BytesMut::new(), Payload(Vec::new()));
    let mut cx = Cx::new(&mut rx, &mut tx, &mut seen);
    let mut connection = Connection::new(Limits::default());
    connection.connected(&mut cx);
    connection.send_encoded(ClientKind::SESS_AUTHENTICATE_START, &payload, &mut cx).unwrap();
    assert_eq!(tx[5..], payload[..]);
    let shown = session::AuthenticateStart::decode(&seen.0[..]).unwrap();
    assert_eq!((shown.auth_data, shown.initial_response), (Some("***".into()), Some("".into())));
}
