//! `audit verify`: proves that the audit trail is as it was sealed. It reads the database itself, for whoever asks does not want to take
//! the word of a running bridge.

use std::path::PathBuf;

use chrono::{DateTime, Months, Utc};
use shared::clock::{Clock as _, SystemClock};
use shared::store::audit::{self, Fault, Proof};

use crate::exit::Failure;
use crate::output::{Mood, Output, coloured};
use crate::wiring;

pub(crate) async fn run(
    config: Option<PathBuf>,
    head: Option<&str>,
    output: Output,
) -> Result<(), Failure> {
    let settings = wiring::settings(config)?;
    let store = wiring::connect_to_read(&settings).await?;
    let kept_from = kept_from(settings.retention.audit_months, SystemClock.now());
    let proof = audit::verify(store.conn(), kept_from)
        .await
        .map_err(wiring::database_failure)?;
    let knows_head = match head {
        Some(head) => audit::is_part(store.conn(), head)
            .await
            .map_err(wiring::database_failure)?,
        None => true,
    };
    output.show(&proof, |proof| told(proof, head, knows_head));
    if proof.faults > 0 || !knows_head {
        return Err(Failure::Unhealthy);
    }
    Ok(())
}

/// Older entries may have been removed because of their age.
fn kept_from(months: u32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match months {
        0 => None,
        months => now.checked_sub_months(Months::new(months)),
    }
}

fn told(proof: &Proof, head: Option<&str>, knows_head: bool) -> String {
    let mut lines: Vec<String> = proof.told.iter().map(fault).collect();
    let more = proof.faults.saturating_sub(proof.told.len() as u64);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    if let (Some(head), false) = (head, knows_head) {
        lines.push(format!(
            "{}: no block has the chain {head}; the trail was sealed anew since, or the head is of another database",
            coloured("head", Mood::Bad)
        ));
    }
    let verdict = if proof.faults == 0 && knows_head {
        coloured("The audit trail is as it was sealed.", Mood::Good)
    } else {
        coloured("The audit trail is not as it was sealed.", Mood::Bad)
    };
    lines.push(verdict);
    lines.push(format!(
        "{} entries in {} blocks, {} removed because of their age, {} too young to be sealed.",
        proof.entries, proof.blocks, proof.expired, proof.unsealed
    ));
    if let Some(head) = &proof.head {
        lines.push(format!(
            "Head {head}; keep it elsewhere, and give it to the next proof with --head."
        ));
    }
    lines.join("\n")
}

fn fault(fault: &Fault) -> String {
    match fault {
        Fault::Altered { entry } => format!("entry {entry} was altered"),
        Fault::Removed { entry } => format!("entry {entry} was removed"),
        Fault::Added { entry } => format!("entry {entry} was added afterwards"),
        Fault::Broken { block } => {
            format!("block {block} does not follow from the one before: a seal was altered")
        }
        Fault::MissingBlocks { from, to } => format!("blocks {from} to {to} are gone"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_as_people_read_it() {
        let whole = Proof {
            blocks: 3,
            entries: 2_500,
            head: Some("00ff".to_owned()),
            ..Proof::default()
        };
        let broken = Proof {
            faults: 102,
            told: vec![
                Fault::Altered { entry: 7 },
                Fault::Removed { entry: 8 },
                Fault::Added { entry: 9 },
                Fault::Broken { block: 2 },
                Fault::MissingBlocks { from: 3, to: 4 },
            ],
            ..whole.clone()
        };
        let text = [told(&whole, None, true), told(&broken, Some("ab"), false)].join("\n\n");
        insta::assert_snapshot!(anstream::adapter::strip_str(&text));
    }

    #[test]
    fn entries_are_kept_as_long_as_the_settings_say() {
        let now = DateTime::from_timestamp(1_900_000_000, 0).unwrap();
        assert_eq!(kept_from(0, now), None);
        assert_eq!(
            kept_from(12, now),
            DateTime::from_timestamp(1_868_464_000, 0)
        );
    }
}
