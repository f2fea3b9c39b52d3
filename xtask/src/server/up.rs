//! `cargo xtask server up`: what is missing is brought up, what runs is left alone.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail, ensure};

use super::client::{self, Admin};
use super::files::{self, Lock};
use super::install::{Family, Kind, MARIADB, MYSQL};
use super::launch::{self, Home, Launch};
use super::paths::Paths;
use super::state::{Server, Source, State};
use super::url::{self, Target};
use super::{lock_path, names};
use crate::Result;

/// Brings up MySQL, with `all` the other servers too.
pub(super) fn up(paths: &Paths, all: bool, from: Option<Source>) -> Result<()> {
    files::private_dir(&paths.instance)?;
    let _lock = Lock::take(&lock_path(paths))?;
    tidy_up(paths)?;
    let state = State::load(&paths.state).unwrap_or_else(|error| {
        eprintln!("{error:#}; it is written anew");
        State::empty()
    });
    let mut up = Up { paths, state, from, os_user: os_user()? };
    up.mysql()?;
    if !all {
        return Ok(());
    }
    let mut failures = Vec::new();
    failures.extend(up.test_plugins().context("test plugins").err());
    for kind in &MARIADB {
        failures.extend(up.mariadb(kind).err());
    }
    let failures: Vec<String> = failures.iter().map(|error| format!("{error:#}")).collect();
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// One run of `up`.
#[derive(Debug)]
struct Up<'a> {
    paths: &'a Paths,
    state: State,
    from: Option<Source>,
    os_user: String,
}

impl Up<'_> {
    fn mysql(&mut self) -> Result<()> {
        let target = Target::from_env()?.filter(|_| self.from.is_none());
        let fits = |server: &Server| match &target {
            Some(target) => target.is(server),
            None => server.source != Source::Url, // the variable is gone, or --from overrules it
        };
        if self.is_up(&MYSQL, fits)? {
            return Ok(());
        }
        let Some(target) = target else { return self.bring_up(&MYSQL) };
        eprintln!("{}: taking the server that {} names", MYSQL.name, url::ENV);
        // Ours would only be in the way: the name stands for one server.
        Home::new(self.paths, MYSQL.name).stop()?;
        let server = target.adopt(self.paths, &self.os_user)?;
        self.note(server)
    }

    fn mariadb(&mut self, kind: &Kind) -> Result<()> {
        if self.is_up(kind, |_| true)? { Ok(()) } else { self.bring_up(kind) }
    }

    /// Whether that server answers and fits what is asked for now. Its accounts are brought up to date.
    fn is_up(&mut self, kind: &Kind, fits: impl Fn(&Server) -> bool) -> Result<bool> {
        let Some(server) = self.state.get(kind.name) else { return Ok(false) };
        let mut server = server.clone();
        let wanted = self.sources(kind).contains(&server.source) || server.source == Source::Url;
        if !wanted || !fits(&server) || !self.answers(&server) {
            return Ok(false);
        }
        let sql = client::setup_sql(kind.family, &server.os_user);
        let digest = client::setup_digest(&sql, server.test_plugins);
        if server.setup.as_ref().is_some_and(|known| *known != digest) {
            let plugins = server.test_plugins;
            launch::set_up(kind.family, &mut server, plugins)?;
            self.note(server.clone())?;
        }
        eprintln!("{} is up ({}, from {})", kind.name, server.version, server.source);
        Ok(true)
    }

    /// The sources to try, best first. Only MySQL is taken from `PATH`: of MariaDB the release matters.
    fn sources(&self, kind: &Kind) -> Vec<Source> {
        let path = if kind.family == Family::MySql { &[Source::Path][..] } else { &[] };
        let all = [path, &[Source::Apt, Source::Docker]].concat();
        match self.from {
            Some(from) if all.contains(&from) => vec![from],
            _ => all,
        }
    }

    fn answers(&self, server: &Server) -> bool {
        if server.pid_file.is_some() && !Home::new(self.paths, &server.name).runs() {
            return false;
        }
        Admin::of(server).map_or_else(|| url::answers(&server.host, server.port), |a| a.version().is_ok())
    }

    /// Tries one source after the other; says why each failed when all did.
    fn bring_up(&mut self, kind: &Kind) -> Result<()> {
        self.state.remove(kind.name);
        self.state.save(&self.paths.state)?;
        let mut failures = Vec::new();
        for source in self.sources(kind) {
            let began = Instant::now();
            match self.bring_up_from(kind, source) {
                Ok(server) => {
                    let took = began.elapsed().as_secs_f64();
                    eprintln!("{} is up ({}, from {source}) after {took:.1} s", kind.name, server.version);
                    return self.note(server);
                }
                Err(error) => {
                    failures.push(format!("  {source}: {}", format!("{error:#}").replace('\n', "\n    ")))
                }
            }
        }
        if kind.family == Family::MySql && self.from.is_none() {
            failures.insert(0, format!("  {}: not set", url::ENV));
        }
        bail!("{} cannot be had here. What was tried:\n{}", kind.name, failures.join("\n"))
    }

    fn bring_up_from(&self, kind: &Kind, source: Source) -> Result<Server> {
        let installation = kind.install(source, self.paths)?;
        eprintln!("{}: bringing it up from {source}", kind.name);
        let launch = Launch {
            kind,
            installation: &installation,
            home: Home::new(self.paths, kind.name),
            first_port: self.paths.first_port(),
            os_user: &self.os_user,
            certificates: self.state.get(MYSQL.name).and_then(|mysql| mysql.datadir.clone()),
        };
        launch.start()
    }

    /// Adds the server plugins of MySQL's regression tests to a running MySQL.
    fn test_plugins(&mut self) -> Result<()> {
        let mut server = self.state.get(MYSQL.name).context("MySQL is not up")?.clone();
        if server.test_plugins {
            return Ok(());
        }
        if server.source == Source::Apt {
            MYSQL.add_test_plugins(self.paths)?;
        }
        let advice =
            "the server must have auth_test_plugin.so of MySQL's regression tests in its plugin folder";
        launch::set_up(MYSQL.family, &mut server, true).context(advice)?;
        self.note(server)
    }

    fn note(&mut self, server: Server) -> Result<()> {
        self.state.put(server);
        self.state.save(&self.paths.state)
    }
}

/// Stops and removes what belongs to clones that are gone, and marks what belongs to this one.
fn tidy_up(paths: &Paths) -> Result<()> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    // The cache may be shared with another machine, whose folders cannot be seen from here.
    let mark = format!("{host}\n{}", paths.workspace.display());
    fs::write(paths.instance.join("workspace"), &mark)?;

    let instances = paths.instance.parent().context("instances have a folder")?;
    for entry in fs::read_dir(instances)?.flatten() {
        let instance = entry.path();
        let mark = fs::read_to_string(instance.join("workspace")).unwrap_or_default();
        let Some((on, workspace)) = mark.split_once('\n') else { continue };
        let workspace = PathBuf::from(workspace);
        if on == host && !workspace.exists() {
            eprintln!("removing the servers of {}, which is gone", workspace.display());
            let gone = paths.of_workspace(workspace);
            for home in names().map(|name| Home::new(&gone, name)) {
                home.stop()?;
                home.remove()?;
            }
            files::remove_dir(&instance)?;
        }
    }
    Ok(())
}

/// Who runs the tests.
fn os_user() -> Result<String> {
    let output = Command::new("id").arg("-un").output().context("starting id")?;
    ensure!(output.status.success(), "id -un failed: {}", output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_string())
}
