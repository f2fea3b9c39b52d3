//! The tool over the X Protocol, against peers of the test's own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helper functions too")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::thread;

/// A greeting of the classic protocol: header, protocol 10, a version, and what follows.
const CLASSIC: &[u8] = b"\x4a\0\0\0\x0a8.0.99\0\x07\0\0\0abcdefgh\0\x00\x82\xff\x02\0\x08\0\x15\
    \0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0caching_sha2_password\0";
/// A global notice, ServerHello.
const HELLO: &[u8] = b"\x05\0\0\0\x0b\x08\x05\x1a\0";
/// Error 5001, not fatal: TLS is refused.
const NO_TLS: &[u8] = b"\x0f\0\0\0\x01\x10\x89\x27\x1a\x02no\x22\x05HY000";
/// Capabilities: none. AuthenticateContinue with 20 bytes.
const CHALLENGE: &[u8] = b"\x01\0\0\0\x02\x17\0\0\0\x03\x0a\x14abcdefghijklmnopqrs\0";
/// A local notice (type 3), CLIENT_ID_ASSIGNED 7; AuthenticateOk.
const LET_IN: &[u8] =
    b"\x0f\0\0\0\x0b\x08\x03\x10\x02\x1a\x08\x08\x0b\x12\x04\x08\x02\x18\x07\x03\0\0\0\x04\x0a\0";
/// A result: a column SINT "1", a row, FetchDone, StmtExecuteOk.
const RESULT: &[u8] =
    b"\x06\0\0\0\x0c\x08\x01\x12\x011\x04\0\0\0\x0d\x0a\x01\x02\x01\0\0\0\x0e\x01\0\0\0\x11";
/// Ok "bye!".
const BYE: &[u8] = b"\x07\0\0\0\x00\x0a\x04bye!";

/// A peer that says the first thing at once, and one more for each thing that it is told; then it hangs up.
fn says(answers: &'static [&'static [u8]]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            talk(stream.unwrap(), answers);
        }
    });
    address
}

fn talk(mut stream: TcpStream, answers: &[&[u8]]) {
    for (i, answer) in answers.iter().enumerate() {
        // One message at a time is enough of these clients.
        if i > 0 && stream.read(&mut [0; 4096]).unwrap_or_default() == 0 {
            return;
        }
        if stream.write_all(answer).is_err() {
            return;
        }
    }
}

/// A server without TLS that lets everybody in who answers its challenge, and knows one statement.
fn server() -> String {
    says(&[HELLO, NO_TLS, CHALLENGE, LET_IN, RESULT, BYE])
}

fn porpoise(args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_porpoise"));
    command.args(args).env_remove("MYSQL_PWD").env("NO_COLOR", "1");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn url(address: &str) -> String {
    format!("mysqlx://app:hunter2@{address}/")
}

#[test]
fn the_classic_port_is_named() {
    let address = says(&[CLASSIC, b""]);
    let output = porpoise(&["connect", &url(&address)], "");
    let shown = stdout(&output);
    assert_eq!(output.status.code(), Some(6), "{shown}");
    for part in ["the server speaks the classic protocol", "2007 (CR_VERSION_ERROR)", "use the X port"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let output = porpoise(&["query", &url(&address), "select 1"], "");
    assert_eq!(output.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&output.stderr).contains("mysql:// URL"));
}

#[test]
fn the_x_port_is_named() {
    let address = says(&[HELLO, b""]);
    let output = porpoise(&["connect", &url(&address).replace("mysqlx", "mysql")], "");
    let shown = stdout(&output);
    assert_eq!(output.status.code(), Some(6), "{shown}");
    assert!(shown.contains("what answers speaks the X Protocol") && shown.contains("33060"), "{shown}");
}

#[test]
fn a_login_as_a_waterfall() {
    let shown = stdout(&porpoise(&["connect", &url(&server())], ""));
    for part in [
        "connected after",
        "CONNECT ",
        "NEGOTIATING",
        "AUTHENTICATING SHA256_MEMORY",
        "none: the server has none",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("hunter2") && !shown.contains("TLS_HANDSHAKE"), "{shown}");
}

#[test]
fn a_query_in_every_format() {
    for (format, rows) in [("csv", "1\r\n1\r\n"), ("jsonl", "{\"1\": 1}\n"), ("json", "[\n  {\"1\": 1}\n]\n")]
    {
        let output = porpoise(&["query", &url(&server()), "select 1", "--format", format], "");
        assert_eq!((stdout(&output).as_str(), output.status.code()), (rows, Some(0)), "{format}");
    }
}

#[test]
fn lines_of_a_conversation_on_each_runtime() {
    for runtime in ["tokio", "async-std", "blocking"] {
        let args = ["run", &url(&server()), "-", "--format", "jsonl", "--runtime", runtime];
        let output = porpoise(&args, "# a comment\n\nsql select 1\n");
        let shown = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{runtime}: {shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
        let states: Vec<_> =
            shown.lines().filter_map(|line| line.strip_prefix("{\"t\": \"state\", \"name\": \"")).collect();
        let states: Vec<_> = states.iter().map(|state| state.trim_end_matches("\"}")).collect();
        assert_eq!(states, ["CONNECTED", "NEGOTIATING", "AUTHENTICATING", "SESSION", "CLOSING", "CLOSED"]);
        for line in [
            r#"{"t": "message", "dir": "in", "name": "Mysqlx.Notice.Frame", "flight": 0, "text": "type: 5", "payload": {"name": "Mysqlx.Notice.ServerHello", "text": ""}}"#,
            r#"{"t": "message", "dir": "out", "name": "Mysqlx.Session.AuthenticateContinue", "flight": 3, "text": "auth_data: \"***\""}"#,
            r#"{"t": "message", "dir": "out", "name": "Mysqlx.Sql.StmtExecute", "flight": 4, "text": "stmt: \"select 1\""}"#,
            r#"{"t": "step", "step": "sql", "rc": 0, "rows": 1, "resultsets": 1}"#,
            r#"{"t": "message", "dir": "in", "name": "Mysqlx.Ok", "flight": 5, "text": "msg: \"bye!\""}"#,
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{runtime}: {line}: {shown}");
        }
    }
}

#[test]
fn a_script_that_goes_wrong() {
    let run = |address: &str, raw: bool, script: &str| {
        let url = url(address);
        let mut args = vec!["run", &url, "-"];
        args.extend(raw.then_some("--raw"));
        let output = porpoise(&args, script);
        (output.status.code(), stdout(&output) + &String::from_utf8_lossy(&output.stderr))
    };
    // What is no command ends the script; what cannot be used does not.
    let (code, shown) = run(&says(&[HELLO]), true, "sqll\nrecv");
    assert!(code == Some(2) && shown.contains("line 1: no command \"sqll\"; is \"sql\" meant?"), "{shown}");
    let (code, shown) = run(&says(&[HELLO]), true, "send_bytes 0\nrecv\n");
    assert!(code == Some(2) && shown.contains("recv: OK"), "{shown}");
    // The end of the stream, that of the protocol, a refusal, a password that is kept.
    let (code, shown) = run(&says(&[HELLO, b""]), true, "capabilities");
    assert!(code == Some(3) && shown.contains("the server closed the connection"), "{shown}");
    let (code, shown) = run(&says(&[b"\0\0\0\0\x05"]), true, "recv");
    assert!(code == Some(6), "{shown}");
    let (code, shown) = run(&says(&[HELLO, NO_TLS]), true, "starttls");
    assert!(code == Some(1) && shown.contains("starttls: error 5001 (HY000): no"), "{shown}");
    let (code, shown) = run(&says(&[HELLO]), true, "login PLAIN\n");
    assert!(code == Some(5) && shown.contains("secure connection"), "{shown}");
    // Nothing goes behind a request for TLS, in one write.
    let script = "pipeline\nstarttls\ncapabilities\nsql select 1\nend\n";
    let (code, shown) = run(&says(&[HELLO, NO_TLS]), true, script);
    assert!(
        code == Some(1) && shown.matches("nothing may be sent behind a request for TLS").count() == 2,
        "{shown}"
    );
    // Nothing runs where the connect failed.
    let (code, shown) = run(&says(&[b""]), false, "sql select 1");
    assert!(code == Some(3) && !shown.contains("sql:"), "{shown}");
}

#[test]
fn the_classic_protocol_is_never_raw() {
    let output = porpoise(&["run", "mysql://app@127.0.0.1:1/", "-", "--raw"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--raw is for mysqlx:// URLs only"));
}

#[test]
fn help_has_both_protocols() {
    let shown = stdout(&porpoise(&["run", "--help"], ""));
    assert!(
        shown.contains("Commands for mysqlx:// URLs:") && shown.contains("  cursor_open CURSOR"),
        "{shown}"
    );
    let shown = stdout(&porpoise(&["connect", "--help"], ""));
    assert!(
        shown.contains("Keys of a mysqlx:// URL") && shown.contains("  compression-threshold=BYTES"),
        "{shown}"
    );
}
