//! What MySQL's own client was recorded to do, done by the tool: `porpoise run URL SCRIPT --format jsonl`, with a
//! scenario's options as the URL and its steps as the script, tells the same lines.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use porpoise_test_support::{Place, Scenario, Server, compare, root};

use crate::golden::{FILE, servers, transport};
use crate::scene::{self, Scene};
use crate::suite::{Context, Suite};

/// How long a scenario may take; the longest sleeps for some seconds.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn add(suite: &mut Suite) {
    let scenarios = Scenario::all().unwrap_or_else(|error| panic!("tests/golden: {error:#}"));
    for scenario in scenarios.into_iter().map(Arc::new) {
        let transport = transport(&scenario);
        for (i, server) in servers(&scenario).iter().copied().enumerate() {
            let name = if i == 0 { scenario.name.clone() } else { format!("{}::{server}", scenario.name) };
            let test = Arc::clone(&scenario);
            suite.add_on_each_runtime(&format!("tool::{name}"), transport, server, move |context| {
                run(context, &test)
            });
        }
    }
}

/// The tool's program. It is built once if this is not a run of the whole workspace.
pub(crate) fn program() -> Result<&'static Path> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let build = || -> Result<PathBuf> {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let built = cargo.args(["build", "--quiet", "--package", "porpoise-cli", "--bin", "porpoise"]);
        ensure!(built.current_dir(root()).status()?.success(), "the tool cannot be built");
        // target/debug/deps/e2e-...
        let this = env::current_exe()?;
        let path = this.ancestors().nth(2).context("no target folder")?.join("porpoise");
        ensure!(path.is_file(), "{} is not there", path.display());
        Ok(path)
    };
    let program = PROGRAM.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    program.as_deref().map_err(|error| anyhow!("{error}"))
}

fn run(context: &Context, scenario: &Scenario) -> Result<()> {
    let (server, program) = (context.server()?, program()?);
    let scene = Scene::set(scenario, server)?;
    let folder = Folder::new(context, scenario)?;
    let url = url(scenario, server, &scene.place, &folder.0)?;
    let mut command = Command::new(program);
    command.args(["run", &url, "-", "--format", "jsonl", "--runtime", context.runtime().name()]);
    command.current_dir(&folder.0).env_remove("MYSQL_PWD");
    let steps = scenario.steps.iter().map(|step| format!("{} {}\n", step.name, step.argument));
    let told = output(&mut command, &steps.collect::<String>()).with_context(|| url.clone())?;
    let lines: Vec<String> = told.lines().map(str::to_owned).collect();
    compare(&scenario.lines, &lines, &scenario.unstable).map_err(|difference| anyhow!("{url}\n{difference}"))
}

/// What a program wrote.
pub(crate) struct Told {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the tool with this input, and gives what it writes. A panic is an error, and so is its being ended by a signal.
fn output(command: &mut Command, input: &str) -> Result<String> {
    let Told { stdout, stderr } = told(command, input)?;
    if stdout.is_empty() || stderr.contains("panicked") {
        bail!("it told {} bytes: {stderr}", stdout.len());
    }
    Ok(stdout)
}

/// Runs a program with this input, and gives what it writes.
pub(crate) fn told(command: &mut Command, input: &str) -> Result<Told> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("no standard input")?.write_all(input.as_bytes())?;
    let stdout = child.stdout.take().context("no standard output")?;
    let stderr = child.stderr.take().context("no standard error")?;
    let (stdout, stderr) = (thread::spawn(|| read(stdout)), thread::spawn(|| read(stderr)));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > PATIENCE {
            child.kill()?;
            bail!("it takes longer than {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(2));
    };
    let text =
        |thread: thread::JoinHandle<Result<String>>| thread.join().map_err(|_| anyhow!("no output"))?;
    let told = Told { stdout: text(stdout)?, stderr: text(stderr)? };
    // 101 is a panic, and no code is a signal.
    if status.code().is_none_or(|code| code > 100) {
        bail!("it ended with {status}: {}", told.stderr);
    }
    Ok(told)
}

/// All that comes, as text.
fn read(mut from: impl std::io::Read) -> Result<String> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A folder that is gone with this value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// With the files that scenarios load.
    fn new(context: &Context, scenario: &Scenario) -> Result<Self> {
        let folder = Self::named(&format!("{}-{}", scenario.name, context.runtime().name()))?;
        fs::write(folder.0.join("ok.txt"), FILE)?;
        Ok(folder)
    }

    /// An empty one.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let folder = Self(env::temp_dir().join(format!("porpoise-tool-{}-{name}", std::process::id())));
        fs::create_dir_all(&folder.0)?;
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in a temporary folder does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The options of a scenario as a URL.
fn url(scenario: &Scenario, server: &Server, place: &Place, folder: &Path) -> Result<String> {
    let option = |name| scenario.option(name).map(encoded);
    let mut url = "mysql://".to_owned();
    if let Some(user) = option("user") {
        url.push_str(&user);
        url.extend(option("password").into_iter().flat_map(|password| [":".to_owned(), password]));
        url.push('@');
    }
    let mut keys = Vec::new();
    match place {
        Place::Tcp(address) => write!(url, "{address}")?,
        Place::Unix(path) => keys.push(("socket", path.to_str().context("a path")?.to_owned())),
        place => bail!("an unknown place: {place:?}"),
    }
    write!(url, "/{}", option("db").unwrap_or_default())?;
    let mut attributes = Vec::new();
    for given in &scenario.options {
        let mut words = given.iter().map(String::as_str);
        let (name, value) = (words.next().context("an option")?, words.next().unwrap_or_default());
        let key = match name {
            "user" | "no_user" | "db" | "giveup_ms" => continue,
            "password" if scenario.option("user").is_some() => continue,
            "attr" => {
                attributes.push(value);
                continue;
            }
            _ => key(name, value).with_context(|| format!("option {name}"))?,
        };
        let value = match name {
            "ca" | "cert" | "key" | "pk_file" => file(server, value, folder)?,
            "local_infile" => (value == "1").to_string(),
            _ if value.is_empty() => "true".to_owned(),
            _ => value.to_owned(),
        };
        keys.push((key, value));
    }
    if !attributes.is_empty() {
        keys.push(("connection-attributes", format!("[{}]", attributes.join(","))));
    }
    for (i, (key, value)) in keys.iter().enumerate() {
        write!(url, "{}{key}={}", if i == 0 { '?' } else { '&' }, encoded(value))?;
    }
    Ok(url)
}

/// The URL's key that means the same as an option. They are listed in `tests/golden/README.md`.
fn key(option: &str, value: &str) -> Result<&'static str> {
    Ok(match option {
        "password" | "password1" => "password1",
        "password2" => "password2",
        "password3" => "password3",
        "ssl" => "ssl-mode",
        "ca" => "ssl-ca",
        "cert" => "ssl-cert",
        "key" => "ssl-key",
        "get_pk" => "get-server-public-key",
        "pk_file" => "server-public-key-path",
        "cleartext" => "enable-cleartext-plugin",
        "default_auth" => "default-auth",
        "connect_timeout" => "connect-timeout",
        "max_packet" => "max-allowed-packet",
        "compress" => "compression-algorithms",
        "zstd_level" => "zstd-compression-level",
        "init" => "init-command",
        "multi" => "multi-statements",
        "local_infile" => "local-infile",
        "charset" => "default-character-set",
        "expired_ok" => "connect-expired-password",
        "optional_metadata" => "optional-resultset-metadata",
        "found_rows" => "found-rows",
        "interactive" => "interactive",
        "ignore_space" => "ignore-space",
        _ => bail!("no key of a URL stands for {option} {value}"),
    })
}

/// The path of a file that a scenario names.
fn file(server: &Server, name: &str, folder: &Path) -> Result<String> {
    let path = match name {
        "other-ca.pem" => {
            let path = folder.join(name);
            fs::write(&path, scene::file(server, name)?)?;
            path
        }
        _ => server.file(name)?,
    };
    Ok(path.to_str().context("a path")?.to_owned())
}

fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => encoded.push(byte.into()),
            // Writing to a string cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}
