//! The figures of `docs/scaling.md`, between two marks.

use std::fmt::Write as _;

use super::model::{self, Wall};
use super::parameters::{DISK, Instances, Layout, MEASURED, SITES, Site, WORKERS};
use super::simulation::{Load, simulate};

/// Where the figures begin and end in the document.
pub const MARKS: (&str, &str) = (
    "<!-- figures: cargo run -p tests --bin scaling -- --write -->",
    "<!-- end of the figures -->",
);

/// The document with the figures of now. `None` when it has no place for them.
pub fn renewed(document: &str) -> Option<String> {
    let (before, rest) = document.split_once(MARKS.0)?;
    let (_, after) = rest.split_once(MARKS.1)?;
    let (begin, end) = MARKS;
    Some(format!("{before}{begin}\n\n{}\n{end}{after}", figures()))
}

/// What each part bears, and the table of the sites.
pub fn figures() -> String {
    let mut text = alone();
    text.push_str(
        "\n| installation | workers | creates/s | what stops it | the wall behind it | simulated at that rate | wait at 80 % of it: half, 99 of 100 |\n\
         |---|--:|--:|---|---|--:|--:|\n",
    );
    for site in SITES {
        for workers in WORKERS {
            text.push_str(&row(&site, workers));
        }
    }
    text
}

/// The walls one by one.
fn alone() -> String {
    let site = SITES[2].layout;
    let mut text = String::from("| part | creates/s |\n|---|--:|\n");
    let mut line = |name: &str, rate: f64| {
        writeln!(text, "| {name} | {} |", rounded(rate)).expect("text can be written");
    };
    let of = |layout: &Layout, wall: Wall| {
        let walls = model::walls(layout, &MEASURED);
        let found = walls.into_iter().find(|(it, _)| *it == wall);
        found.map_or(f64::INFINITY, |(_, rate)| rate)
    };
    let hourly = Instances {
        hourly: Some((10_000, 10)),
        ..SITES[0].layout.instances
    };
    let ruled = Layout {
        instances: hourly,
        ..SITES[0].layout
    };
    line(
        "an instance with a rule of 10,000 calls an hour, 10 % kept",
        of(&ruled, Wall::Hour),
    );
    line(
        "an instance, `max_in_flight` 4, 0.3 s a call",
        of(&SITES[0].layout, Wall::Instances),
    );
    line(
        "an instance, `max_in_flight` 64, 0.3 s a call",
        of(&SITES[1].layout, Wall::Instances),
    );
    line(
        "PostgreSQL, a core",
        of(&site, Wall::Postgres) / f64::from(site.postgres_cores),
    );
    line("a worker, one core", of(&site, Wall::Workers));
    line("a scheduler, one core", of(&site, Wall::Schedulers));
    for workers in [1, 10, 100] {
        let name = format!("Redis, when so many workers share a budget: {workers}");
        line(&name, of(&site.with_workers(workers), Wall::Redis));
    }
    let disk = format!("a disk that takes {:.0} MB of log a second", DISK / 1e6);
    line(&disk, of(&site, Wall::Log));
    text
}

fn row(site: &Site, workers: u32) -> String {
    let layout = site.layout.with_workers(workers);
    let walls = model::walls(&layout, &MEASURED);
    let ((first, bound), (second, next)) = (walls[0], walls[1]);
    let load = |share: f64| Load {
        per_second: bound * share,
        requests: requests(bound),
        seed: 7,
    };
    let reached = simulate(&layout, &MEASURED, &load(1.0)).per_second;
    let calm = simulate(&layout, &MEASURED, &load(0.8));
    format!(
        "| {} | {workers} | {} | {first} | {second}, {} | {} | {:.2} s, {:.1} s |\n",
        site.name,
        rounded(bound),
        rounded(next),
        rounded(reached),
        calm.median,
        calm.ninety_nine
    )
}

/// No more digits than are meant.
fn rounded(rate: f64) -> String {
    if rate < 20.0 {
        format!("{rate:.1}")
    } else {
        format!("{rate:.0}")
    }
}

/// Enough that chance evens out and all places have been taken for a while.
pub fn requests(per_second: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small positive number"
    )]
    let in_ten_seconds = (per_second * 10.0) as usize;
    in_ten_seconds.clamp(4_000, 12_000)
}
