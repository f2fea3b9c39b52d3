//! What apt-get would download: names, sizes and hashes.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::Result;

/// The files that a command of apt-get would download.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Plan {
    files: Vec<Planned>,
}

#[derive(Debug, Eq, PartialEq)]
struct Planned {
    name: String,
    size: u64,
    sha256: String,
}

impl Plan {
    /// Reads what `--print-uris` printed: lines of the form `'URI' FILE SIZE SHA256:HASH`, among others.
    pub(super) fn parse(print_uris: &str) -> Self {
        let file = |line: &str| {
            let mut words = line.strip_prefix('\'')?.split(' ').skip(1);
            let (name, size, hash) = (words.next()?, words.next()?, words.next()?);
            Some(Planned {
                name: name.to_string(),
                size: size.parse().ok()?,
                sha256: hash.strip_prefix("SHA256:")?.to_string(),
            })
        };
        Self { files: print_uris.lines().filter_map(file).collect() }
    }

    pub(super) fn count(&self) -> usize {
        self.files.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The files in their folder.
    pub(super) fn paths(&self, dir: &Path) -> Vec<PathBuf> {
        self.files.iter().map(|file| dir.join(&file.name)).collect()
    }

    /// How many of them are in their folder by name.
    pub(super) fn present(&self, dir: &Path) -> usize {
        self.paths(dir).iter().filter(|path| path.exists()).count()
    }

    /// Removes those that are not what they should be. apt itself only looks at the size of what is there.
    pub(super) fn remove_damaged(&self, dir: &Path) -> Result<()> {
        for file in &self.files {
            let path = dir.join(&file.name);
            if path.exists()
                && sha256(&path).with_context(|| format!("reading {}", path.display()))? != file.sha256
            {
                fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            }
        }
        Ok(())
    }
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    loop {
        let chunk = reader.fill_buf()?;
        let length = chunk.len();
        if length == 0 {
            break;
        }
        hasher.update(chunk);
        reader.consume(length);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_plan() {
        let plan = Plan::parse(
            "Reading package lists...\n\
             'http://m/pool/a_1%3a1_amd64.deb' a_1%3a1_amd64.deb 82880 SHA256:bce1\n\
             'http://m/pool/b_2_all.deb' b_2_all.deb 120 SHA256:00\n",
        );
        assert_eq!((plan.count(), plan.bytes()), (2, 83000));
        assert_eq!(
            plan.paths(Path::new("/d")),
            [Path::new("/d/a_1%3a1_amd64.deb"), Path::new("/d/b_2_all.deb")]
        );
        assert_eq!(Plan::parse("'http://m/old.deb' old.deb 1 MD5Sum:00\n").count(), 0);
    }

    #[test]
    fn damaged_files_are_removed() {
        let dir = std::env::temp_dir().join(format!("porpoise-plan-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        // The hash of "abc", from FIPS 180-4's examples.
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let plan = Plan::parse(&format!(
            "'u' good.deb 3 SHA256:{hash}\n'u' bad.deb 3 SHA256:{hash}\n'u' no.deb 3 SHA256:{hash}"
        ));
        fs::write(dir.join("good.deb"), "abc").unwrap();
        fs::write(dir.join("bad.deb"), "abd").unwrap();
        assert_eq!(plan.present(&dir), 2);
        plan.remove_damaged(&dir).unwrap();
        assert_eq!(plan.present(&dir), 1);
        assert!(dir.join("good.deb").exists());
        fs::remove_dir_all(&dir).unwrap();
    }
}
