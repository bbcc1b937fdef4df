//! File descriptors: every connection wants one, and so do the database, Redis and ServiceNow.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Left for everything but the connections of clients.
const RESERVED: u64 = 256;

/// As many of `wanted` connections as the process may have, once its limit of open files is as high as the system allows.
/// Programs start with a low limit for the sake of those that use `select`; this one does not.
pub(super) fn afford(wanted: usize) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = rustix::process::Rlimit {
            current: limit.maximum,
            ..limit
        };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit = raised,
            Err(error) => tracing::debug!(%error, "the limit of open files stays as it is"),
        }
    }
    let most = most(wanted, limit.current);
    if most < wanted {
        tracing::warn!(
            wanted,
            most,
            "fewer connections than configured: the limit of open files is too low (`ulimit -n`, LimitNOFILE=)"
        );
    }
    most
}

fn most(wanted: usize, open_files: Option<u64>) -> usize {
    let Some(open_files) = open_files else {
        return wanted;
    };
    let left = open_files.saturating_sub(RESERVED).max(open_files / 2);
    usize::try_from(left).map_or(wanted, |left| wanted.min(left))
}

#[cfg(test)]
mod tests {
    use super::most;

    #[test]
    fn something_is_left_for_the_other_side() {
        assert_eq!(most(4096, None), 4096);
        assert_eq!(most(4096, Some(1_048_576)), 4096);
        assert_eq!(most(4096, Some(1024)), 768);
        assert_eq!(most(4096, Some(256)), 128);
        assert_eq!(most(64, Some(1024)), 64);
    }
}
