//! The steps that build the database, for PostgreSQL and for SQLite. A step is added, never changed once released.
//!
//! `ticketbridge migrate` applies them; the store refuses to work on a database that has fewer or more of them.

use sea_orm_migration::prelude::*;

pub use sea_orm_migration::MigratorTrait;

mod m20261122_000001_sources;
mod m20261122_000002_requests;
mod m20261122_000003_tickets;
mod m20261122_000004_jobs;
mod m20261122_000005_attempts;
mod m20261122_000006_notes;
mod m20261122_000007_events;
mod m20261122_000008_audit_entries;
mod m20261122_000009_idempotency_keys;
mod m20261122_000010_schedules;
mod m20261122_000011_processes;
mod m20261122_000012_connections;
mod m20261122_000013_switches;
mod m20261122_000014_suspects;
mod m20261122_000016_note_sends;
mod m20261122_000017_drift_reports;
mod m20261122_000018_credentials;
mod m20261122_000019_past;
mod m20261128_000020_lean;
mod m20261128_000021_partitions;
mod m20261128_000022_retention;
mod m20261128_000023_operators;
mod m20261128_000024_operations;
mod m20261128_000025_audit_seals;
mod m20261128_000026_oidc;
mod m20261128_000027_minutes;
mod m20261128_000028_alerts;
mod m20261128_000029_connection_checks;
mod m20261128_000030_map_decisions;
mod m20261128_000031_lane_limits;
mod m20261128_000032_operation_waits;
mod m20261128_000033_choice_lists;

/// All steps, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_sources::Migration),
            Box::new(m20261122_000002_requests::Migration),
            Box::new(m20261122_000003_tickets::Migration),
            Box::new(m20261122_000004_jobs::Migration),
            Box::new(m20261122_000005_attempts::Migration),
            Box::new(m20261122_000006_notes::Migration),
            Box::new(m20261122_000007_events::Migration),
            Box::new(m20261122_000008_audit_entries::Migration),
            Box::new(m20261122_000009_idempotency_keys::Migration),
            Box::new(m20261122_000010_schedules::Migration),
            Box::new(m20261122_000011_processes::Migration),
            Box::new(m20261122_000012_connections::Migration),
            Box::new(m20261122_000013_switches::Migration),
            Box::new(m20261122_000014_suspects::Migration),
            Box::new(m20261122_000016_note_sends::Migration),
            Box::new(m20261122_000017_drift_reports::Migration),
            Box::new(m20261122_000018_credentials::Migration),
            Box::new(m20261122_000019_past::Migration),
            Box::new(m20261128_000020_lean::Migration),
            Box::new(m20261128_000021_partitions::Migration),
            Box::new(m20261128_000022_retention::Migration),
            Box::new(m20261128_000023_operators::Migration),
            Box::new(m20261128_000024_operations::Migration),
            Box::new(m20261128_000025_audit_seals::Migration),
            Box::new(m20261128_000026_oidc::Migration),
            Box::new(m20261128_000027_minutes::Migration),
            Box::new(m20261128_000028_alerts::Migration),
            Box::new(m20261128_000029_connection_checks::Migration),
            Box::new(m20261128_000030_map_decisions::Migration),
            Box::new(m20261128_000031_lane_limits::Migration),
            Box::new(m20261128_000032_operation_waits::Migration),
            Box::new(m20261128_000033_choice_lists::Migration),
        ]
    }
}

/// Runs statements that both databases understand word for word: partial indexes, which the builder writes less readably.
async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        manager
            .get_connection()
            .execute_unprepared(statement)
            .await?;
    }
    Ok(())
}

/// Drops tables in the order given; the indexes go with them.
async fn drop_tables(manager: &SchemaManager<'_>, names: &[&'static str]) -> Result<(), DbErr> {
    for name in names {
        manager
            .drop_table(Table::drop().table(*name).to_owned())
            .await?;
    }
    Ok(())
}
