//! The Debian mirrors that this machine's own apt sources name.
//!
//! Both forms of `sources.list(5)` are read: one line an entry (`*.list`) and deb822 stanzas (`*.sources`).

use std::fs;
use std::path::{Path, PathBuf};

/// Releases of Debian: a source with one of these and the component `main` is a Debian mirror.
const RELEASES: [&str; 12] = [
    "sid",
    "unstable",
    "testing",
    "stable",
    "oldstable",
    "oldoldstable",
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
];

/// An archive that has Debian's suites.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Mirror {
    pub(super) uri: String,
    /// Options of a source line that say how it is trusted: `signed-by=…`, `trusted=…`, `check-valid-until=…`.
    options: Vec<String>,
}

impl Mirror {
    /// A source line for another suite of the same archive, with nothing but its package index.
    pub(super) fn source_line(&self, suite: &str, architecture: &str) -> String {
        let mut options = vec![format!("arch={architecture}"), "target=Packages".into(), "lang=none".into()];
        options.extend(self.options.iter().cloned());
        format!("deb [{}] {} {suite} main\n", options.join(" "), self.uri)
    }
}

/// The mirrors to try, in the order in which they are named.
pub(super) fn mirrors() -> Vec<Mirror> {
    in_folder(Path::new("/etc/apt"))
}

fn in_folder(etc: &Path) -> Vec<Mirror> {
    let mut files = vec![etc.join("sources.list")];
    let parts = fs::read_dir(etc.join("sources.list.d")).into_iter().flatten().flatten();
    let mut parts: Vec<PathBuf> = parts.map(|entry| entry.path()).collect();
    parts.sort();
    files.extend(parts);

    let mut found: Vec<Mirror> = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let mirrors = match file.extension().and_then(|e| e.to_str()) {
            Some("list") => one_line(&text),
            Some("sources") => deb822(&text),
            _ => continue,
        };
        for mirror in mirrors {
            if !found.iter().any(|known| known.uri == mirror.uri) {
                found.push(mirror);
            }
        }
    }
    found
}

/// `deb [option=value …] uri suite component…`
fn one_line(text: &str) -> Vec<Mirror> {
    let parse = |line: &str| {
        let line = line.split('#').next()?.trim();
        let rest = line.strip_prefix("deb").filter(|rest| rest.starts_with([' ', '\t', '[']))?.trim_start();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => ("", rest),
        };
        let mut words = rest.split_whitespace();
        let (uri, suite) = (words.next()?, words.next()?);
        let options = options.split_whitespace().filter(|o| is_trust(o)).map(String::from).collect();
        mirror(uri, &[suite], &words.collect::<Vec<_>>(), options)
    };
    text.lines().filter_map(parse).collect()
}

/// Stanzas of `Field: value` lines, parted by empty lines; a value goes on in indented lines.
fn deb822(text: &str) -> Vec<Mirror> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    lines.split(|line| line.trim().is_empty()).flat_map(stanza).collect()
}

fn stanza(lines: &[&str]) -> Vec<Mirror> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in lines {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_string()));
        }
    }
    let field = |name: &str| fields.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str());
    let words = |name: &str| field(name).split_whitespace().collect::<Vec<_>>();
    if field("enabled").eq_ignore_ascii_case("no") || !words("types").contains(&"deb") {
        return Vec::new();
    }
    // A key may stand in the stanza itself; a source line can only name a file.
    let options = |name: &&str| {
        let value = field(name);
        let files = value.split_whitespace().collect::<Vec<_>>().join(",");
        (!value.is_empty() && !value.contains("-----BEGIN")).then(|| format!("{name}={files}"))
    };
    let options: Vec<String> = TRUST.iter().filter_map(options).collect();
    let (suites, components) = (words("suites"), words("components"));
    words("uris").iter().filter_map(|uri| mirror(uri, &suites, &components, options.clone())).collect()
}

const TRUST: [&str; 3] = ["signed-by", "trusted", "check-valid-until"];

fn is_trust(option: &str) -> bool {
    TRUST.iter().any(|name| option.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
}

fn mirror(uri: &str, suites: &[&str], components: &[&str], options: Vec<String>) -> Option<Mirror> {
    let debian = suites.iter().any(|suite| RELEASES.contains(suite)) && components.contains(&"main");
    let fetched = !uri.starts_with("cdrom:");
    (debian && fetched).then(|| Mirror { uri: uri.to_string(), options })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uris(mirrors: &[Mirror]) -> Vec<&str> {
        mirrors.iter().map(|m| m.uri.as_str()).collect()
    }

    #[test]
    fn one_line_sources() {
        let found = one_line(
            "# deb http://commented/debian bookworm main\n\
             deb cdrom:[Debian GNU/Linux 12]/ bookworm main\n\
             deb-src http://source/debian bookworm main\n\
             deb\thttp://a/debian  bookworm main contrib # why\n\
             deb [ arch=amd64 signed-by=/k.gpg trusted=yes ] https://b/mirror trixie main\n\
             deb http://security/debian-security bookworm-security main\n\
             deb [signed-by=/d.gpg] https://c/linux/debian bookworm stable\n\
             deb http://flat ./\n",
        );
        assert_eq!(uris(&found), ["http://a/debian", "https://b/mirror"]);
        assert_eq!(
            found[1].source_line("sid", "arm64"),
            "deb [arch=arm64 target=Packages lang=none signed-by=/k.gpg trusted=yes] https://b/mirror sid main\n"
        );
    }

    #[test]
    fn deb822_sources() {
        let found = deb822(
            "# comment\nTypes: deb deb-src\n# inside\nURIs: http://a/debian http://b/debian\n\
             Suites: bookworm\n bookworm-updates\nComponents: main\nSigned-By: /k.gpg /l.gpg\n\n\
             Types: deb\nURIs: http://a/debian-security\nSuites: bookworm-security\nComponents: main\n\n\
             Types: deb\nEnabled: no\nURIs: http://off\nSuites: sid\nComponents: main\n\n\
             types: deb\nuris: http://c\nsuites: sid\ncomponents: main\nSigned-By:\n -----BEGIN PGP\n .\n x\n",
        );
        assert_eq!(uris(&found), ["http://a/debian", "http://b/debian", "http://c"]);
        assert_eq!(found[0].options, ["signed-by=/k.gpg,/l.gpg"]);
        assert_eq!(found[2].options, [""; 0]);
    }

    #[test]
    fn other_distributions_are_no_debian_mirrors() {
        let ubuntu = "Types: deb\nURIs: http://a/ubuntu\nSuites: noble\nComponents: main\n";
        assert_eq!(deb822(ubuntu), []);
        assert_eq!(one_line("deb https://b/apt tool-bookworm main\n"), []);
    }
}
