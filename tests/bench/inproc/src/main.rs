//! `inproc VARIANT N`: N connects over memory, to be counted by valgrind.
//!
//! | variant | what connects |
//! |---|---|
//! | `no-trace` | the machine with `NoTrace` |
//! | `tap-off` | the machine with the driver's `Tap`, which is asked at run time and off |
//! | `record` | the machine with a sink that keeps everything |
//! | `driver` | the driver's `Connecting`, whose `Tap` is off |

use std::hint::black_box;

use anyhow::{Context as _, Result, bail};
use inproc::{Machine, Memory, connect_driver};
use porpoise_driver::Tap;
use porpoise_trace::{NoTrace, Record};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let variant = args.next().context("inproc VARIANT N")?;
    let n: u64 = args.next().context("inproc VARIANT N")?.parse()?;
    let mut machine = Machine::new()?;
    match variant.as_str() {
        "no-trace" => repeat(n, || machine.connect(&mut NoTrace)),
        // The compiler must not see that it is off.
        "tap-off" => repeat(n, || machine.connect(black_box(&mut Tap::default()))),
        "record" => repeat(n, || machine.connect(&mut Record::new())),
        "driver" => {
            let options = Memory::options()?;
            repeat(n, || connect_driver(&options))
        }
        other => bail!("no variant {other}"),
    }
}

fn repeat<R>(n: u64, mut connect: impl FnMut() -> Result<R>) -> Result<()> {
    for _ in 0..n {
        black_box(connect()?);
    }
    Ok(())
}
