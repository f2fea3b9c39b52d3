//! A server of a test's own, for what others that are up may not be bothered with.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, process};

use anyhow::{Context as _, Result, bail, ensure};

use crate::Server;

const HOST: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// How long a server may take to make its data folder, to start, or to stop.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server with the program of another that is up, on a data folder of its own. Both are gone with this value.
#[derive(Debug)]
pub struct Instance {
    folder: PathBuf,
    /// The program with what it needs to run at all.
    program: Vec<String>,
    model: Server,
    child: Option<Child>,
    /// How to reach it, while it runs.
    server: Server,
}

impl Instance {
    /// Makes a data folder. Nothing runs yet.
    ///
    /// # Errors
    /// The model is not a process on this machine, or its program cannot make a data folder.
    pub fn like(model: &Server) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("porpoise-{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = env::temp_dir().join(name);
        let instance = Self {
            program: program(model)?,
            folder,
            model: model.clone(),
            child: None,
            server: model.clone(),
        };
        for folder in [&instance.folder, &instance.data(), &instance.folder.join("tmp")] {
            fs::create_dir_all(folder)?;
        }
        let made = instance.command()?.arg("--initialize-insecure").status()?;
        ensure!(made.success(), "the data folder of an own server: {made}: {}", instance.log());
        Ok(instance)
    }

    /// Starts it with these options, after it was stopped if it ran.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start(&mut self, options: &[&str]) -> Result<&Server> {
        self.stop()?;
        let (port, mysqlx) = (free_port()?, free_port()?);
        let (socket, mysqlx_socket) = (self.folder.join("mysql.sock"), self.folder.join("mysqlx.sock"));
        let mut command = self.command()?;
        command
            .args([
                format!("--port={port}"),
                format!("--mysqlx-port={mysqlx}"),
                format!("--socket={}", socket.display()),
                format!("--mysqlx-socket={}", mysqlx_socket.display()),
                format!("--pid-file={}", self.folder.join("mysqld.pid").display()),
            ])
            .args([
                "--bind-address=127.0.0.1",
                "--mysqlx-bind-address=127.0.0.1",
                "--innodb-buffer-pool-size=32M",
                "--innodb-redo-log-capacity=32M",
                "--secure-file-priv=",
                // Nothing of it has to outlive a crash.
                "--skip-log-bin",
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-doublewrite=OFF",
            ])
            .args(options);
        self.child = Some(command.spawn()?);
        self.server = Server {
            name: format!("{} of its own", self.model.name),
            host: HOST.to_string(),
            port,
            socket: Some(socket.clone()),
            mysqlx_port: Some(mysqlx),
            mysqlx_socket: Some(mysqlx_socket.clone()),
            root_user: "root".to_owned(),
            root_password: String::new(),
            datadir: Some(self.data()),
            ..self.model.clone()
        };
        let begun = Instant::now();
        while !socket.exists()
            || !mysqlx_socket.exists()
            || self.server.run("select 1").is_err()
            || TcpStream::connect((HOST, mysqlx)).is_err()
        {
            if let Some(status) = self.child.as_mut().map(Child::try_wait).transpose()?.flatten() {
                bail!("an own server ended ({status}) instead of starting: {}", self.log());
            }
            ensure!(begun.elapsed() < PATIENCE, "an own server does not answer: {}", self.log());
            sleep(Duration::from_millis(20));
        }
        Ok(&self.server)
    }

    /// The server, while it runs.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// Has it end by itself, as SHUTDOWN does it, and waits for that.
    ///
    /// # Errors
    /// It does not.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        // It may be on its way already.
        let _ = self.server.run("shutdown");
        let begun = Instant::now();
        while child.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                bail!("an own server does not stop: {}", self.log());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The program on the data folder. What it says goes into a file.
    fn command(&self) -> Result<Command> {
        let log = File::options().create(true).append(true).open(self.log_file())?;
        let (program, args) = self.program.split_first().context("no program")?;
        let mut command = Command::new(program);
        command.args(args);
        command.arg(format!("--datadir={}", self.data().display()));
        command.arg(format!("--tmpdir={}", self.folder.join("tmp").display()));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines: Vec<_> = log.lines().filter(|line| line.contains("[ERROR]")).collect();
        lines.join("; ")
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Nothing of it is wanted any more.
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The command line of a server that runs, up to where it says what is its own.
fn program(server: &Server) -> Result<Vec<String>> {
    let pid_file = server.pid_file.as_deref();
    let pid_file = pid_file.with_context(|| format!("{} is no process of this machine's", server.name))?;
    let pid = fs::read_to_string(pid_file).with_context(|| pid_file.display().to_string())?;
    let line = fs::read(Path::new("/proc").join(pid.trim()).join("cmdline"))?;
    let args = line.split(|byte| *byte == 0).map(|arg| String::from_utf8_lossy(arg).into_owned());
    let args: Vec<_> = args.take_while(|arg| !arg.starts_with("--datadir")).collect();
    ensure!(!args.is_empty(), "{} has no command line", server.name);
    Ok(args)
}

/// A port on which nobody listens.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((HOST, 0))?.local_addr()?.port())
}
