//! Keeps a second `ticketbridge up` off the same SQLite file.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::StoreError;

/// The right to run all parts of the bridge on one SQLite file; given back when dropped or when the process ends.
///
/// SQLite itself would let two processes write in turns, but the in-process queue of each knows nothing of the other.
#[derive(Debug)]
pub struct SqliteGuard {
    _locked: File,
}

impl SqliteGuard {
    /// Locks `<file>.lock`, which is left lying about: deleting it would let a third process lock a new one.
    pub fn acquire(file: &Path) -> Result<Self, StoreError> {
        let lock = lock_path(file);
        let failed = |source| StoreError::Lock {
            lock: lock.clone(),
            source,
        };
        let opened = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock)
            .map_err(failed)?;
        match opened.try_lock() {
            Ok(()) => Ok(Self { _locked: opened }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
                file: file.to_owned(),
                lock,
            }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

fn lock_path(file: &Path) -> PathBuf {
    let mut name: OsString = file.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
