//! The tool as a user runs it, against peers of the test's own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helper functions too")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::thread;

/// Runs the tool without what the environment of the test would tell it.
fn porpoise(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_porpoise"));
    command.args(args).env_remove("MYSQL_PWD").env("NO_COLOR", "1");
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A peer for each connection that comes; gives its address.
fn peer(talk: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            talk(stream.unwrap());
        }
    });
    address
}

/// A peer that says something and then waits for the end.
fn says(bytes: &'static [u8]) -> String {
    peer(move |mut stream| {
        stream.write_all(bytes).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

/// ERR 1040 in place of a greeting: length, sequence id, 0xFF, code, message.
const TOO_MANY: &[u8] = b"\x17\0\0\0\xff\x10\x04Too many connections";

/// A greeting of protocol 10 that offers PROTOCOL_41, SECURE_CONNECTION and PLUGIN_AUTH, and no TLS.
const GREETING: &[u8] = b"\x4a\0\0\0\x0a8.0.99\0\x07\0\0\0abcdefgh\0\x00\x82\xff\x02\0\x08\0\x15\
    \0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0caching_sha2_password\0";

/// OK: no rows, autocommit.
const OK: &[u8] = b"\x07\0\0\x02\0\0\0\x02\0\0\0";

/// A peer that lets everybody in.
fn server() -> String {
    peer(|mut stream| {
        stream.write_all(GREETING).unwrap();
        let mut head = [0; 4];
        // A client that does not like the greeting goes away here.
        if stream.read_exact(&mut head).is_err() {
            return;
        }
        let len = usize::from(head[0]) | usize::from(head[1]) << 8;
        stream.read_exact(&mut vec![0; len]).unwrap();
        stream.write_all(OK).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

#[test]
fn a_refusal_in_place_of_a_greeting() {
    let url = format!("mysql://app:hunter2@{}/", says(TOO_MANY));
    let output = porpoise(&["connect", &url]);
    let shown = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    for part in ["failed in       ", "Too many connections", "1040 (ER_CON_COUNT_ERROR)", "max_connections"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("hunter2") && !shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn lines_of_a_refusal() {
    let url = format!("mysql://app:hunter2@{}/", says(TOO_MANY));
    let output = porpoise(&["connect", &url, "--format", "jsonl"]);
    let shown = stdout(&output);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines[0], r#"{"t": "stage", "n": 2, "name": "NET_BEGIN_CONNECT"}"#);
    let last = lines.last().unwrap();
    assert!(
        last.starts_with(r#"{"t": "step", "step": "connect", "rc": 1, "errno": 1040, "sqlstate": ""#),
        "{last}"
    );
    assert!(last.ends_with(r#""error": "Too many connections"}"#), "{last}");
}

#[test]
fn a_login_is_closed_after_its_step() {
    let url = format!("mysql://app@{}/", server());
    for runtime in ["tokio", "async-std", "blocking"] {
        let output = porpoise(&["connect", &url, "--format", "jsonl", "--runtime", runtime]);
        let shown = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{runtime}: {shown}");
        let end: Vec<_> = shown.lines().rev().take(4).collect();
        assert_eq!(
            end,
            [
                r#"{"t": "event", "stage": "READY_FOR_COMMAND", "event": "DISCONNECTED"}"#,
                r#"{"t": "event", "stage": "READY_FOR_COMMAND", "event": "PACKET_SENT", "pkt_len": 0}"#,
                r#"{"t": "event", "stage": "READY_FOR_COMMAND", "event": "SEND_COMMAND", "cmd": 1, "cmd_name": "COM_QUIT", "hdr_len": 0, "pkt_len": 0}"#,
                r#"{"t": "step", "step": "connect", "rc": 0, "errno": 0, "sqlstate": "00000", "tls": false}"#,
            ]
        );
    }
}

#[test]
fn statistics_of_several_connects() {
    let url = format!("mysql://app@{}/", server());
    let output = porpoise(&["connect", &url, "--repeat", "5"]);
    let shown = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains(": 5 connects (tokio)") && shown.contains("median"), "{shown}");
    let output = porpoise(&["connect", &url, "--repeat", "3", "--format", "json"]);
    let stats: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&stats["connects"], &stats["connected"]), (&3.into(), &3.into()));
    assert_eq!(stats["stages"][0]["name"], "NET_BEGIN_CONNECT");
}

#[test]
fn each_kind_of_failure_has_its_exit_code() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let hangs_up = peer(drop);
    let mute = says(b"");
    let ssh = says(b"SSH-2.0-OpenSSH_9.9\r\n");
    // A notice frame of the X Protocol: length, type 11, payload.
    let x = says(b"\x05\0\0\0\x0b\x08\x05\x1a\0");
    let plain = server();
    for (url, code, stage) in [
        (format!("mysql://app@{closed}/"), 3, "NET_WAIT_CONNECT"),
        (format!("mysql://app@{hangs_up}/"), 3, "READ_GREETING"),
        (format!("mysql://app@{mute}/?stage-timeout=READ_GREETING:50ms"), 3, "READ_GREETING"),
        (format!("mysql://app@{mute}/?connect-timeout=50ms"), 3, "READ_GREETING"),
        ("mysql://app@/?socket=/no/such.sock".to_owned(), 3, "NET_BEGIN_CONNECT"),
        (format!("mysql://app@{plain}/?ssl-mode=REQUIRED"), 4, "ESTABLISH_SSL"),
        (format!("mysql://app@{plain}/?ssl-mode=VERIFY_CA"), 4, "ESTABLISH_SSL"),
        (format!("mysql://app@{plain}/?default-auth=mysql_clear_password"), 5, "AUTH_"),
        (format!("mysql://app@{ssh}/"), 6, "READ_GREETING"),
        (format!("mysql://app@{x}/"), 6, "PARSE_HANDSHAKE"),
    ] {
        let output = porpoise(&["connect", &url, "--format", "json"]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{url}: {report:#}");
        assert_eq!(report["error"]["exit_code"], code, "{url}");
        let died = report["error"]["stage"].as_str().unwrap();
        assert!(died.starts_with(stage), "{url}: {died}");
        assert_eq!(report["connected"], false);
        assert!(report["error"]["advice"].is_string(), "{url}: {report:#}");
    }
}

#[test]
fn what_cannot_be_used_is_said() {
    for (args, expected) in [
        (&["connect", "mysql://h/?ssl-mod=x"][..], "unknown key \"ssl-mod\": did you mean ssl-mode?"),
        (&["connect", "mysql://h", "--ssl-mode", "on"], "ssl-mode=\"on\": expected one of DISABLED"),
        (&["connect", "http://h"], "the URL does not start with mysql://"),
        (&["connect", "mysql://h", "--password-file", "/no/such"], "--password-file /no/such: No such file"),
        (&["connect", "mysql://h", "-p", "--password-file", "x"], "cannot be used with"),
        (&["connect", "mysql://h", "--repeat", "0"], "--repeat"),
        (&["connect"], "<URL>"),
        (&["mysql://u:hunter2@h"], "a URL is where none is expected"),
        (&["connect", "mysql://h", "mysql://u:hunter2@h"], "a URL is where none is expected"),
    ] {
        let output = porpoise(args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(expected), "{args:?}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert!(output.stdout.is_empty(), "{}", stdout(&output));
    }
}

#[test]
fn help_is_no_failure() {
    let output = porpoise(&["connect", "--help"]);
    let shown = stdout(&output);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        shown.contains("Examples:") && shown.contains("Exit codes:") && shown.contains("ssl-mode=MODE"),
        "{shown}"
    );
}

/// What the tool sends to log in. The greeting is always the same, so that it differs only with the password.
fn login(url_password: &str, tune: impl FnOnce(&mut Command)) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("mysql://app{url_password}@{address}/?connection-attributes=false");
    let mut tool = command(&["connect", &url]);
    tune(&mut tool);
    let tool = thread::spawn(move || tool.output().unwrap());
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(GREETING).unwrap();
    let mut head = [0; 4];
    stream.read_exact(&mut head).unwrap();
    let mut login = vec![0; usize::from(head[0]) | usize::from(head[1]) << 8];
    stream.read_exact(&mut login).unwrap();
    drop(stream);
    let output = tool.join().unwrap();
    let shown = stdout(&output) + &stderr(&output);
    assert!(!shown.contains("pw-"), "{shown}");
    login
}

#[test]
fn which_password_is_used() {
    let file = std::env::temp_dir().join(format!("porpoise-cli-{}", std::process::id()));
    std::fs::write(&file, "pw-file\n").unwrap();
    let [none, url, env, of_file] =
        ["", ":pw-url", ":pw-env", ":pw-file"].map(|password| login(password, |_| {}));
    assert!(none != url && url != env && env != of_file);

    let with_env = |tool: &mut Command| {
        tool.env("MYSQL_PWD", "pw-env");
    };
    let with_both = |tool: &mut Command| {
        tool.env("MYSQL_PWD", "pw-env").arg("--password-file").arg(&file);
    };
    assert_eq!(login("", with_env), env);
    assert_eq!(login(":pw-url", with_env), url);
    assert_eq!(login(":", with_env), none);
    assert_eq!(login(":pw-url", with_both), of_file);
    std::fs::remove_file(&file).unwrap();
}

/// A peer that lets everybody in, then answers one command after the other.
fn answers(replies: &'static [&'static [u8]]) -> String {
    peer(move |mut stream| {
        stream.write_all(GREETING).unwrap();
        let packet = |stream: &mut TcpStream| {
            let mut head = [0; 4];
            stream.read_exact(&mut head).ok()?;
            let len = usize::from(head[0]) | usize::from(head[1]) << 8;
            stream.read_exact(&mut vec![0; len]).ok()
        };
        packet(&mut stream).unwrap();
        stream.write_all(OK).unwrap();
        for reply in replies {
            if packet(&mut stream).is_none() {
                return;
            }
            stream.write_all(reply).unwrap();
        }
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

/// One column `a` of type LONG, one row `7`, and behind both an EOF; then OK for the statement behind it.
const ROW: &[u8] = b"\x01\0\0\x01\x01\x17\0\0\x02\x03def\0\0\0\x01a\0\x0c\x3f\0\x0b\0\0\0\x03\0\0\0\0\0\
    \x05\0\0\x03\xfe\0\0\x02\0\x02\0\0\x04\x017\x05\0\0\x05\xfe\0\0\x0a\0\x07\0\0\x06\0\x02\x05\x02\0\0\0";
/// ERR 1064 with SQLSTATE 42000.
const SYNTAX: &[u8] = b"\x0c\0\0\x01\xff\x28\x04#42000bad";
/// OK for a command.
const DONE: &[u8] = b"\x07\0\0\x01\0\0\0\x02\0\0\0";

#[test]
fn results_in_every_format() {
    for (format, rows) in [("csv", "a\r\n7\r\n"), ("json", "[\n  {\"a\": 7}\n]\n"), ("jsonl", "{\"a\": 7}\n")]
    {
        let url = format!("mysql://app@{}/", answers(&[ROW]));
        let output = porpoise(&["query", &url, "select 7; update t", "--format", format]);
        assert_eq!((stdout(&output), output.status.code()), (rows.to_owned(), Some(0)));
    }
    let url = format!("mysql://app@{}/", answers(&[ROW]));
    let shown = stdout(&porpoise(&["query", &url, "select 7; update t"]));
    assert!(
        shown.starts_with("a\n─\n7\n1 row (") && shown.contains("\n\nOK, 2 rows affected, insert id 5 ("),
        "{shown}"
    );
}

#[test]
fn a_statement_that_fails() {
    let url = format!("mysql://app@{}/", answers(&[SYNTAX]));
    let output = porpoise(&["query", &url, "selec", "--format", "json", "--stages"]);
    assert_eq!((stdout(&output), output.status.code()), (String::new(), Some(1)));
    let told = stderr(&output);
    assert!(told.starts_with("error 1064 (42000): bad\n") && told.contains("READ_GREETING"), "{told}");
}

fn run(url: &str, args: &[&str], script: &str) -> Output {
    let mut command = command(&[&["run", url], args].concat());
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_script_of_commands() {
    let script = "# a comment\nbind i1\nquery select 7\n\nquery:selec\nstmt_next\nping\n";
    let url = format!("mysql://app@{}/", answers(&[ROW, SYNTAX, DONE]));
    let output = run(&url, &[], script);
    assert_eq!(
        stdout(&output),
        "connect: OK, not encrypted\n\
         bind: error 2030 (HY000): the statement is not prepared\n\
         a\n─\n7\n\
         query: OK, 1 column, 1 row, more results follow, MORE_RESULTS_EXISTS\n\
         query: OK, 2 affected, insert id 5, autocommit\n\
         query: error 1064 (42000): bad\n\
         stmt_next: error 2030 (HY000): the statement is not prepared\n\
         ping: OK\n"
    );
    // The first that failed.
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn lines_of_a_script() {
    let url = format!("mysql://app@{}/", answers(&[ROW, DONE]));
    let output = run(&url, &["--format", "jsonl"], "query select 7\nping\n");
    let shown = stdout(&output);
    let lines: Vec<_> = shown.lines().filter(|line| line.contains("\"step\"")).collect();
    assert_eq!(
        lines,
        [
            r#"{"t": "step", "step": "connect", "rc": 0, "errno": 0, "sqlstate": "00000", "tls": false}"#,
            r#"{"t": "step", "step": "query", "rc": 0, "errno": 0, "sqlstate": "00000", "result": 1, "columns": 1, "rows": 1, "affected": 1, "insert_id": 0, "warnings": 0, "status": 10, "more": true}"#,
            r#"{"t": "step", "step": "query", "rc": 0, "errno": 0, "sqlstate": "00000", "result": 2, "columns": 0, "rows": 0, "affected": 2, "insert_id": 5, "warnings": 0, "status": 2, "more": false}"#,
            r#"{"t": "step", "step": "ping", "rc": 0, "errno": 0, "sqlstate": "00000"}"#,
        ]
    );
    assert_eq!(output.status.code(), Some(0));
    assert!(shown.ends_with("\"READY_FOR_COMMAND\", \"event\": \"DISCONNECTED\"}\n"), "{shown}");
}

#[test]
fn a_line_that_is_no_command_ends_the_script() {
    let url = format!("mysql://app@{}/", answers(&[DONE]));
    let output = run(&url, &[], "ping\nquey select 1\nping\n");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output), "error: line 2: no command \"quey\"; is \"query\" meant?\n");
    assert_eq!(stdout(&output).matches("ping: OK").count(), 1);
}
