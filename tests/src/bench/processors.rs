//! What processes have used of the processors and of memory, as Linux counts it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// One tick of `/proc/<pid>/stat`: USER_HZ is 100 on every Linux that this runs on.
const TICK: Duration = Duration::from_millis(10);

/// Processor time of a process and of all its descendants.
pub(super) fn used_by_tree(root: u32) -> anyhow::Result<Duration> {
    let all = all()?;
    let mut tree = vec![root];
    let mut at = 0;
    while let Some(parent) = tree.get(at).copied() {
        tree.extend(
            all.iter()
                .filter(|(_, it)| it.parent == parent)
                .map(|(id, _)| *id),
        );
        at += 1;
    }
    let ticks = |it: &Stat| it.own + it.of_ended_children;
    let ticks: u32 = tree.iter().filter_map(|id| all.get(id)).map(ticks).sum();
    Ok(TICK * ticks)
}

/// Processor time of one process alone.
pub(super) fn used_by_process(process: u32) -> anyhow::Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let stat = stat(&text).context("the kernel says what a process has used")?;
    Ok(TICK * stat.own)
}

/// Who has started a process.
pub(super) fn parent(process: u32) -> anyhow::Result<u32> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let stat = stat(&text).context("the kernel says who has started a process")?;
    Ok(stat.parent)
}

/// The most memory that a process ever held, in KiB.
pub(super) fn peak_kib(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    let number = line.and_then(|it| it.split_whitespace().next()?.parse().ok());
    number.context("the kernel says how much memory was held")
}

struct Stat {
    parent: u32,
    own: u32,
    of_ended_children: u32,
}

fn all() -> anyhow::Result<BTreeMap<u32, Stat>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|it| it.parse().ok()) else {
            continue;
        };
        // It may have ended meanwhile.
        let Ok(text) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        all.extend(stat(&text).map(|it| (id, it)));
    }
    Ok(all)
}

/// The name of the program stands in parentheses and may hold anything.
fn stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse::<u32>().ok();
    Some(Stat {
        parent: number(1)?,
        own: number(11)? + number(12)?,
        of_ended_children: number(13)? + number(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_is_stepped_over() {
        let text = "42 (a (b) c) S 7 42 42 0 -1 4194304 1 2 3 4 10 20 30 40 20 0 1 0 5";
        let stat = stat(text).unwrap();
        assert_eq!((stat.parent, stat.own, stat.of_ended_children), (7, 30, 70));
    }
}
