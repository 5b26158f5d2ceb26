//! The user of the operating system, who is taken for whoever asks for something
//! without saying who.

use std::env;

/// The name of the user of this process. The environment says who logged in,
/// and the system's list of users whose process this is, where nobody did: in
/// a container, by a service manager.
pub(crate) fn name() -> String {
    let login = ["USER", "LOGNAME", "USERNAME"].iter().filter_map(|name| env::var(name).ok());
    let login = login.map(|name| name.trim().to_owned()).find(|name| !name.is_empty());
    login.or_else(of_process).unwrap_or_else(|| "unknown".to_owned())
}

/// By the number of the user; the number itself where it has no name.
#[cfg(unix)]
fn of_process() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let own = std::fs::metadata("/proc/self").ok()?.uid();
    let users = std::fs::read("/etc/passwd").unwrap_or_default();
    Some(named(&String::from_utf8_lossy(&users), own).unwrap_or_else(|| format!("user {own}")))
}

#[cfg(not(unix))]
fn of_process() -> Option<String> {
    None
}

/// The name of a user in the system's list: `ada:x:1000:1000:Ada:/home/ada:/bin/sh`.
#[cfg(any(unix, test))]
fn named(users: &str, wanted: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let number = fields.nth(1)?.parse::<u32>().ok()?;
        (number == wanted).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_the_name_of_their_number() {
        let users = "root:x:0:0:root:/root:/bin/bash\n# no user\n:x:7:\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(named(users, 0).as_deref(), Some("root"));
        assert_eq!(named(users, 1000).as_deref(), Some("ada"));
        assert_eq!(named(users, 7), None);
        assert_eq!(named(users, 42), None);
    }
}
