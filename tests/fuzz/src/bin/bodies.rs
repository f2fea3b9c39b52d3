//! Runs the body of every fuzz target on stable Rust: inputs are the seeds, cut, changed and put together again by
//! chance, but by the same chance each time. An input that takes a step that none took before becomes a seed.
//!
//! `bodies [--seconds N] [TARGET]` runs each target, or the one, for so long (`PORPOISE_FUZZ_SECONDS`, or 20);
//! `bodies --input HEX TARGET` runs one input; `bodies --write-seeds FOLDER` writes the seeds where libFuzzer finds
//! them. On a failure it prints the input.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{fs, io};

use porpoise_fuzz::{TARGETS, Target};

/// No input becomes longer than this.
const LONGEST: usize = 2000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value =
        |name: &str| arguments.iter().position(|a| a == name).and_then(|i| arguments.get(i + 1)).cloned();
    let only = arguments.last().and_then(|name| TARGETS.iter().position(|target| target.name == *name));
    if let Some(hex) = value("--input") {
        let target = &TARGETS[only.expect("--input HEX TARGET")];
        (target.body)(&unhex(&hex).expect("an input in hex"));
        return;
    }
    if let Some(folder) = value("--write-seeds") {
        return write_seeds(folder.as_ref()).expect("a folder for the seeds");
    }
    let seconds = value("--seconds").or_else(|| std::env::var("PORPOISE_FUZZ_SECONDS").ok());
    let limit = Duration::from_secs(seconds.map_or(20, |text| text.parse().expect("a number of seconds")));
    let queue = Mutex::new((0..TARGETS.len()).filter(|target| only.is_none_or(|only| only == *target)));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut failed, mut passed) = (0, 0);
    std::thread::scope(|scope| {
        let work = || {
            let next = || queue.lock().expect("no worker panics").next();
            std::iter::from_fn(next).map(|target| run(&TARGETS[target], limit)).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for outcome in threads.into_iter().flat_map(|thread| thread.join().expect("no worker panics")) {
            if outcome { passed += 1 } else { failed += 1 }
        }
    });
    println!("{passed} passed, {failed} failed, 0 skipped");
    std::process::exit(i32::from(failed > 0));
}

fn write_seeds(folder: &Path) -> io::Result<()> {
    for target in &TARGETS {
        let folder = folder.join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}

/// `true` if no input broke the target.
fn run(target: &Target, limit: Duration) -> bool {
    let mut inputs = (target.seeds)();
    let mut random = fastrand::Rng::with_seed(0x706f_7270_6f69_7365);
    let (start, mut count, mut steps) = (Instant::now(), 0_u64, HashSet::new());
    for seed in &inputs {
        let Some(taken) = take(target, seed) else { return false };
        steps.extend(taken);
    }
    while start.elapsed() < limit {
        // The clock is not asked for each input.
        for _ in 0..64 {
            let input = mutate(&inputs, &mut random);
            let Some(taken) = take(target, &input) else { return false };
            let before = steps.len();
            steps.extend(taken);
            if steps.len() > before {
                inputs.push(input);
            }
            count += 1;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{:11}  {count} inputs, {} steps, {} seeds in {seconds:.0} s",
        target.name,
        steps.len(),
        inputs.len()
    );
    true
}

/// The steps that an input takes; `None` if it breaks the target.
fn take(target: &Target, input: &[u8]) -> Option<Vec<u64>> {
    let taken = std::panic::catch_unwind(|| (target.body)(input)).ok();
    if taken.is_none() {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        eprintln!("{} is broken: bodies --input {hex} {}", target.name, target.name);
    }
    taken
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

fn mutate(inputs: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
    const ODD: [u8; 10] = [0, 1, 2, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfe, 0xff];
    let mut input = random.choice(inputs).cloned().unwrap_or_default();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(0..=input.len());
        match random.u8(0..7) {
            0 => input.truncate(at),
            1 => input.insert(at, random.u8(..)),
            2 => input.insert(at, *random.choice(&ODD).expect("not empty")),
            3 if at < input.len() => drop(input.remove(at)),
            4 if at < input.len() => input[at] ^= 1 << random.u8(0..8),
            5 if at < input.len() => input[at] = *random.choice(&ODD).expect("not empty"),
            _ => {
                let other = random.choice(inputs).map_or(&[][..], Vec::as_slice);
                let from = random.usize(0..=other.len());
                input.splice(at.., other[from..].iter().copied());
            }
        }
    }
    input.truncate(LONGEST);
    input
}
