//! `no-trace N`: N connects of the machine with `NoTrace`, over memory, in a program where there is no other sink. Its
//! instructions are counted beside those of the same program made of sources without emissions.

use std::hint::black_box;

use anyhow::{Context as _, Result};
use inproc::Machine;
use porpoise_trace::NoTrace;

fn main() -> Result<()> {
    let n: u64 = std::env::args().nth(1).context("no-trace N")?.parse()?;
    let mut machine = Machine::new()?;
    for _ in 0..n {
        black_box(machine.connect(&mut NoTrace)?);
    }
    Ok(())
}
