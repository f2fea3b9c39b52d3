//! Where the password comes from.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use porpoise::auth::Secret;

use crate::args::ConnectionArgs;
use crate::exit::Failure;

/// The environment variable that MySQL's own clients read.
const ENV: &str = "MYSQL_PWD";

/// The password that holds unless the URL has one.
pub(crate) fn from_env() -> Option<Secret> {
    std::env::var_os(ENV).map(|password| OsString::into_vec(password).into())
}

/// The password that holds whatever the URL has.
pub(crate) fn from_args(args: &ConnectionArgs) -> Result<Option<Secret>, Failure> {
    if let Some(path) = &args.password_file {
        return from_file(path).map(Some);
    }
    if args.password {
        let typed = rpassword::prompt_password("Password: ");
        let typed = typed
            .map_err(|error| Failure::Password(format!("--password needs a terminal to ask at: {error}")))?;
        return Ok(Some(typed.into()));
    }
    Ok(None)
}

/// The first line of a file, without its end.
fn from_file(path: &Path) -> Result<Secret, Failure> {
    let mut bytes = fs::read(path)
        .map_err(|error| Failure::Password(format!("--password-file {}: {error}", path.display())))?;
    if let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
        let end = if end > 0 && bytes.get(end - 1) == Some(&b'\r') { end - 1 } else { end };
        // What is cut off is not wiped, but it is no part of the password.
        bytes.truncate(end);
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_file() {
        let path = std::env::temp_dir().join(format!("porpoise-password-{}", std::process::id()));
        for (content, password) in [
            ("pw", "pw"),
            ("pw\n", "pw"),
            ("pw\r\n", "pw"),
            ("p w \nsecond", "p w "),
            ("\npw", ""),
            ("", ""),
            ("\r", "\r"),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(from_file(&path).unwrap().expose(), password.as_bytes(), "{content:?}");
        }
        fs::remove_file(&path).unwrap();
        let error = from_file(&path).unwrap_err().to_string();
        assert!(error.starts_with("--password-file ") && error.contains("No such file"), "{error}");
    }
}
