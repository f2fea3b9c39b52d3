//! The life cycle of the X Protocol: states, and what a server makes of each message in each of its phases.

use std::fmt::Write as _;

use super::enums::{Numbered, Variant, next_method, numbered};
use super::spec::{LifeCycle, Message, Reaction};
use super::text::{camel, doc, header};

/// One column of the table.
type Column = fn(&Message) -> Reaction;

/// The server's phases, in the order of the table's columns.
const PHASES: [(&str, Column); 5] = [
    ("fresh", |message| message.fresh),
    ("authenticating", |message| message.authenticating),
    ("failed", |message| message.failed),
    ("session", |message| message.session),
    ("closed", |message| message.closed),
];

const REACTION: &str = "
/// What a server makes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reaction {
    /// It sends the message's reply.
    Reply,
    /// FATAL 5000 (5170 for Compression), and the connection is closed.
    Fatal,
    /// ERROR 1047; the session goes on.
    Unexpected,
    /// Nothing, not even a reply.
    Ignored,
    /// Ok if `session_connect_attrs` is set, alone; else FATAL 5009, and the connection goes on all the same.
    Attributes,
    /// The replies of the messages within; FATAL 5170 unless compression was agreed on.
    Compressed,
}
";

pub(super) fn states(spec: &LifeCycle) -> String {
    let variants = spec
        .state
        .iter()
        .map(|state| Variant {
            ident: camel(&state.name),
            number: state.number,
            name: state.name.clone(),
            doc: state.does.clone(),
        })
        .collect();
    let next = spec.state.iter().map(|state| (camel(&state.name), successors(state))).collect();
    let mut methods = next_method("next", "The states that may follow this one.", next);
    methods.push_str(&doc("What a server makes of a message that reaches it in this state.\n\n\
         Follows \"MySQL Source Code Documentation: X Protocol, Life Cycle\", and what servers were seen to do where \
         that is silent. Numbers without a name are answered like unknown messages."));
    methods.push_str(
        "#[must_use]\npub const fn reaction(self, message: ClientKind) -> Reaction {\nmatch self {\n",
    );
    for (phase, column) in PHASES {
        let states: Vec<_> = spec
            .state
            .iter()
            .filter(|state| state.phase.as_deref() == Some(phase))
            .map(|state| format!("Self::{}", camel(&state.name)))
            .collect();
        let _ = writeln!(methods, "{} => match message {{", states.join(" | "));
        let unknown = if phase == "session" { Reaction::Unexpected } else { Reaction::Fatal };
        for reaction in Reaction::ALL.into_iter().filter(|reaction| *reaction != unknown) {
            let kinds: Vec<_> = spec
                .message
                .iter()
                .filter(|message| column(message) == reaction)
                .map(|message| format!("ClientKind::{}", message.name))
                .collect();
            if !kinds.is_empty() {
                let _ = writeln!(methods, "{} => Reaction::{reaction:?},", kinds.join(" | "));
            }
        }
        let _ = writeln!(methods, "_ => Reaction::{unknown:?},\n}},");
    }
    methods.push_str("Self::Closing | Self::Error | Self::Closed => Reaction::Ignored,\n}\n}\n");
    methods.push_str(
        "
/// The state as the trace carries it.
#[must_use]
pub const fn id(self) -> StageId {
    StageId::new(MachineKind::X, self.number(), self.name())
}
",
    );
    header("x_life_cycle", "The life cycle of an X Protocol connection.")
        + &numbered(&Numbered {
            ident: "LifeCycle",
            doc: "Where a connection of the X Protocol is in its life.\n\nFollows \"MySQL Source Code \
                  Documentation: X Protocol, Life Cycle\".",
            imports: "use porpoise_trace::{MachineKind, StageId};\n\nuse crate::ClientKind;\n\n",
            number: "number",
            number_doc: "The number that a trace gives.",
            name_doc: "The name that a trace gives: `AUTHENTICATING`.",
            unknown: None,
            variants,
            methods,
        })
        .replacen("\n#[cfg(test)]", &(REACTION.to_owned() + "\n#[cfg(test)]"), 1)
}

/// Those of the table, and the ends that every state has.
fn successors(state: &super::spec::State) -> Vec<String> {
    let mut next: Vec<_> = state.next.iter().map(|next| camel(next)).collect();
    for end in ["ERROR", "CLOSED"] {
        if state.name != "CLOSED" && state.name != end {
            next.push(camel(end));
        }
    }
    next
}

/// The states as a diagram.
pub(super) fn diagram(spec: &LifeCycle) -> String {
    let mut out = String::from("```mermaid\nstateDiagram-v2\n  [*] --> CONNECTED\n");
    for state in &spec.state {
        for next in &state.next {
            let _ = writeln!(out, "  {} --> {next}", state.name);
        }
    }
    out.push_str("  CLOSING --> CLOSED\n  ERROR --> CLOSED\n  CLOSED --> [*]\n```\n");
    out
}

/// The states with what they are.
pub(super) fn table(spec: &LifeCycle) -> String {
    let mut out = String::from("| | state | the server's phase | |\n|---|---|---|---|\n");
    for state in &spec.state {
        let phase = state.phase.as_deref().unwrap_or_default();
        let _ = writeln!(out, "| {} | {} | {phase} | {} |", state.number, state.name, state.does);
    }
    out
}

/// What a server makes of each message.
pub(super) fn messages(spec: &LifeCycle) -> String {
    let mut out = String::from("| message |");
    for (phase, _) in PHASES {
        let _ = write!(out, " {phase} |");
    }
    out.push_str("\n|---|---|---|---|---|---|\n");
    for message in &spec.message {
        let _ = write!(out, "| {} |", message.name);
        for (_, column) in PHASES {
            let _ = write!(out, " {} |", format!("{:?}", column(message)).to_lowercase());
        }
        out.push('\n');
    }
    out
}
