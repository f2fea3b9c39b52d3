//! How far a scenario can be run, by what it asks for.

use crate::Scenario;

/// Who runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Level {
    /// The machines alone: every command that a session can send.
    Machine,
    /// The client, with the commands that it offers.
    Client,
    /// `porpoise run`.
    Tool,
}

/// How far a scenario is run. The connect always is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reach {
    /// How many of the steps are run.
    pub steps: usize,
    /// Why not all of them.
    pub because: Option<&'static str>,
}

/// Steps of sessions and clients alike.
const BOTH: &[&str] =
    &["query", "use", "ping", "init_db", "reset", "change_user", "kill_query_mid", "statistics"];
/// Steps that a session has beyond those.
const MACHINE: &[&str] = &[
    "qattr",
    "set_option",
    "field_list",
    "debug",
    "prepare",
    "bind",
    "long_data",
    "cursor",
    "execute",
    "free_result",
    "stmt_reset",
    "stmt_close",
];

/// How far it can be run.
#[must_use]
pub fn reach(scenario: &Scenario, level: Level) -> Reach {
    let known = |step: &crate::Step| {
        let name = step.name.as_str();
        match level {
            Level::Client => BOTH.contains(&name),
            Level::Machine => BOTH.contains(&name) || MACHINE.contains(&name),
            Level::Tool => true,
        }
    };
    match scenario.steps.iter().position(|step| !known(step)) {
        None => Reach { steps: scenario.steps.len(), because: None },
        Some(steps) => Reach {
            steps,
            because: Some(match level {
                Level::Client => "the client does not offer this command",
                _ => "no session sends this",
            }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Level, reach};
    use crate::Scenario;

    #[test]
    fn what_is_not_run_to_its_end_has_a_reason() {
        let mut whole = [0, 0, 0];
        for scenario in Scenario::all().unwrap() {
            let reached = [Level::Client, Level::Machine, Level::Tool].map(|level| reach(&scenario, level));
            assert!(reached.is_sorted_by_key(|reached| reached.steps));
            for (reached, whole) in reached.iter().zip(&mut whole) {
                assert_eq!(
                    reached.because.is_none(),
                    reached.steps == scenario.steps.len(),
                    "{}",
                    scenario.name
                );
                *whole += usize::from(reached.because.is_none());
            }
        }
        // Of 60: what the client has no call for.
        assert_eq!(whole, [55, 60, 60]);
    }
}
