//! `cargo xtask bench`: builds the bridge and the program `bench` of the harness for release, and lets that one measure.

use crate::failure::Failure;
use crate::test::needs::{self, Program};
use crate::test::postgres::Durability;
use crate::test::watchdog::Watchdog;
use crate::test::{binary, harness};

/// What is measured against, besides the servers that the tests want.
const PROGRAMS: [Program; 4] = [
    Program {
        name: "pgbench",
        package: "postgresql",
    },
    Program {
        name: "nginx",
        package: "nginx-light",
    },
    Program {
        name: "wrk",
        package: "wrk",
    },
    Program {
        name: "/usr/lib/nginx/modules/ngx_http_echo_module.so",
        package: "libnginx-mod-http-echo",
    },
];

/// Runs it; all arguments are the harness's own. Returns its exit code.
pub(crate) fn run(arguments: &[String]) -> Result<u8, Failure> {
    let programs = needs::satisfy_with(&PROGRAMS)?;
    let mut watchdog = Watchdog::start()?;
    let bridge = ["--release", "--package", "ticketbridge"];
    let surroundings =
        harness::surroundings(&mut watchdog, programs, &bridge, Durability::Default)?;
    let bench = ["--release", "--package", "tests", "--bin", "bench"];
    let bench = binary::build(&mut watchdog, "bench", &bench)?;
    harness::run(watchdog, &bench, Some(&surroundings), arguments)
}
