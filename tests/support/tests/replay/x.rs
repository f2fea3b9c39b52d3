use std::collections::BTreeSet;
use std::fs;

use porpoise_test_support::{Cut, Entry, Replay, Transcript, XTalk, root};

const FOLDER: &str = "tests/transcripts/x";

/// All conversations, with their bytes.
fn kept() -> impl Iterator<Item = (&'static XTalk, Transcript)> {
    XTalk::all().iter().map(|talk| {
        let path = Transcript::path(&format!("x/{}", talk.name));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (talk, Transcript::parse(&text).unwrap())
    })
}

fn play(talk: &XTalk, transcript: &Transcript, cut: Cut) -> Result<Vec<String>, String> {
    let mut wire = Replay::new(transcript, cut);
    let lines = talk.have(&mut wire);
    // What the wire says is why the conversation came to nothing.
    wire.finish()?;
    lines.map_err(|error| format!("{error:#}"))
}

#[test]
fn each_conversation_has_its_transcript_and_each_transcript_its_conversation() {
    let talks: BTreeSet<String> = XTalk::all().iter().map(|talk| format!("{}.txt", talk.name)).collect();
    assert_eq!(talks.len(), XTalk::all().len());
    let files = fs::read_dir(root().join(FOLDER)).unwrap().map(|entry| entry.unwrap().file_name());
    let files: BTreeSet<String> = files.map(|name| name.into_string().unwrap()).collect();
    assert_eq!(files, talks);
}

#[test]
fn no_cut_changes_what_is_told() {
    let mut runs = 0;
    for (talk, transcript) in kept() {
        let name = talk.name;
        let splits = (1..transcript.server_bytes()).map(Cut::At);
        for cut in splits.chain([Cut::Whole, Cut::Bytes]) {
            let told = play(talk, &transcript, cut).unwrap_or_else(|fault| panic!("{name} {cut:?}: {fault}"));
            assert_eq!(told, transcript.lines, "{name} {cut:?}");
            runs += 1;
        }
    }
    assert!(runs > 5000, "{runs} runs");
}

#[test]
fn a_client_that_does_otherwise_is_noticed() {
    for (talk, transcript) in kept() {
        for (i, entry) in transcript.entries.iter().enumerate() {
            let mut other = transcript.clone();
            match entry {
                Entry::Client { .. } => {
                    let Entry::Client { bytes, .. } = &mut other.entries[i] else {
                        unreachable!("it was one")
                    };
                    let last = bytes.len() - 1;
                    bytes[last] ^= 1;
                    assert!(play(talk, &other, Cut::Whole).is_err(), "{} {i}", talk.name);
                }
                Entry::Server(_) | Entry::Tls { .. } => {
                    other.entries.remove(i);
                    let played = play(talk, &other, Cut::Whole);
                    assert_ne!(played, Ok(transcript.lines.clone()), "{} {i}", talk.name);
                }
                _ => {}
            }
        }
    }
}
