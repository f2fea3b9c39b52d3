//! What the commands share: where the workspace is, and programs run in it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::Result;

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// The cargo that runs this tool, in the workspace's folder.
pub(crate) fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// Where cargo builds. Workspaces of their own build there too, so that nothing is built twice.
pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// A program's name and arguments as one would type them.
pub(crate) fn command_line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
    let mut line = program.into_owned();
    for arg in command.get_args() {
        let arg = arg.to_string_lossy();
        let plain =
            !arg.is_empty() && !arg.contains(|c: char| c.is_whitespace() || "'\"&?*$;()<>|\\".contains(c));
        line.push(' ');
        line.push_str(&if plain { arg.into_owned() } else { format!("'{}'", arg.replace('\'', r"'\''")) });
    }
    line
}

/// Runs it with this process's own input and output; what is not success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = command_line(command);
    let status = command.status().with_context(|| format!("starting {line}"))?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}

/// Builds with these arguments, and tells where the program of that name is then.
pub(crate) fn build(name: &str, args: &[&str]) -> Result<PathBuf> {
    let mut command = cargo(["build", "--message-format=json-render-diagnostics"]);
    command.args(args).stderr(Stdio::inherit());
    let messages = output(&mut command)?;
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    // Its unit tests are a program of the same name.
    let mut built = messages.filter(|message| message.target.name == name && !message.profile.test);
    built.find_map(|message| message.executable).with_context(|| format!("cargo built no program {name}"))
}

/// The part of cargo's message on what it has built that matters here.
#[derive(Debug, Deserialize)]
struct Message {
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Profile {
    test: bool,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
}

/// What it prints. Its messages are in the error when it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = command_line(command);
    let done = command.output().with_context(|| format!("starting {line}"))?;
    if !done.status.success() {
        bail!("{line}: {}\n{}", done.status, String::from_utf8_lossy(&done.stderr).trim());
    }
    String::from_utf8(done.stdout).with_context(|| format!("{line}: its output is not UTF-8"))
}

/// Whether a program can be started with these arguments, and ends well. It prints nothing.
pub(crate) fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|done| done.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_can_be_typed_as_printed() {
        let mut command = Command::new("/usr/bin/porpoise");
        command.args(["connect", "mysql://u:p@h/?ssl-mode=REQUIRED&x=1", "it's", ""]);
        assert_eq!(
            command_line(&command),
            r"porpoise connect 'mysql://u:p@h/?ssl-mode=REQUIRED&x=1' 'it'\''s' ''"
        );
    }

    #[test]
    fn a_program_that_fails_is_an_error_with_its_words() {
        let error = output(Command::new("sh").args(["-c", "echo out; echo why >&2; exit 3"])).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("exit status: 3") && text.contains("why"), "{text}");
        assert!(run(&mut Command::new("false")).is_err());
        assert!(!works(Command::new("sh").args(["-c", "exit 1"])));
        assert!(!works(&mut Command::new("no-such-program-anywhere")));
    }
}
