//! Server processes: started apart from this one, found again by their pid file, stopped.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::Result;

const POLL: Duration = Duration::from_millis(50);
const TERM_PATIENCE: Duration = Duration::from_secs(30);
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// Starts a program in a process group of its own, so that it outlives this one and gets no Ctrl-C of its.
pub(super) fn spawn_detached(mut command: Command, log: &Path) -> Result<Child> {
    let out = File::create(log).with_context(|| format!("creating {}", log.display()))?;
    let err = out.try_clone()?;
    command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
    command.spawn().with_context(|| format!("starting {}", command.get_program().display()))
}

/// The process that a pid file names, if it runs and has `marker` in its command line. A number alone proves
/// nothing: after a crash or a reboot it may be somebody else's.
pub(super) fn running(pid_file: &Path, marker: &str) -> Option<Pid> {
    let text = fs::read_to_string(pid_file).ok()?;
    let pid = Pid::from_raw(text.trim().parse().ok()?)?;
    is_ours(pid, marker).then_some(pid)
}

/// Asks the process to end, waits, and kills it when it does not.
pub(super) fn stop(pid: Pid, marker: &str) -> Result<()> {
    for (signal, patience) in [(Signal::TERM, TERM_PATIENCE), (Signal::KILL, KILL_PATIENCE)] {
        // It may end between the check and the signal; the loop below tells.
        let sent = kill_process(pid, signal);
        let until = Instant::now() + patience;
        while is_ours(pid, marker) {
            sent.with_context(|| format!("signalling process {}", pid.as_raw_nonzero()))?;
            if Instant::now() > until {
                break;
            }
            sleep(POLL);
        }
        if !is_ours(pid, marker) {
            return Ok(());
        }
    }
    bail!("process {} does not end, not even when killed", pid.as_raw_nonzero())
}

/// Whether a process runs (zombies do not: they have no command line) and has the marker in its command line.
fn is_ours(pid: Pid, marker: &str) -> bool {
    let pid = pid.as_raw_nonzero().to_string();
    if Path::new("/proc/self/cmdline").exists() {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        return String::from_utf8_lossy(&line).contains(marker);
    }
    let ps = Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid]).output();
    ps.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains(marker))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_its_marker_and_stopped() {
        let dir = std::env::temp_dir().join(format!("porpoise-process-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (pid_file, marker) = (dir.join("pid"), "marker-of-this-test");
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60; :", marker]);
        let mut child = spawn_detached(command, &dir.join("log")).unwrap();
        fs::write(&pid_file, format!("{}\n", child.id())).unwrap();

        // The command line is the program's own only after exec.
        while running(&pid_file, marker).is_none() {
            sleep(POLL);
        }
        assert!(running(&pid_file, "marker of another").is_none());
        let pid = running(&pid_file, marker).unwrap();
        stop(pid, marker).unwrap();
        assert!(running(&pid_file, marker).is_none());
        assert!(!child.wait().unwrap().success());
        fs::remove_dir_all(&dir).unwrap();
    }
}
