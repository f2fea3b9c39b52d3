use std::collections::BTreeSet;
use std::fs;

use anyhow::Result;
use porpoise_test_support::{
    Cut, Entry, Level, Player, Replay, Scenario, Settings, Transcript, compare, reach, root,
};
use porpoise_trace::{ProtocolStage, TraceEventKind};
use serde_json::Value;

/// All scenarios, with their runs.
fn kept() -> Vec<(Scenario, Transcript)> {
    let scenarios = Scenario::all().unwrap().into_iter().chain(Scenario::extra().unwrap());
    let kept = scenarios.map(|scenario| {
        let path = Transcript::path(&scenario.name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (scenario, Transcript::parse(&text).unwrap())
    });
    kept.collect()
}

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
struct Played {
    lines: Vec<String>,
    told: Vec<String>,
}

fn play(scenario: &Scenario, transcript: &Transcript, cut: Cut) -> Result<Played, String> {
    let file = |name: &str| -> Result<Vec<u8>> {
        let key = transcript.server_key.clone().filter(|_| name == "public_key.pem");
        // Certificates are TLS's concern, and TLS is not in a transcript.
        Ok(key.unwrap_or_default().into_bytes())
    };
    let settings = Settings::reproducible(scenario, file).unwrap();
    let mut player = Player::new(Replay::new(transcript, cut));
    let steps = reach(scenario, Level::Machine).steps;
    player.play(scenario, steps, settings.machine().unwrap()).map_err(|error| format!("{error:#}"))?;
    let played = Played { lines: player.lines().to_vec(), told: player.told().to_vec() };
    player.into_wire().finish()?;
    Ok(played)
}

#[test]
fn each_scenario_has_its_transcript_and_each_transcript_its_scenario() {
    let scenarios: BTreeSet<String> = kept().into_iter().map(|(scenario, _)| scenario.name).collect();
    assert!(scenarios.len() >= 60);
    let files = fs::read_dir(root().join("tests/transcripts")).unwrap().map(|entry| entry.unwrap().path());
    let transcripts = files.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    let transcripts: BTreeSet<String> =
        transcripts.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(transcripts, scenarios);
}

#[test]
fn no_cut_changes_what_is_told() {
    let mut runs = 0;
    for (scenario, transcript) in kept() {
        let name = &scenario.name;
        let whole =
            play(&scenario, &transcript, Cut::Whole).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(whole.lines, transcript.lines, "{name}");
        let splits = (1..transcript.server_bytes()).map(Cut::At);
        for cut in splits.chain([Cut::Bytes]) {
            let played =
                play(&scenario, &transcript, cut).unwrap_or_else(|fault| panic!("{name} {cut:?}: {fault}"));
            assert_eq!(played, whole, "{name} {cut:?}");
            runs += 1;
        }
    }
    assert!(runs > 10_000, "{runs} runs");
}

#[test]
fn each_transcript_equals_the_recording_of_its_scenario() {
    for (scenario, transcript) in kept() {
        if scenario.lines.is_empty() {
            continue;
        }
        let steps = reach(&scenario, Level::Machine).steps;
        let recorded = scenario.recorded(steps);
        let end = if steps < scenario.steps.len() { recorded.len() } else { transcript.lines.len() };
        let same = compare(recorded, &transcript.lines[..end], &scenario.unstable);
        same.unwrap_or_else(|difference| panic!("{}: {difference}", scenario.name));
    }
}

#[test]
fn a_client_that_does_otherwise_is_noticed() {
    for (scenario, transcript) in kept() {
        for (i, entry) in transcript.entries.iter().enumerate() {
            let mut other = transcript.clone();
            let Entry::Client { bytes, random, .. } = &mut other.entries[i] else {
                // Nor does it go unnoticed that something is missing.
                if matches!(entry, Entry::Server(_) | Entry::Tls { .. }) {
                    other.entries.remove(i);
                    let played = play(&scenario, &other, Cut::Whole);
                    assert_ne!(played.map(|played| played.lines), Ok(transcript.lines.clone()));
                }
                continue;
            };
            // The last byte of what RSA encrypts says nothing.
            let at = if *random { 0 } else { bytes.len() - 1 };
            bytes[at] ^= 1;
            assert!(play(&scenario, &other, Cut::Whole).is_err(), "{} {i}", scenario.name);
        }
    }
}

/// The changes of the protocol stage in a run, from event to event.
fn edges(transcript: &Transcript) -> Vec<(ProtocolStage, ProtocolStage)> {
    let (mut edges, mut last) = (Vec::new(), None);
    for line in &transcript.lines {
        let line: Value = serde_json::from_str(line).unwrap();
        let Some(stage) = line["stage"].as_str() else { continue };
        let stage = ProtocolStage::from_name(stage).unwrap();
        edges.extend(last.filter(|last| *last != stage).map(|last| (last, stage)));
        let disconnected = line["event"] == TraceEventKind::Disconnected.name();
        last = Some(stage).filter(|_| !disconnected);
    }
    edges
}

#[test]
fn each_observed_change_of_the_protocol_stage_is_in_some_run_and_no_other() {
    let reached: BTreeSet<_> = kept().iter().flat_map(|(_, transcript)| edges(transcript)).collect();
    let all = ProtocolStage::ALL.into_iter();
    let observed: BTreeSet<_> =
        all.flat_map(|from| from.observed_next().iter().map(move |to| (from, *to))).collect();
    assert_eq!(reached, observed);
    assert_eq!(observed.len(), 27);
}
