use super::report::{Report, Section};

/// Names of connections, sources and routes: part of lane names, environment variables, metric labels and URLs.
pub(super) fn check(at: &mut Section<'_>, key: &str, name: &str) {
    let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-');
    if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
        at.add(
            key,
            format!("`{name}` cannot be a name"),
            "use 1 to 64 of a-z, 0-9, `_` and `-`",
        );
    }
}

/// The bridge's own name: written into `correlation_display`, and a value of queries.
pub(super) fn check_bridge(name: &str, report: &mut Report) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '-');
    if name.is_empty() || name.len() > 80 || name.trim() != name || !name.chars().all(allowed) {
        report.add(
            "bridge_name",
            format!("`{name}` cannot be written into tickets and searched for"),
            "use 1 to 80 letters, digits, spaces, dots and dashes; no space at either end",
        );
    }
}
