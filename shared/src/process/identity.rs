use uuid::Uuid;

/// Where Linux says what the machine is called.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// A name that no other process start has or had: `host-kind-pid-random`.
pub fn identity(kind: &str) -> String {
    let unique = Uuid::now_v7().simple().to_string();
    // The first digits of a version 7 id are the time; the last are random.
    let random = &unique[unique.len() - 8..];
    format!("{}-{kind}-{}-{random}", host(), std::process::id())
}

/// The name of this machine, for people: letters, digits and dashes. `host` where it cannot be told.
pub fn host() -> String {
    let name = std::fs::read_to_string(HOST_NAME).unwrap_or_default();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    match name.trim() {
        "" => "host".to_owned(),
        name => name.chars().take(40).map(plain).collect(),
    }
}
