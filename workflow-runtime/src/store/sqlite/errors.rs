//! What SQLite and the operating system report, in the words of a store.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;

use crate::store::StoreError;

pub(super) fn io_error(path: &Path, error: &io::Error) -> StoreError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { path },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::ReadOnly { path, reason: error.to_string() }
        }
        _ => StoreError::Io { path, message: error.to_string() },
    }
}

pub(super) fn sqlite_error(path: &Path, error: &rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    let message = error.to_string();
    let rusqlite::Error::SqliteFailure(code, _) = error else {
        return StoreError::Other { message: format!("`{}`: {message}", path.display()) };
    };
    match code.code {
        ErrorCode::DiskFull => StoreError::Full { path },
        ErrorCode::DatabaseCorrupt => StoreError::Damaged { path, what: message },
        ErrorCode::NotADatabase => StoreError::NotOurs { path, reason: "it is no SQLite database".into() },
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => StoreError::ReadOnly { path, reason: message },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            StoreError::Busy { path }
        }
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::OutOfMemory => {
            StoreError::Io { path, message }
        }
        _ => StoreError::Other { message: format!("`{}`: {message}", path.display()) },
    }
}
