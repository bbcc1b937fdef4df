//! Whatever process dies at whatever point of the data flow: one ticket for each request, each comment once, the newest state told,
//! and an audit trail without a gap (ARCHITECTURE.md, "Crash points").

use std::collections::BTreeSet;

use shared::crash::Point;
use tests::chaos::points::plan::Step;
use tests::chaos::points::play::{Play, Played};
use tests::chaos::points::process::Role;
use tests::chaos::points::stage::Stage;
use tests::chaos::points::world::Kill;
use tests::databases::Flavour;

mod seeds;
mod stories;

/// Of the times that a story comes to a point, so many of the first are told.
const FIRST: usize = 4;

/// Tells a story once for each of the first times that it comes to a point, and kills there.
macro_rules! stories {
    ($($story:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $story() {
            let stage = Stage::build(Flavour::Sqlite).await;
            kill_everywhere(&stage, stories::$story(), FIRST, &mut BTreeSet::new()).await;
        }
    )+};
}

stories!(mirrored, written, ordered, held, rescued, given_up);

/// Every process at every point, once.
#[tokio::test]
async fn on_postgres_as_well() {
    let stage = Stage::build(Flavour::Postgres).await;
    let mut seen = BTreeSet::new();
    for story in stories::all() {
        kill_everywhere(&stage, story, 1, &mut seen).await;
    }
}

/// Kills at all points that are not in `seen`.
async fn kill_everywhere(
    stage: &Stage,
    story: Vec<Step>,
    most: usize,
    seen: &mut BTreeSet<(Role, Point)>,
) {
    let told = Play::run(stage, &story).await;
    assert_eq!(told.findings, [], "nobody was killed");
    for ((role, point), times) in told.reached {
        if !seen.insert((role, point)) {
            continue;
        }
        for nth in 0..times.min(most) {
            let kill = Kill { role, point, nth };
            let plan: Vec<Step> = [Step::Kill(kill)]
                .into_iter()
                .chain(story.clone())
                .collect();
            let killed = Play::run(stage, &plan).await;
            let struck = killed.deaths.contains(&(role, Some(point)));
            assert!(struck, "{kill:?} did not strike: {:?}", killed.deaths);
            assert_eq!(killed.findings, [], "{kill:?}");
        }
    }
}

#[tokio::test]
async fn every_point_is_reached() {
    let stage = Stage::build(Flavour::Sqlite).await;
    let mut missing: BTreeSet<Point> = Point::ALL.iter().copied().collect();
    for story in stories::all() {
        let Played { reached, .. } = Play::run(&stage, &story).await;
        for (_, point) in reached.keys() {
            missing.remove(point);
        }
    }
    assert_eq!(missing, BTreeSet::new(), "no story comes to these");
}
