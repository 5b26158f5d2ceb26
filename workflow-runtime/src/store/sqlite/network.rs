//! Whether a path is on a disk of this machine. SQLite's write-ahead log is
//! shared memory, which machines do not share, and the locks of network file
//! systems often only pretend.

use std::path::{Path, PathBuf};

/// File systems that are, or may be, on another machine.
const NETWORK: [&str; 16] = [
    "nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "9p", "afs", "ncpfs", "ceph", "lustre", "gfs2", "ocfs2",
    "beegfs", "gpfs", "fuse",
];

/// What programs in user space mount, and what is known to be a local disk
/// underneath.
const LOCAL_FUSE: [&str; 4] = ["fuse.gocryptfs", "fuse.encfs", "fuse.cryfs", "fuse.securefs"];

/// The type of the file system, if it is a network one. `directory` is
/// absolute and without symbolic links.
///
/// Only Linux is asked: elsewhere it takes a system call, which takes
/// `unsafe`.
pub(super) fn network_file_system(directory: &Path) -> Option<String> {
    let mounts = std::fs::read("/proc/self/mountinfo").ok()?;
    let file_system = file_system(&String::from_utf8_lossy(&mounts), directory)?;
    is_network(&file_system).then_some(file_system)
}

fn is_network(file_system: &str) -> bool {
    let mounted_by_a_program = file_system.starts_with("fuse.") && !LOCAL_FUSE.contains(&file_system);
    NETWORK.contains(&file_system) || mounted_by_a_program
}

/// The type of the file system that `directory` is on: that of the longest
/// mount point above it, and of the last one mounted there.
fn file_system(mounts: &str, directory: &Path) -> Option<String> {
    let mut found: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        // `36 35 98:0 /root /mount/point options optional... - type source ...`
        let Some((mount, rest)) = line.split_once(" - ") else { continue };
        let (Some(point), Some(kind)) = (mount.split(' ').nth(4), rest.split(' ').next()) else { continue };
        let point = unescape(point);
        if directory.starts_with(&point) {
            let depth = point.components().count();
            if found.is_none_or(|(deepest, _)| depth >= deepest) {
                found = Some((depth, kind));
            }
        }
    }
    found.map(|(_, kind)| kind.to_owned())
}

/// The kernel writes blanks and backslashes as octal numbers.
fn unescape(point: &str) -> PathBuf {
    let plain = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    PathBuf::from(plain.into_iter().fold(point.to_owned(), |point, (code, plain)| point.replace(code, plain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:25 / /mnt/share rw shared:5 - nfs4 server:/export rw
31 30 0:26 / /mnt/share/local rw - tmpfs tmpfs rw
32 22 0:27 / /mnt/with\\040blank rw - cifs //server/share rw
33 22 0:28 / /home/me/remote rw - fuse.sshfs me@server: rw
34 22 8:1 / /media/stick rw - fuseblk /dev/sda1 rw
35 22 0:29 / /data rw - ext4 /dev/vdb rw
36 22 0:30 / /data rw - 9p host rw
37 22 0:31 / /home/me/vault rw - fuse.gocryptfs /home/me/cipher rw
";

    #[test]
    fn the_innermost_and_last_mount_counts() {
        let check = |directory: &str, kind: &str, network: bool| {
            let found = file_system(MOUNTS, Path::new(directory)).unwrap();
            assert_eq!((found.as_str(), is_network(&found)), (kind, network), "{directory}");
        };
        check("/var/lib/app", "ext4", false);
        check("/mnt/share/a", "nfs4", true);
        check("/mnt/shared", "ext4", false);
        check("/mnt/share/local/a", "tmpfs", false);
        check("/mnt/with blank/a", "cifs", true);
        check("/home/me/remote", "fuse.sshfs", true);
        check("/media/stick", "fuseblk", false);
        check("/data/a", "9p", true);
        check("/home/me/vault/a", "fuse.gocryptfs", false);
    }

    #[test]
    fn nonsense_is_no_mount() {
        assert_eq!(file_system("", Path::new("/a")), None);
        assert_eq!(file_system("a b c\n - \n1 2 3 4 / - \n", Path::new("/a")), Some(String::new()));
    }
}
