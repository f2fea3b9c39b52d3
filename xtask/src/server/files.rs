//! File-system helpers: whole-file replacement, locks between processes, digests.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::Result;

/// Writes a file beside the old one, then renames it over it: a reader sees the one or the other.
pub(super) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let doing = || format!("writing {}", path.display());
    let parent = path.parent().with_context(doing)?;
    fs::create_dir_all(parent).with_context(doing)?;
    let name = path.file_name().with_context(doing)?.to_string_lossy();
    let new = parent.join(format!(".{name}.{}", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().inspect_err(|_| drop(fs::remove_file(&new))).with_context(doing)
}

/// Makes a folder that only its owner may enter, and refuses one that is somebody else's.
pub(super) fn private_dir(path: &Path) -> Result<()> {
    let doing = || format!("making the folder {}", path.display());
    DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(doing)?;
    let meta = fs::symlink_metadata(path).with_context(doing)?;
    if !meta.is_dir() || meta.uid() != rustix::process::getuid().as_raw() {
        bail!("{} is not a folder of this user", path.display());
    }
    Ok(())
}

/// Removes a folder with all that is in it; a missing one is fine.
pub(super) fn remove_dir(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// A lock between processes, held until dropped (or until its process ends, however it does).
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, waiting for another holder to finish.
    pub(super) fn take(path: &Path) -> Result<Self> {
        let doing = || format!("locking {}", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(doing)?;
        }
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).open(path).with_context(doing)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => {
                eprintln!("waiting for another `cargo xtask server` to finish");
                flock(&file, FlockOperation::LockExclusive).with_context(doing)?;
            }
            other => other.with_context(doing)?,
        }
        Ok(Self { _file: file })
    }
}

/// FNV-1a, 64 bits: short stable names for paths and texts, no protection against anyone.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_fnv_1a() {
        assert_eq!(digest(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(digest(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(digest(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
