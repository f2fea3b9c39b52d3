//! The names and the graph as MySQL has them, held against the tables.

use porpoise_trace::{ProtocolStage, TraceEventKind};

#[test]
fn stages_in_mysqls_order() {
    let names = ProtocolStage::ALL.map(ProtocolStage::name);
    assert_eq!(
        names,
        [
            "CONNECTING",
            "WAIT_FOR_INIT_PACKET",
            "AUTHENTICATE",
            "SSL_NEGOTIATION",
            "READY_FOR_COMMAND",
            "WAIT_FOR_PACKET",
            "WAIT_FOR_RESULT",
            "WAIT_FOR_FIELD_DEF",
            "WAIT_FOR_ROW",
            "FILE_REQUEST",
            "WAIT_FOR_PS_DESCRIPTION",
            "WAIT_FOR_PARAM_DEF",
            "DISCONNECTED",
        ]
    );
}

#[test]
fn events_in_mysqls_order() {
    let names = TraceEventKind::ALL.map(TraceEventKind::name);
    assert_eq!(
        names,
        [
            "ERROR",
            "CONNECTING",
            "CONNECTED",
            "DISCONNECTED",
            "SEND_SSL_REQUEST",
            "SSL_CONNECT",
            "SSL_CONNECTED",
            "INIT_PACKET_RECEIVED",
            "AUTH_PLUGIN",
            "SEND_AUTH_RESPONSE",
            "SEND_AUTH_DATA",
            "AUTHENTICATED",
            "SEND_COMMAND",
            "SEND_FILE",
            "READ_PACKET",
            "PACKET_RECEIVED",
            "PACKET_SENT",
        ]
    );
}

#[test]
fn documentation_draws_26_edges_and_the_client_takes_27() {
    let count = |next: fn(ProtocolStage) -> &'static [ProtocolStage]| {
        ProtocolStage::ALL.into_iter().map(|stage| next(stage).len()).sum::<usize>()
    };
    assert_eq!(count(ProtocolStage::documented_next), 26);
    assert_eq!(count(ProtocolStage::observed_next), 27);
}

#[test]
fn disconnected_is_documented_but_never_observed() {
    let leads_there = |next: &[ProtocolStage]| next.contains(&ProtocolStage::Disconnected);
    assert!(ProtocolStage::ALL.iter().any(|stage| leads_there(stage.documented_next())));
    assert!(!ProtocolStage::ALL.iter().any(|stage| leads_there(stage.observed_next())));
    assert!(ProtocolStage::Disconnected.observed_next().is_empty());
}
