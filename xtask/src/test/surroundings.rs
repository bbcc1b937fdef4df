//! What the harness finds in its environment: the program under test and the servers it may use or start.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::needs::Programs;
use super::watchdog::Watchdog;
use crate::failure::{During, Failure};

/// The program under test, a running PostgreSQL, the programs of private servers, a folder that disappears with the run.
pub(crate) struct Surroundings {
    binary: PathBuf,
    postgres_url: String,
    programs: Programs,
    temporary: PathBuf,
}

impl Surroundings {
    pub(crate) fn new(
        watchdog: &Watchdog,
        binary: PathBuf,
        postgres_url: String,
        programs: Programs,
    ) -> Result<Self, Failure> {
        let temporary = watchdog.folder().join("tmp");
        fs::create_dir(&temporary).during("making the temporary folder of the run")?;
        Ok(Self {
            binary,
            postgres_url,
            programs,
            temporary,
        })
    }

    /// Names all of them to a program of the harness.
    pub(crate) fn tell(&self, command: &mut Command) {
        command
            .env("TICKETBRIDGE_BIN", &self.binary)
            .env("TICKETBRIDGE_TEST_POSTGRES_URL", &self.postgres_url)
            .env(
                "TICKETBRIDGE_POSTGRES_PROGRAMS",
                &self.programs.postgres_folder,
            )
            .env("TICKETBRIDGE_REDIS_SERVER", &self.programs.redis_server)
            .env("TMPDIR", &self.temporary);
    }
}
