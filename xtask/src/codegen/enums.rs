//! Enums from tables: stages, events, commands, column types. One template for the numbered ones.

use std::fmt::Write as _;

use super::spec::{ColumnTypes, Commands, ConnectStages, ProtocolStages, TraceEvents};
use super::text::{camel, doc, header};

/// One variant of a numbered enum.
pub(super) struct Variant {
    pub(super) ident: String,
    pub(super) number: u8,
    pub(super) name: String,
    pub(super) doc: String,
}

/// What the template needs to know of an enum.
pub(super) struct Numbered<'a> {
    pub(super) ident: &'a str,
    pub(super) doc: &'a str,
    /// Imports beside `std::fmt`.
    pub(super) imports: &'a str,
    /// The method that gives the number: `number` or `byte`.
    pub(super) number: &'a str,
    pub(super) number_doc: &'a str,
    pub(super) name_doc: &'a str,
    /// The variant for numbers that no other has; without one, `from_number` gives an `Option`.
    pub(super) unknown: Option<&'a str>,
    pub(super) variants: Vec<Variant>,
    /// More methods for the `impl` block.
    pub(super) methods: String,
}

pub(super) fn protocol_stages(spec: &ProtocolStages) -> String {
    let variants = spec
        .stage
        .iter()
        .map(|stage| Variant {
            ident: camel(&stage.name),
            number: stage.number,
            name: stage.name.clone(),
            doc: stage.does.clone(),
        })
        .collect();
    let successors = |keep: &dyn Fn(&super::spec::Edge) -> bool| {
        spec.stage
            .iter()
            .map(|stage| {
                let next = spec.edge.iter().filter(|edge| edge.from == stage.name && keep(edge));
                (camel(&stage.name), next.map(|edge| camel(&edge.to)).collect())
            })
            .collect::<Vec<_>>()
    };
    let documented = next_method(
        "documented_next",
        "The stages that may follow this one according to the documentation of trace plugins.",
        successors(&|edge| edge.source.documented()),
    );
    let observed = next_method(
        "observed_next",
        "The stages that the reference client was seen to take after this one, from event to event.",
        successors(&|edge| edge.source.observed()),
    );
    header("protocol_stages", "The protocol stages of a trace.")
        + &numbered(&Numbered {
            ident: "ProtocolStage",
            doc: "A stage of the protocol, as a trace sees it. Follows `plugin_trace.h`.",
            imports: "",
            number: "number",
            number_doc: "The number in MySQL's headers.",
            name_doc: "The name in MySQL's headers, without its prefix: `WAIT_FOR_INIT_PACKET`.",
            unknown: None,
            variants,
            methods: documented + "\n" + &observed,
        })
}

pub(super) fn trace_events(spec: &TraceEvents) -> String {
    let variants = spec
        .event
        .iter()
        .map(|event| {
            let args = if event.args.is_empty() { "none" } else { &event.args };
            Variant {
                ident: camel(&event.name),
                number: event.number,
                name: event.name.clone(),
                doc: format!("{}\n\nStage: {}. Arguments: {args}.", event.moment, event.stage),
            }
        })
        .collect();
    header("trace_events", "The kinds of trace events.")
        + &numbered(&Numbered {
            ident: "TraceEventKind",
            doc: "The kind of a [`TraceEvent`](crate::TraceEvent), without its arguments. Follows `plugin_trace.h`.",
            imports: "",
            number: "number",
            number_doc: "The number in MySQL's headers.",
            name_doc: "The name in MySQL's headers, without its prefix: `PACKET_RECEIVED`.",
            unknown: None,
            variants,
            methods: String::new(),
        })
}

pub(super) fn connect_stages(spec: &ConnectStages) -> String {
    let variants = spec
        .stage
        .iter()
        .map(|stage| Variant {
            ident: camel(&stage.name),
            number: stage.number,
            name: stage.name.clone(),
            doc: match &stage.waits {
                Some(waits) => format!("{}\n\nMay wait for: {waits}.", stage.does),
                None => stage.does.clone(),
            },
        })
        .collect();
    let next = spec
        .stage
        .iter()
        .map(|stage| (camel(&stage.name), stage.next.iter().map(|next| camel(next)).collect()))
        .collect();
    let mut methods = next_method(
        "next",
        "The stages that may follow this one on the way to success.\n\nAny stage may fail, which leads back to \
         [`NotStarted`](Self::NotStarted). `COM_CHANGE_USER` runs from [`Complete`](Self::Complete) through \
         [`AuthBegin`](Self::AuthBegin) to [`AuthFinishAuth`](Self::AuthFinishAuth); the connection is then \
         complete again, without a stage being entered.",
        next,
    );
    methods.push_str(
        "
/// Whether this stage may follow `previous`; see [`next`](Self::next).
#[must_use]
pub fn may_follow(self, previous: Self) -> bool {
    previous.next().contains(&self)
}
",
    );
    methods.push_str("\n/// The name with MySQL's prefix: `CONNECT_STAGE_READ_GREETING`.\n");
    methods.push_str("#[must_use]\npub const fn full_name(self) -> &'static str {\nmatch self {\n");
    for stage in &spec.stage {
        let _ = writeln!(methods, "Self::{} => \"CONNECT_STAGE_{}\",", camel(&stage.name), stage.name);
    }
    methods.push_str("}\n}\n");
    methods.push_str(
        "
/// The stage as the trace carries it.
#[must_use]
pub const fn id(self) -> StageId {
    StageId::new(MachineKind::Connect, self.number(), self.name())
}
",
    );
    header("connect_stages", "The stages of a classic connect.")
        + &numbered(&Numbered {
            ident: "ConnectStage",
            doc: "A stage of a classic connect.\n\nFollows MySQL's `enum connect_stage`; see \"MySQL C API \
                  Developer Guide: mysql_get_connect_nonblocking_stage()\".",
            imports: "use porpoise_trace::{MachineKind, StageId};\n\n",
            number: "number",
            number_doc: "The number in MySQL's headers.",
            name_doc: "The name in MySQL's headers, without its prefix: `READ_GREETING`.",
            unknown: Some("Invalid"),
            variants,
            methods,
        })
}

pub(super) fn commands(spec: &Commands) -> String {
    let variants = spec
        .command
        .iter()
        .map(|command| Variant {
            ident: variant(command.variant.as_deref(), &command.name, "COM_"),
            number: command.byte,
            name: command.name.clone(),
            doc: format!("`{}`. {}", command.name, command.doc),
        })
        .collect();
    header("commands", "The commands of the classic protocol.")
        + &numbered(&Numbered {
            ident: "Command",
            doc: "A command of the classic protocol: the first byte of a client packet in the command phase.\n\n\
                  Follows \"MySQL Source Code Documentation: Command Phase\".",
            imports: "",
            number: "byte",
            number_doc: "The byte that starts the command's payload.",
            name_doc: "The name that a trace reports: `COM_QUERY`.",
            unknown: None,
            variants,
            methods: String::new(),
        })
}

pub(super) fn column_types(spec: &ColumnTypes) -> String {
    let mut out = header("column_types", "The column types of the classic protocol.");
    let variants: Vec<_> = spec
        .types
        .iter()
        .map(|kind| (variant(kind.variant.as_deref(), &kind.name, "MYSQL_TYPE_"), kind))
        .collect();
    out.push_str(
        "use std::fmt;

/// The type of a column or parameter.
///
/// Follows \"MySQL Source Code Documentation: field_types.h\". Types that this list does not know are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColumnType {\n",
    );
    for (ident, kind) in &variants {
        let _ = writeln!(out, "{}{ident},", doc(&format!("`{}`. {}", kind.name, kind.doc)));
    }
    out.push_str("/// A type that this list does not know.\nUnknown(u8),\n}\n\nimpl ColumnType {\n");
    let _ = writeln!(out, "/// Every known type, by number.\npub const ALL: [Self; {}] = [", variants.len());
    for (ident, _) in &variants {
        let _ = writeln!(out, "Self::{ident},");
    }
    out.push_str("];\n\n/// The type of a byte on the wire.\n#[must_use]\n");
    out.push_str("pub const fn from_byte(byte: u8) -> Self {\nmatch byte {\n");
    for (ident, kind) in &variants {
        let _ = writeln!(out, "{} => Self::{ident},", kind.id);
    }
    out.push_str("unknown => Self::Unknown(unknown),\n}\n}\n\n/// The byte on the wire.\n#[must_use]\n");
    out.push_str("pub const fn byte(self) -> u8 {\nmatch self {\n");
    for (ident, kind) in &variants {
        let _ = writeln!(out, "Self::{ident} => {},", kind.id);
    }
    out.push_str("Self::Unknown(byte) => byte,\n}\n}\n\n/// The name in MySQL's headers: `MYSQL_TYPE_VAR_STRING`; `UNKNOWN` for the rest.\n");
    out.push_str("#[must_use]\npub const fn name(self) -> &'static str {\nmatch self {\n");
    for (ident, kind) in &variants {
        let _ = writeln!(out, "Self::{ident} => \"{}\",", kind.name);
    }
    out.push_str("Self::Unknown(_) => \"UNKNOWN\",\n}\n}\n\n");
    out.push_str(
        "/// The known type of a name, with or without `MYSQL_TYPE_`.
#[must_use]
pub fn from_name(name: &str) -> Option<Self> {
    const PREFIX: &str = \"MYSQL_TYPE_\";
    let name = name.strip_prefix(PREFIX).unwrap_or(name);
    Self::ALL.into_iter().find(|kind| kind.name().strip_prefix(PREFIX) == Some(name))
}
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(byte) => write!(f, \"UNKNOWN({byte})\"),
            known => f.write_str(known.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ColumnType;

    #[test]
    fn every_byte_survives() {
        for byte in 0..=u8::MAX {
            let kind = ColumnType::from_byte(byte);
            assert_eq!(kind.byte(), byte);
            assert_eq!(matches!(kind, ColumnType::Unknown(_)), !ColumnType::ALL.contains(&kind));
        }
    }

    #[test]
    fn names_lead_back_to_types() {
        for kind in ColumnType::ALL {
            assert_eq!(ColumnType::from_name(kind.name()), Some(kind));
        }
        assert_eq!(ColumnType::from_name(\"BLOB\"), Some(ColumnType::Blob));
        assert_eq!(ColumnType::from_name(\"UNKNOWN\"), None);
    }
}
",
    );
    out
}

/// A variant's name: the one given, or the one made from MySQL's name.
fn variant(given: Option<&str>, name: &str, prefix: &str) -> String {
    given.map_or_else(|| camel(name.strip_prefix(prefix).unwrap_or(name)), str::to_owned)
}

/// A method that lists the successors of each stage.
pub(super) fn next_method(name: &str, text: &str, next: Vec<(String, Vec<String>)>) -> String {
    let mut out = doc(text);
    let _ = writeln!(out, "#[must_use]\npub const fn {name}(self) -> &'static [Self] {{\nmatch self {{");
    for (from, to) in next {
        let to: Vec<_> = to.iter().map(|to| format!("Self::{to}")).collect();
        let _ = writeln!(out, "Self::{from} => &[{}],", to.join(", "));
    }
    out.push_str("}\n}\n");
    out
}

/// The template of all numbered enums.
pub(super) fn numbered(spec: &Numbered<'_>) -> String {
    let (ident, number) = (spec.ident, spec.number);
    let mut out = String::from("use std::fmt;\n\n") + spec.imports + &doc(spec.doc);
    out.push_str("#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\n");
    let _ = writeln!(out, "#[non_exhaustive]\n#[repr(u8)]\npub enum {ident} {{");
    for variant in &spec.variants {
        let _ = writeln!(out, "{}{} = {},", doc(&variant.doc), variant.ident, variant.number);
    }
    let _ = writeln!(out, "}}\n\nimpl {ident} {{\n/// All of them, by number.");
    let _ = writeln!(out, "pub const ALL: [Self; {}] = [", spec.variants.len());
    for variant in &spec.variants {
        let _ = writeln!(out, "Self::{},", variant.ident);
    }
    let _ = writeln!(out, "];\n\n{}#[must_use]", doc(spec.number_doc));
    let _ = writeln!(out, "pub const fn {number}(self) -> u8 {{\nself as u8\n}}\n");
    let _ = writeln!(out, "{}#[must_use]", doc(spec.name_doc));
    out.push_str("pub const fn name(self) -> &'static str {\nmatch self {\n");
    for variant in &spec.variants {
        let _ = writeln!(out, "Self::{} => \"{}\",", variant.ident, variant.name);
    }
    out.push_str("}\n}\n\n");
    out.push_str(&from_number(spec));
    let _ = writeln!(
        out,
        "/// The one of this name, as [`name`](Self::name) gives it.
#[must_use]
pub fn from_name(name: &str) -> Option<Self> {{
    Self::ALL.into_iter().find(|known| known.name() == name)
}}

{}}}

impl fmt::Display for {ident} {{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {{
        f.pad(self.name())
    }}
}}
",
        spec.methods
    );
    out + &numbered_tests(spec)
}

fn from_number(spec: &Numbered<'_>) -> String {
    let number = spec.number;
    let mut out = String::new();
    let (result, wrap, rest) = match spec.unknown {
        Some(unknown) => {
            let _ = writeln!(
                out,
                "/// The one of this {number}; [`{unknown}`](Self::{unknown}) if there is none."
            );
            ("Self", "", format!("Self::{unknown}"))
        }
        None => {
            let _ = writeln!(out, "/// The one of this {number}, if there is one.");
            ("Option<Self>", "Some", "None".to_owned())
        }
    };
    let _ = writeln!(out, "#[must_use]\npub const fn from_{number}({number}: u8) -> {result} {{");
    let _ = writeln!(out, "match {number} {{");
    for variant in &spec.variants {
        if Some(variant.ident.as_str()) == spec.unknown {
            continue;
        }
        let value = format!("Self::{}", variant.ident);
        let value = if wrap.is_empty() { value } else { format!("{wrap}({value})") };
        let _ = writeln!(out, "{} => {value},", variant.number);
    }
    let _ = writeln!(out, "_ => {rest},\n}}\n}}\n");
    out
}

fn numbered_tests(spec: &Numbered<'_>) -> String {
    let (ident, number) = (spec.ident, spec.number);
    let (some, none) = match spec.unknown {
        Some(unknown) => ("known".to_owned(), format!("{ident}::{unknown}")),
        None => ("Some(known)".to_owned(), "None".to_owned()),
    };
    format!(
        "#[cfg(test)]
mod tests {{
    use super::{ident};

    #[test]
    fn numbers_and_names_lead_back() {{
        for (known, place) in {ident}::ALL.into_iter().zip(0_u8..) {{
            assert_eq!(known.{number}(), place);
            assert_eq!({ident}::from_{number}(place), {some});
            assert_eq!({ident}::from_name(known.name()), Some(known));
            assert_eq!(known.to_string(), known.name());
        }}
        assert_eq!({ident}::from_{number}(u8::MAX), {none});
        assert_eq!({ident}::from_name(\"\"), None);
    }}
}}
"
    )
}
