//! A machine that sets its clock and whose disk fails for a while, as the
//! processes on it see that: `machine.c`, loaded before the C library.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What comes of a write, or of an `fsync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    Well,
    /// `ENOSPC`.
    Full,
    /// `EIO` of every write.
    Broken,
    /// `EIO` of `fsync` alone: what was written may be there or not.
    Unsynced,
}

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

/// What happens to the processes on a machine. The clock is one for all of
/// them, the disk fails those that are there to meet it.
pub struct Machine {
    library: PathBuf,
    well: Control,
    failing: Control,
    clock: i64,
}

/// The file that a process looks at.
struct Control {
    path: PathBuf,
    file: File,
}

impl Control {
    fn new(path: PathBuf) -> Self {
        let file = File::create(&path).unwrap();
        let control = Self { path, file };
        control.write(0, 0, 0);
        control
    }

    fn write(&self, clock: i64, write_error: i32, sync_error: i32) {
        let mut bytes = clock.to_ne_bytes().to_vec();
        bytes.extend(write_error.to_ne_bytes());
        bytes.extend(sync_error.to_ne_bytes());
        self.file.write_all_at(&bytes, 0).unwrap();
    }
}

impl Machine {
    pub fn new(folder: &Path) -> Self {
        let (source, library) = (folder.join("machine.c"), folder.join("machine.so"));
        fs::write(&source, include_str!("machine.c")).unwrap();
        // The README asks for a C compiler: SQLite is built with one.
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let built =
            Command::new(compiler).args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).status();
        assert!(built.unwrap().success(), "`machine.c` does not compile");
        let control = |name| Control::new(folder.join(name));
        Self { library, well: control("well"), failing: control("failing"), clock: 0 }
    }

    /// Has a process live on this machine, and meet its failing disk or not.
    pub fn host(&self, command: &mut Command, meets_failures: bool) {
        let control = if meets_failures { &self.failing } else { &self.well };
        command.env("LD_PRELOAD", &self.library).env("MACHINE", &control.path);
    }

    pub fn set_disk(&self, disk: Disk) {
        match disk {
            Disk::Well => self.failing.write(self.clock, 0, 0),
            Disk::Full => self.failing.write(self.clock, ENOSPC, 0),
            Disk::Broken => self.failing.write(self.clock, EIO, 0),
            Disk::Unsynced => self.failing.write(self.clock, 0, EIO),
        }
    }

    /// Sets the clock forward.
    pub fn advance(&mut self, by: Duration) {
        self.set_clock(self.clock + i64::try_from(by.as_nanos()).unwrap());
    }

    /// Sets the clock back.
    pub fn step_back(&mut self, by: Duration) {
        self.set_clock(self.clock - i64::try_from(by.as_nanos()).unwrap());
    }

    fn set_clock(&mut self, clock: i64) {
        self.clock = clock;
        self.well.write(clock, 0, 0);
        self.failing.write(clock, 0, 0);
    }
}
