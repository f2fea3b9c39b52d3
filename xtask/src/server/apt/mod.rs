//! Debian packages fetched with the machine's own apt, without root rights, into folders of our own.
//!
//! apt gets a state, a cache and a source list of its own, and an empty list of installed packages, so that
//! it names every dependency down to the C library. It checks what it downloads against the archive's
//! signatures; `dpkg-deb` unpacks it. Nothing of the system is changed.

mod plan;
mod sources;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use self::plan::Plan;
use self::sources::Mirror;
use super::files::{self, Lock};
use super::progress::{Step, megabytes};
use super::tree::Tree;
use crate::Result;

/// What a tree is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packages {
    /// Debian's suite.
    pub(super) suite: &'static str,
    /// Packages to unpack with all they depend on.
    pub(super) whole: &'static [&'static str],
    /// Packages to unpack without what they depend on.
    pub(super) alone: &'static [&'static str],
}

/// The tree of that name in the cache, fetched if it is not there.
pub(super) fn tree(cache: &Path, name: &str, packages: &Packages) -> Result<Tree> {
    let architecture = architecture()?;
    let dir = cache.join("trees").join(format!("{name}-{architecture}"));
    if let Some(tree) = Tree::open(&dir) {
        return Ok(tree);
    }
    let _lock = Lock::take(&cache.join("lock"))?;
    if let Some(tree) = Tree::open(&dir) {
        return Ok(tree);
    }
    let apt = Apt::new(cache, &architecture, packages.suite)?;
    apt.update()?;
    let mut debs = apt.download_whole(packages.whole)?;
    for package in packages.alone {
        debs.push(apt.download_alone(package)?);
    }
    unpack(&debs, &dir)?;
    files::remove_dir(&apt.dir)?;
    Tree::open(&dir).with_context(|| format!("{} lacks a C library", dir.display()))
}

/// Adds to a tree those files of one package, without what it depends on, whose path matches a pattern of tar.
pub(super) fn add_files(
    cache: &Path,
    tree: &Tree,
    suite: &'static str,
    package: &str,
    pattern: &str,
) -> Result<()> {
    let _lock = Lock::take(&cache.join("lock"))?;
    let apt = Apt::new(cache, &architecture()?, suite)?;
    apt.update()?;
    let deb = apt.download_alone(package)?;
    let step = Step::new(format!("take {pattern} from {package}"));
    // First beside the tree: a file in it must be whole.
    let beside = apt.dir.join("files");
    fs::create_dir_all(&beside)?;
    extract_matching(&deb, pattern, &beside)?;
    let count = move_files(&beside, tree.root())?;
    ensure!(count > 0, "{} has no file like {pattern}", deb.display());
    files::remove_dir(&apt.dir)?;
    step.done(&format!("{count} files"));
    Ok(())
}

/// Debian's name for this machine's processor, which also tells whether there is a dpkg at all.
fn architecture() -> Result<String> {
    let output = Command::new("dpkg").arg("--print-architecture").output();
    let output = output.context("this machine has no dpkg (not a Debian, nor made from one)")?;
    ensure!(output.status.success(), "dpkg --print-architecture failed: {}", output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_string())
}

/// apt with a world of its own.
#[derive(Debug)]
struct Apt {
    dir: PathBuf,
    architecture: String,
    suite: &'static str,
}

impl Apt {
    fn new(cache: &Path, architecture: &str, suite: &'static str) -> Result<Self> {
        let apt = Self {
            dir: cache.join("fetch").join(format!("{suite}-{architecture}")),
            architecture: architecture.to_string(),
            suite,
        };
        for folder in ["state/lists/partial", "cache/archives/partial", "none/partial", "alone"] {
            fs::create_dir_all(apt.dir.join(folder))?;
        }
        fs::write(apt.dir.join("status"), "")?;
        Ok(apt)
    }

    /// `apt-get` with the options that keep it away from the system's own state.
    fn get(&self) -> Command {
        let mut command = Command::new("apt-get");
        for (option, value) in [
            ("Dir::State", "state"),
            ("Dir::State::status", "status"),
            ("Dir::Cache", "cache"),
            ("Dir::Etc::sourcelist", "sources.list"),
            ("Dir::Etc::preferences", "no-preferences"),
            ("Dir::Etc::preferencesparts", "no-preferences.d"),
        ] {
            command.arg(format!("-o{option}={}", self.dir.join(value).display()));
        }
        command.args([
            "-oDir::Etc::sourceparts=-",
            "-oDir::Cache::pkgcache=pkgcache.bin",
            "-oDir::Cache::srcpkgcache=srcpkgcache.bin",
            "-oAPT::Install-Recommends=false",
            "-oAPT::Update::Error-Mode=any",
            // Root's apt would fetch as another user, who may not enter a private cache folder.
            "-oAPT::Sandbox::User=",
            "-oAcquire::ForceHash=SHA256",
            "-oAcquire::Retries=3",
            "-oDpkg::Use-Pty=false",
            "-q",
        ]);
        command.env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        command
    }

    /// Reads the package index from the first mirror that has the suite.
    fn update(&self) -> Result<()> {
        let mirrors = sources::mirrors();
        ensure!(!mirrors.is_empty(), "the sources of apt in /etc/apt name no Debian mirror");
        let mut failures = Vec::new();
        for mirror in &mirrors {
            match self.update_from(mirror) {
                Ok(()) => return Ok(()),
                Err(error) => failures.push(format!("{}: {error:#}", mirror.uri)),
            }
        }
        bail!("no mirror gives Debian's suite {}:\n{}", self.suite, failures.join("\n"))
    }

    fn update_from(&self, mirror: &Mirror) -> Result<()> {
        let step = Step::new(format!("read the package index of {} from {}", self.suite, mirror.uri));
        fs::write(self.dir.join("sources.list"), mirror.source_line(self.suite, &self.architecture))?;
        output(self.get().arg("update"))?;
        step.done("");
        Ok(())
    }

    /// Downloads packages with all they depend on.
    fn download_whole(&self, packages: &[&str]) -> Result<Vec<PathBuf>> {
        let mut plan = self.get();
        // Against an empty folder, or apt leaves out what it has.
        plan.arg(format!("-oDir::Cache::archives={}", self.dir.join("none").display()));
        plan.args(["install", "-y"]).args(packages);
        let mut install = self.get();
        install.args(["install", "-y", "--download-only"]).args(packages);
        let what = format!("{} and what they depend on", packages.join(", "));
        self.download(&what, plan, install, &self.dir.join("cache/archives"))
    }

    /// Downloads one package and nothing else.
    fn download_alone(&self, package: &str) -> Result<PathBuf> {
        let mut plan = self.get();
        plan.args(["download", package]).current_dir(self.dir.join("none"));
        let dir = self.dir.join("alone");
        let mut download = self.get();
        download.args(["download", package]).current_dir(&dir);
        self.download(package, plan, download, &dir)?.pop().context("a plan is not empty")
    }

    /// Runs a downloading command and tells how far it is by what has come to its folder. Good files that an
    /// earlier run got are used again.
    fn download(
        &self,
        what: &str,
        mut plan: Command,
        mut fetch: Command,
        dir: &Path,
    ) -> Result<Vec<PathBuf>> {
        let plan = Plan::parse(&output(plan.arg("--print-uris"))?);
        ensure!(plan.count() > 0, "apt-get names no file for {what}");
        plan.remove_damaged(dir)?;

        let mut step = Step::new(format!("download {what}"));
        let log = self.dir.join("download.log");
        let out = File::create(&log)?;
        let mut child = fetch.stderr(out.try_clone()?).stdout(out).spawn().context("starting apt-get")?;
        let (files, total) = (plan.count(), megabytes(plan.bytes()));
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            let size = megabytes(size_in(dir) + size_in(&dir.join("partial")));
            step.progress(&format!("{} of {files} files, {size} of {total}", plan.present(dir)));
            sleep(Duration::from_millis(100));
        };
        if !status.success() {
            bail!("apt-get failed ({status}): {}", complaints(&fs::read_to_string(&log).unwrap_or_default()));
        }
        ensure!(plan.present(dir) == files, "apt-get downloaded only {} of {files} files", plan.present(dir));
        step.done(&format!("{files} files, {total}"));
        Ok(plan.paths(dir))
    }
}

/// Runs a command to its end; its complaints become the error.
fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("starting {program}"))?;
    if !output.status.success() {
        bail!(
            "{program} failed ({}): {}",
            output.status,
            complaints(&String::from_utf8_lossy(&output.stderr))
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// apt's errors, or the end of what a program said when none is marked as one.
fn complaints(text: &str) -> String {
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("E: ")).collect();
    if errors.is_empty() { text.trim().lines().last().unwrap_or("").to_string() } else { errors.join("; ") }
}

/// Bytes in the files of a folder. They come and go while this looks.
fn size_in(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).filter(fs::Metadata::is_file).map(|m| m.len()).sum()
}

/// Unpacks packages into a folder that appears under its name only when all of them are in it.
fn unpack(debs: &[PathBuf], dir: &Path) -> Result<()> {
    let mut step = Step::new(format!("unpack {} packages", debs.len()));
    let partial = PathBuf::from(format!("{}.partial", dir.display()));
    files::remove_dir(&partial)?;
    files::remove_dir(dir)?;
    fs::create_dir_all(&partial)?;
    for (done, deb) in debs.iter().enumerate() {
        step.progress(&format!("{done} of {}", debs.len()));
        output(Command::new("dpkg-deb").arg("-x").arg(deb).arg(&partial))?;
    }
    fs::rename(&partial, dir)?;
    step.done("");
    Ok(())
}

fn extract_matching(deb: &Path, pattern: &str, into: &Path) -> Result<()> {
    let mut dpkg = Command::new("dpkg-deb").arg("--fsys-tarfile").arg(deb).stdout(Stdio::piped()).spawn()?;
    let tar = dpkg.stdout.take().context("dpkg-deb has no output")?;
    let mut command = Command::new("tar");
    command.arg("-xC").arg(into).args(["-f-", "--wildcards", pattern]).stdin(tar);
    let extracted = output(&mut command);
    ensure!(dpkg.wait()?.success(), "dpkg-deb could not read {}", deb.display());
    extracted.map(drop)
}

/// Moves every file of one tree to its place in another of the same file system.
fn move_files(from: &Path, to: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            count += move_files(&entry.path(), &target)?;
        } else {
            fs::rename(entry.path(), target)?;
            count += 1;
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_apt_are_told_from_its_chatter() {
        assert_eq!(
            complaints("Reading...\nE: no such suite\nW: x\nE: second\n"),
            "E: no such suite; E: second"
        );
        assert_eq!(complaints("first\nlast\n\n"), "last");
        assert_eq!(complaints(""), "");
    }
}
