//! One window: what the instance counts in it, and what we believe of it.

use servicenow_client::{ListRequest, Query, QueryError, Summary, SummaryRequest};
use shared::drift::{Verdict, Window};
use shared::store::drift::{self, Believed, Scope};

use super::{Check, Stop};
use crate::attention::Attention;

/// Windows with no more tickets than this are read row by row.
pub(super) const FEW: u32 = 150;

/// Records that may have changed since the window. With more of them the table is too lively to be compared now.
const MOVING: u32 = 200;

/// The column that marks our tickets.
pub(super) const CONTROL: &str = "correlation_display";

impl Check<'_, '_> {
    /// Compares a window; where both sides differ, it is halved until it can be read row by row.
    pub(super) async fn look(&mut self, window: Window) -> Result<(), Stop> {
        let theirs = self.counted(&window).await?;
        let mut ours = self.believed(&window).await?;
        if !agree(&ours, &theirs) && self.moving.is_none() {
            // What has changed since is on neither side of the window: the poll will bring it.
            self.moving = Some(self.read_moving().await?);
            ours = self.believed(&window).await?;
        }
        let counted = i64::try_from(theirs.count).unwrap_or(i64::MAX);
        if window == self.report.window {
            (self.report.expected, self.report.found) = (ours.count, counted);
            believable(ours.count, counted)?;
        }
        if agree(&ours, &theirs) {
            self.report.tally.agreed(counted);
            return Ok(());
        }
        match window.halves() {
            Some((first, second)) if ours.count.max(counted) > i64::from(FEW) => {
                self.windows.extend([second, first]);
                Ok(())
            }
            _ => self.read_rows(&window, counted).await,
        }
    }

    async fn counted(&self, window: &Window) -> Result<Summary, Stop> {
        let asked = self.asked(window);
        let reply = self.run.read(self.seat.table.summary(&asked)).await;
        Ok(reply.map_err(|error| self.stop(&error))?.value)
    }

    pub(super) fn asked(&self, window: &Window) -> SummaryRequest {
        SummaryRequest {
            control: CONTROL.to_owned(),
            value: self.run.ctx.settings.bridge_name.clone(),
            from: window.from.clone(),
            to: window.to.clone(),
        }
    }

    async fn believed(&self, window: &Window) -> Result<Believed, Stop> {
        let conn = self.run.ctx.store.conn();
        Ok(drift::believed(conn, &self.scope(), window).await?)
    }

    pub(super) fn scope(&self) -> Scope<'_> {
        Scope {
            connection: &self.report.connection,
            table: &self.report.table,
            moving: self.moving.as_deref().unwrap_or_default(),
            known_missing: Attention::NOT_VISIBLE.beginning(),
        }
    }

    async fn read_moving(&self) -> Result<Vec<String>, Stop> {
        let query = self.newer().map_err(|error| self.stop(&error.into()))?;
        let fields = ["sys_id", "sys_updated_on", CONTROL];
        let list = ListRequest::new(query.clone(), fields).limit(MOVING);
        let page = self.run.read(self.seat.table.list(&list)).await;
        let page = page.map_err(|error| self.stop(&error))?.value;
        if page.rows.iter().any(|row| query.verify(row).is_err()) {
            return Err(Stop::Verdict(
                Verdict::Untrusted,
                "a list brought rows that were not asked for: the instance dropped a condition"
                    .to_owned(),
            ));
        }
        if page.rows.len() >= MOVING as usize
            || page.total.is_some_and(|all| all > u64::from(MOVING))
        {
            let reason = "too many tickets are changing right now to compare the rest";
            return Err(Stop::Verdict(Verdict::Partial, reason.to_owned()));
        }
        Ok(page
            .rows
            .iter()
            .filter_map(|row| row.sys_id().map(str::to_owned))
            .collect())
    }

    fn newer(&self) -> Result<Query, QueryError> {
        Query::new()
            .eq(CONTROL, &self.run.ctx.settings.bridge_name)?
            .gt("sys_updated_on", &self.report.window.to)?
            .order_by("sys_updated_on")
    }
}

/// The same number of tickets, the same newest stamp, and the same sum of versions where both know it.
fn agree(ours: &Believed, theirs: &Summary) -> bool {
    let versions = match theirs.versions {
        Some(versions) if ours.versioned == ours.count => versions == ours.versions,
        _ => true,
    };
    u64::try_from(ours.count).is_ok_and(|count| count == theirs.count)
        && ours.newest == theirs.newest
        && versions
}

/// When half of our tickets are not counted it is access that was lost, not the tickets.
fn believable(ours: i64, theirs: i64) -> Result<(), Stop> {
    let missing = ours - theirs;
    if missing > super::differences::FEW_GONE && missing > ours / 2 {
        let reason = format!(
            "the instance counts {theirs} of our {ours} tickets: the account has lost read access to the table, or to its rows"
        );
        return Err(Stop::Verdict(Verdict::Untrusted, reason));
    }
    Ok(())
}
