//! When a run equals a recording. The one place of this rule; `tests/golden/README.md` says it in words.

use std::fmt::Write as _;

use serde_json::Value;

use crate::Line;

/// Fields that a recording leaves out where they are 0 or where they depend on versions, attributes and secrets.
const LENGTHS: [&str; 2] = ["hdr_len", "pkt_len"];

/// How many lines before a difference are shown.
const CONTEXT: usize = 4;

/// Compares the lines of a run, as they are written, with those that were recorded: stages and events must be equal, in order and in the
/// fields that the recording gives, and so must the results of steps. `unstable` names what may differ.
///
/// # Errors
/// The first difference, with what came before it.
pub fn compare(recorded: &[Line], run: &[String], unstable: &[String]) -> Result<(), String> {
    let parsed =
        run.iter().map(|line| serde_json::from_str(line).map_err(|error| format!("{error}: {line}")));
    let run = &parsed.collect::<Result<Vec<Line>, _>>()?[..];
    let mut pairs = (0..recorded.len().max(run.len())).map(|i| (i, recorded.get(i), run.get(i)));
    let differs = pairs.find_map(|(i, theirs, ours)| match (theirs, ours) {
        (Some(theirs), Some(ours)) => difference(theirs, ours, unstable).map(|what| (i, what)),
        (None, _) => Some((i, "the recording ends here".to_owned())),
        (_, None) => Some((i, "the run ends here".to_owned())),
    });
    let Some((at, what)) = differs else { return Ok(()) };
    let mut report = format!("line {at}: {what}\n");
    for (name, lines) in [("recorded", recorded), ("run", run)] {
        for (i, line) in lines.iter().enumerate().take(at + 2).skip(at.saturating_sub(CONTEXT)) {
            let mark = if i == at { '>' } else { ' ' };
            // Writing to a string cannot fail.
            let _ = writeln!(report, "{mark} {name:8} {}", Value::Object(line.clone()));
        }
    }
    Err(report)
}

/// What differs in two lines, if anything does.
fn difference(recorded: &Line, run: &Line, unstable: &[String]) -> Option<String> {
    let is_step = recorded.get("t").is_some_and(|t| t == "step");
    for (field, theirs) in recorded {
        let ours = run.get(field);
        if ours != Some(theirs)
            && !(is_step && is_free(field, recorded))
            && !is_unstable(field, recorded, unstable)
        {
            return Some(format!("{field} is {}, not {theirs}", ours.unwrap_or(&Value::Null)));
        }
    }
    let surplus = |field: &&String| !recorded.contains_key(*field) && !LENGTHS.contains(&field.as_str());
    run.keys().find(surplus).filter(|_| !is_step).map(|field| format!("the recording has no {field}"))
}

/// Whether the result of a step says something in this field that is not compared: the wording of an error that the
/// client itself found, and what a failed step has beside its error.
fn is_free(field: &str, recorded: &Line) -> bool {
    let errno = recorded.get("errno").and_then(Value::as_u64).unwrap_or(0);
    match field {
        "t" | "step" | "rc" | "errno" | "sqlstate" => false,
        "error" => (2000..3000).contains(&errno),
        _ => errno != 0,
    }
}

/// `pkt_len of PACKET_RECEIVED in stage WAIT_FOR_PACKET`: the packet is another one each time, so neither is its first byte
/// compared.
fn is_unstable(field: &str, recorded: &Line, unstable: &[String]) -> bool {
    let text = |key| recorded.get(key).and_then(Value::as_str).unwrap_or_default();
    let here = format!("pkt_len of {} in stage {}", text("event"), text("stage"));
    matches!(field, "pkt_len" | "first") && unstable.contains(&here)
}

#[cfg(test)]
mod tests {
    use super::compare;
    use crate::Line;

    fn lines(text: &str) -> Vec<Line> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn same(recorded: &str, run: &str) -> bool {
        compare(
            &lines(recorded),
            &run.lines().map(str::to_owned).collect::<Vec<_>>(),
            &["pkt_len of E in stage S".to_owned()],
        )
        .is_ok()
    }

    #[test]
    fn order_number_and_given_fields_count() {
        let two = "{\"t\":\"stage\",\"n\":2}\n{\"t\":\"stage\",\"n\":3}";
        assert!(same(two, two));
        assert!(!same(two, "{\"t\":\"stage\",\"n\":3}\n{\"t\":\"stage\",\"n\":2}"));
        assert!(!same(two, "{\"t\":\"stage\",\"n\":2}"));
        assert!(!same("{\"t\":\"stage\",\"n\":2}", two));
        let event = r#"{"t":"event","event":"F","stage":"S","pkt_len":3}"#;
        assert!(!same(event, r#"{"t":"event","event":"F","stage":"S","pkt_len":4}"#));
        assert!(!same(event, r#"{"t":"event","event":"F","stage":"S"}"#));
    }

    #[test]
    fn lengths_may_be_left_out_other_fields_not() {
        let event = r#"{"t":"event","event":"F"}"#;
        assert!(same(event, r#"{"t":"event","event":"F","pkt_len":3,"hdr_len":0}"#));
        assert!(!same(event, r#"{"t":"event","event":"F","errno":3}"#));
    }

    #[test]
    fn what_is_unstable_may_differ() {
        let event = r#"{"t":"event","event":"E","stage":"S","pkt_len":3}"#;
        assert!(same(event, r#"{"t":"event","event":"E","stage":"S","pkt_len":4}"#));
        assert!(!same(event, r#"{"t":"event","event":"E","stage":"T","pkt_len":3}"#));
    }

    #[test]
    fn errors_of_the_client_have_their_own_words() {
        let server = r#"{"t":"step","rc":1,"errno":1045,"error":"no"}"#;
        assert!(!same(server, r#"{"t":"step","rc":1,"errno":1045,"error":"never"}"#));
        let client = r#"{"t":"step","rc":1,"errno":2013,"error":"lost","rows":0}"#;
        assert!(same(client, r#"{"t":"step","rc":1,"errno":2013,"error":"gone"}"#));
        assert!(!same(client, r#"{"t":"step","rc":1,"errno":2006,"error":"lost"}"#));
        let good = r#"{"t":"step","rc":0,"errno":0,"rows":1}"#;
        assert!(!same(good, r#"{"t":"step","rc":0,"errno":0,"rows":2}"#));
        assert!(same(good, r#"{"t":"step","rc":0,"errno":0,"rows":1,"more":false}"#));
    }
}
