//! Reading changes while others go on writing (ARCHITECTURE.md, invariant 10): the cursor of the connector, page by page
//! against an instance, in the way `worker::jobs::get_ticket_status` walks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use servicenow_client::changes::{ChangesRequest, PageVerdict, read_page};
use servicenow_client::{Auth, Client, ClientOptions, Cursor, Query, format_time};
use simulator::{Options, RowAcl, RowMap, Simulator};

use crate::RUNTIME;

/// How far each run reaches back. No write becomes visible later than that.
const OVERLAP: Duration = Duration::from_secs(20);
const LONGEST_DELAY_MS: u64 = 15_000;
/// One row in so many is hidden from the account.
const HIDDEN: usize = 4;
const OURS: &str = "correlation_display=Model";

/// What happens between two pages.
#[derive(Debug, Clone)]
enum Deed {
    Insert,
    Touch { row: usize, delay_ms: u64 },
    Delete { row: usize },
    Pass { millis: u64 },
}

fn deed() -> impl Strategy<Value = Deed> {
    let delay = prop_oneof![2 => Just(0), 1 => 1_u64..=LONGEST_DELAY_MS];
    prop_oneof![
        2 => Just(Deed::Insert),
        6 => (0_usize..64, delay).prop_map(|(row, delay_ms)| Deed::Touch { row, delay_ms }),
        1 => (0_usize..64).prop_map(|row| Deed::Delete { row }),
        3 => (0_u64..3_000).prop_map(|millis| Deed::Pass { millis }),
        1 => (20_000_u64..60_000).prop_map(|millis| Deed::Pass { millis }),
    ]
}

/// Several runs; in each, what happens before each of its pages.
fn script() -> impl Strategy<Value = Vec<Vec<Vec<Deed>>>> {
    let gap = prop::collection::vec(deed(), 0..4);
    let run = prop::collection::vec(gap, 1..6);
    prop::collection::vec(run, 1..4)
}

/// An instance with tickets, and who reads them.
struct Stage {
    instance: Simulator,
    client: Client,
    rows: Vec<String>,
    /// Counts what is written, so that each write changes something.
    writes: usize,
}

impl Stage {
    async fn with(rows: usize) -> Self {
        let instance = Simulator::start(Options::for_tests()).await.unwrap();
        let auth = Auth::Basic {
            user: "ticketbridge.integration".to_owned(),
            password: "ticketbridge-demo-password".into(),
        };
        let url = instance.base_url().parse().unwrap();
        let client = Client::new(ClientOptions::new(url, auth)).unwrap();
        let mut stage = Self {
            instance,
            client,
            rows: Vec::new(),
            writes: 0,
        };
        stage.instance.set_knobs(|knobs| {
            knobs.row_acl.push(RowAcl {
                table: "incident".to_owned(),
                query: "short_descriptionSTARTSWITHhidden".to_owned(),
                unless_role: Some("admin".to_owned()),
            });
        });
        for _ in 0..rows {
            stage.happen(&Deed::Insert);
        }
        stage
    }

    fn happen(&mut self, deed: &Deed) {
        self.writes += 1;
        let note = format!("write {}", self.writes);
        match deed {
            Deed::Insert => {
                let is_hidden = self.writes.is_multiple_of(HIDDEN);
                let text = if is_hidden { "hidden" } else { "seen" };
                let values = [
                    ("short_description", text),
                    ("correlation_display", "Model"),
                ];
                let id = self.instance.insert(None, "incident", &values).unwrap();
                self.rows.push(id);
            }
            Deed::Touch { row, delay_ms } => {
                let Some(id) = self.pick(*row) else { return };
                self.instance
                    .set_knobs(|knobs| knobs.visible_delay_ms = *delay_ms);
                let values = [("description", note.as_str())];
                self.instance
                    .update(Some("rest.admin"), "incident", &id, &values)
                    .unwrap();
                self.instance.set_knobs(|knobs| knobs.visible_delay_ms = 0);
            }
            Deed::Delete { row } => {
                if let Some(id) = self.pick(*row) {
                    self.instance.delete("incident", &id).unwrap();
                    self.rows.retain(|other| *other != id);
                }
            }
            Deed::Pass { millis } => self.instance.advance(Duration::from_millis(*millis)),
        }
    }

    fn pick(&self, row: usize) -> Option<String> {
        let visible = self.rows.len().max(1);
        self.rows.get(row % visible).cloned()
    }

    /// What the account may see, as written last: id and version.
    fn visible(&self) -> BTreeMap<String, String> {
        let rows = self.instance.rows("incident", OURS).into_iter();
        rows.filter(|row| row["short_description"] != "hidden")
            .map(|row: RowMap| (row["sys_id"].clone(), version(&row["sys_mod_count"])))
            .collect()
    }

    async fn page(&self, limit: u32, cursor: &Cursor, offset: u64) -> PageVerdict {
        let filters = Query::new().eq("correlation_display", "Model").unwrap();
        let request = ChangesRequest {
            limit,
            offset,
            ..ChangesRequest::new(filters, cursor.clone())
        };
        let table = self.client.table("incident");
        read_page(&table, &request).await.unwrap().value
    }
}

/// The column is empty until the first change.
fn version(text: &str) -> String {
    if text.is_empty() { "0" } else { text }.to_owned()
}

/// One run from the overlap to the last page; gives what it has read and the newest stamp.
async fn run(
    stage: &mut Stage,
    limit: u32,
    from: &Cursor,
    gaps: &[Vec<Deed>],
    read: &mut BTreeMap<String, String>,
) -> Result<Cursor, TestCaseError> {
    let (mut at, mut offset, mut newest) = (from.back_by(OVERLAP), 0, from.clone());
    let mut of_run: BTreeSet<(String, String)> = BTreeSet::new();
    let mut began = None;
    for round in 0..400 {
        for deed in gaps.get(round).into_iter().flatten() {
            stage.happen(deed);
        }
        let page = stage.page(limit, &at, offset).await;
        let began = began.get_or_insert_with(|| format_time(stage.instance.clock().now()));
        for row in &page.rows {
            let id = row.sys_id().unwrap().to_owned();
            let seen = version(row.get("sys_mod_count").unwrap());
            let is_new = of_run.insert((id.clone(), seen.clone()));
            prop_assert!(is_new, "{id} is read twice as it was");
            read.insert(id, seen);
        }
        offset = page.next_offset;
        if let Some(next) = page.next {
            // What became visible behind the pages of a long run is read by the next one.
            let stamp = next.updated_on.clone().min(began.clone());
            if stamp > newest.updated_on {
                newest = Cursor::from_second(stamp);
            }
            at = next;
        }
        if !page.more {
            return Ok(newest);
        }
    }
    Err(TestCaseError::fail("the run does not end"))
}

async fn run_script(mut stage: Stage, limit: u32, script: Vec<Vec<Vec<Deed>>>) -> TestCaseResult {
    let mut cursor = Cursor::default();
    let mut read = BTreeMap::new();
    for gaps in &script {
        cursor = run(&mut stage, limit, &cursor, gaps, &mut read).await?;
    }
    // Everything written becomes visible, and is read by the next run.
    stage
        .instance
        .advance(Duration::from_millis(LONGEST_DELAY_MS));
    run(&mut stage, limit, &cursor, &[], &mut read).await?;
    let visible = stage.visible();
    read.retain(|id, _| stage.rows.contains(id));
    prop_assert_eq!(
        read,
        visible,
        "every row as it was written last, and no hidden one"
    );
    Ok(())
}

/// Two hidden rows fill the first page. When one of them changes meanwhile, it leaves its place to a row that nobody
/// has read.
#[test]
fn a_hidden_row_that_moves_takes_no_other_out_of_sight() {
    let script = vec![vec![
        vec![],
        vec![Deed::Touch {
            row: 0,
            delay_ms: 0,
        }],
    ]];
    RUNTIME.block_on(async {
        let mut stage = Stage::with(0).await;
        let far = Deed::Pass { millis: 60_000 };
        for is_hidden in [true, true, false, false] {
            stage.writes = if is_hidden { HIDDEN - 1 } else { 0 };
            stage.happen(&Deed::Insert);
            stage.happen(&far);
        }
        run_script(stage, 2, script).await.unwrap();
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn no_change_is_missed_while_others_write(rows in 0_usize..24, limit in 1_u32..7, script in script()) {
        RUNTIME.block_on(async { run_script(Stage::with(rows).await, limit, script).await })?;
    }
}
