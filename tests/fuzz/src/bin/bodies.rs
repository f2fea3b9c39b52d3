//! Runs the body of every fuzz target on stable Rust: inputs are the seeds, cut, changed and put together again by
//! chance, but by the same chance each time.
//!
//! `bodies [--seconds N] [TARGET]`; on a failure it prints the input.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use porpoise_fuzz::{TARGETS, Target};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seconds =
        arguments.iter().position(|a| a == "--seconds").and_then(|i| arguments.get(i + 1)?.parse().ok());
    let limit = Duration::from_secs(seconds.unwrap_or(20));
    let only = arguments.last().filter(|name| TARGETS.iter().any(|target| target.name == **name));
    let queue = Mutex::new(TARGETS.iter().filter(|target| only.is_none_or(|name| name == target.name)));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut failed, mut passed) = (0, 0);
    std::thread::scope(|scope| {
        let work = || {
            let next = || queue.lock().expect("no worker panics").next();
            std::iter::from_fn(next).map(|target| run(target, limit)).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for outcome in threads.into_iter().flat_map(|thread| thread.join().expect("no worker panics")) {
            if outcome { passed += 1 } else { failed += 1 }
        }
    });
    println!("{passed} passed, {failed} failed, 0 skipped");
    std::process::exit(i32::from(failed > 0));
}

/// `true` if no input broke the target.
fn run(target: &Target, limit: Duration) -> bool {
    let seeds = (target.seeds)();
    let mut random = fastrand::Rng::with_seed(0x706f_7270_6f69_7365);
    let (start, mut count) = (Instant::now(), 0_u64);
    for seed in &seeds {
        if !holds(target, seed) {
            return false;
        }
    }
    while start.elapsed() < limit {
        // The clock is not asked for each input.
        for _ in 0..64 {
            let input = mutate(&seeds, &mut random);
            if !holds(target, &input) {
                return false;
            }
            count += 1;
        }
    }
    println!("{:10}  {count} inputs in {:.0} s", target.name, start.elapsed().as_secs_f64());
    true
}

fn holds(target: &Target, input: &[u8]) -> bool {
    let broken = std::panic::catch_unwind(|| (target.body)(input)).is_err();
    if broken {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        eprintln!("{} is broken by {hex}", target.name);
    }
    !broken
}

fn mutate(seeds: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
    const ODD: [u8; 10] = [0, 1, 2, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfe, 0xff];
    let mut input = random.choice(seeds).cloned().unwrap_or_default();
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
                let other = random.choice(seeds).map_or(&[][..], Vec::as_slice);
                let from = random.usize(0..=other.len());
                input.splice(at.., other[from..].iter().copied());
            }
        }
    }
    input
}
