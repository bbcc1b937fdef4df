//! What people hear of a comparison: a line in the log, and an entry of the audit trail when there is something new.

use shared::drift::{Finding, Verdict};
use shared::store::audit::Actor;
use shared::store::drift::Report;

use crate::effects::Noted;

/// An entry when the run found what the one before it had not.
pub(super) fn new_findings(report: &Report, known: &[Finding]) -> Option<Noted> {
    let new: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|it| !known.contains(it))
        .collect();
    if new.is_empty() {
        return None;
    }
    let some = new.iter().take(5).map(|it| {
        let difference = serde_json::to_value(it.difference).unwrap_or_default();
        let name = it.number.as_deref().unwrap_or(&it.sys_id);
        format!("{} {name}", difference.as_str().unwrap_or_default())
    });
    let some = some.collect::<Vec<_>>().join(", ");
    Some(Noted {
        actor: Actor::System("worker"),
        action: "drift.found",
        subject_kind: "table",
        subject_id: format!("{}/{}", report.connection, report.table),
        from: None,
        to: report.verdict.map(|verdict| verdict.to_string()),
        reason: format!("{}; new: {some}", counts(report)),
    })
}

pub(super) fn log(report: &Report) {
    let (connection, table, counts) = (&report.connection, &report.table, counts(report));
    let reason = report.reason.as_deref().unwrap_or_default();
    match report.verdict {
        Some(Verdict::Clean) => tracing::info!(
            connection,
            table,
            counts,
            "the table was compared: nothing was missed"
        ),
        Some(Verdict::Untrusted) => {
            tracing::warn!(
                connection,
                table,
                reason,
                "the table could not be compared: what the instance says cannot be believed"
            );
        }
        verdict => {
            let verdict = verdict.map(Verdict::as_str).unwrap_or_default();
            tracing::warn!(
                connection,
                table,
                verdict,
                reason,
                counts,
                "the table was compared: something had been missed"
            );
        }
    }
}

fn counts(report: &Report) -> String {
    let tally = &report.tally;
    format!(
        "{} compared: {} unchanged, {} repaired, {} flagged, {} failed",
        tally.checked, tally.unchanged, tally.repaired, tally.flagged, tally.failed
    )
}
