//! The servers of a CI run: brought up beside the first steps, taken down at the end.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::{Result, server, workspace};

/// With this variable set to 1 nothing is done that needs a server.
pub(crate) const NO_SERVER: &str = "PORPOISE_NO_SERVER";

const POLL: Duration = Duration::from_millis(100);

/// Whether `PORPOISE_NO_SERVER=1` is set.
pub(crate) fn unwanted() -> bool {
    env::var_os(NO_SERVER).is_some_and(|value| value == "1")
}

/// `cargo xtask server up --all` under way. The network and the disk work while the compiler does.
#[derive(Debug)]
pub(super) struct Servers {
    child: Option<Child>,
    log: PathBuf,
    /// Those that ran before; they are not ours to stop.
    before: Vec<String>,
}

impl Servers {
    /// Begins to bring them up; what is told about it goes into a file.
    pub(super) fn begin() -> Result<Self> {
        let before = server::now_up().map(|state| state.servers).unwrap_or_default();
        let before = before.into_iter().map(|server| server.name).collect();
        let dir = workspace::root().join("target/porpoise");
        fs::create_dir_all(&dir)?;
        let log = dir.join("ci-server.log");
        let out = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        let mut command = Command::new(env::current_exe()?);
        command.args(["server", "up", "--all"]).stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let child = command.spawn().context("starting `cargo xtask server up --all`")?;
        Ok(Self { child: Some(child), log, before })
    }

    /// Waits until they are up, and shows what was told meanwhile.
    pub(super) fn finish(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let mut log = File::open(&self.log)?;
        let status = loop {
            let ended = child.try_wait()?;
            let mut news = Vec::new();
            log.read_to_end(&mut news)?;
            io::stdout().lock().write_all(&news)?;
            match ended {
                Some(status) => break status,
                None => sleep(POLL),
            }
        };
        if !status.success() {
            bail!("the servers are not all up (without them: {NO_SERVER}=1)");
        }
        Ok(())
    }

    /// Stops what was brought up, also when the run ends before it was needed.
    pub(super) fn take_down(mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            // Stopped in the middle it would leave half an archive; its end is near anyway.
            child.wait()?;
        }
        server::take_down(&self.before)
    }
}
