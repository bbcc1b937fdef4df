//! Messages about alerts, stored with the change that they tell, until each destination has taken them.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::alert::{AlertName, Told};
use crate::store::ids::first_id;
use crate::store::sql::Sql;
use crate::store::{StoreError, new_id};

/// A message to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMessage {
    /// About which alert.
    pub alert: AlertName,
    /// What it tells.
    pub told: Told,
    /// Who gets it.
    pub destination: String,
    /// In one line.
    pub subject: String,
    /// The body of a webhook; its `text` is that of a mail.
    pub body: Json,
}

/// A stored message.
#[derive(Debug, Clone, PartialEq, FromQueryResult)]
pub struct Message {
    /// Its id, the same for each attempt.
    pub id: Uuid,
    /// About which alert.
    pub alert: String,
    /// What it tells: `fired`, `repeated`, `resolved`.
    pub told: String,
    /// Who gets it.
    pub destination: String,
    /// In one line.
    pub subject: String,
    /// The body of a webhook.
    pub body: Json,
    /// When the change was seen.
    pub created_at: DateTime<Utc>,
    /// When it is tried again, while it is neither sent nor given up.
    pub next_at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: i32,
    /// When the destination took it.
    pub sent_at: Option<DateTime<Utc>>,
    /// When it was given up.
    pub given_up_at: Option<DateTime<Utc>>,
    /// What the destination answered last, or why it did not.
    pub answer: Option<String>,
}

/// What is known of a destination.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Known {
    /// Its name.
    pub destination: String,
    /// When it last took a message.
    pub last_sent_at: Option<DateTime<Utc>>,
    /// Messages that wait for it.
    pub waiting: i64,
    /// Messages that wait and were refused before.
    pub failing: i64,
    /// Messages that were given up.
    pub given_up: i64,
}

/// Stores messages, in the same transaction as the change that they tell.
pub async fn insert_all(
    conn: &impl ConnectionTrait,
    messages: &[NewMessage],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for new in messages {
        let values: [Value; 8] = [
            new_id(now).into(),
            new.alert.as_str().into(),
            new.told.as_str().into(),
            new.destination.as_str().into(),
            new.subject.as_str().into(),
            new.body.clone().into(),
            now.into(),
            now.into(),
        ];
        let mut insert = Sql::new(
            conn,
            "INSERT INTO alert_messages (id, alert, told, destination, subject, body, created_at, next_at, attempts) VALUES (",
        );
        for value in values {
            insert = insert.bind(value).then(", ");
        }
        insert.then("0)").run(conn).await?;
    }
    Ok(())
}

/// Messages whose turn it is, at most `limit`: of each alert and destination the oldest one, so that nobody hears of an end before
/// its beginning.
pub async fn due(
    conn: &impl ConnectionTrait,
    limit: u64,
    now: DateTime<Utc>,
) -> Result<Vec<Message>, StoreError> {
    Sql::new(
        conn,
        "SELECT * FROM alert_messages WHERE sent_at IS NULL AND given_up_at IS NULL AND next_at <= ",
    )
    .bind(now)
    .then(
        " AND NOT EXISTS (SELECT 1 FROM alert_messages AS older WHERE older.sent_at IS NULL AND older.given_up_at IS NULL \
         AND older.destination = alert_messages.destination AND older.alert = alert_messages.alert \
         AND older.created_at < alert_messages.created_at) ORDER BY next_at, id LIMIT ",
    )
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .all(conn)
    .await
}

/// Takes the turn of a message: nobody else sends it before `next_at`. False when somebody was faster.
pub async fn take(
    conn: &impl ConnectionTrait,
    message: &Message,
    next_at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let touched = Sql::new(
        conn,
        "UPDATE alert_messages SET attempts = attempts + 1, next_at = ",
    )
    .bind(next_at)
    .then(" WHERE sent_at IS NULL AND given_up_at IS NULL AND id = ")
    .bind(message.id)
    .then(" AND attempts = ")
    .bind(message.attempts)
    .run(conn)
    .await?;
    Ok(touched == 1)
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The destination has it.
    Sent,
    /// It is tried again then.
    Again(DateTime<Utc>),
    /// It is tried no more.
    GivenUp,
}

/// Notes what became of an attempt, and what was answered.
pub async fn ended(
    conn: &impl ConnectionTrait,
    id: Uuid,
    ended: Ended,
    answer: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let update = Sql::new(conn, "UPDATE alert_messages SET answer = ").bind(answer);
    let update = match ended {
        Ended::Sent => update.then(", sent_at = ").bind(now),
        Ended::Again(at) => update.then(", next_at = ").bind(at),
        Ended::GivenUp => update.then(", given_up_at = ").bind(now),
    };
    update.then(" WHERE id = ").bind(id).run(conn).await?;
    Ok(())
}

/// The newest messages, at most `limit`.
pub async fn newest(conn: &impl ConnectionTrait, limit: u64) -> Result<Vec<Message>, StoreError> {
    Sql::new(conn, "SELECT * FROM alert_messages ORDER BY id DESC LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .all(conn)
        .await
}

/// What is known of each destination that was ever told something that is still kept.
pub async fn known(conn: &impl ConnectionTrait) -> Result<Vec<Known>, StoreError> {
    Sql::new(
        conn,
        "SELECT destination, MAX(sent_at) AS last_sent_at, \
         COUNT(CASE WHEN sent_at IS NULL AND given_up_at IS NULL THEN 1 END) AS waiting, \
         COUNT(CASE WHEN sent_at IS NULL AND given_up_at IS NULL AND answer IS NOT NULL THEN 1 END) AS failing, \
         COUNT(given_up_at) AS given_up FROM alert_messages GROUP BY destination ORDER BY destination",
    )
    .all(conn)
    .await
}

/// Removes messages from before `until` that are sent or given up; how many.
pub async fn forget(conn: &impl ConnectionTrait, until: DateTime<Utc>) -> Result<u64, StoreError> {
    Sql::new(conn, "DELETE FROM alert_messages WHERE id < ")
        .bind(first_id(until))
        .then(" AND (sent_at IS NOT NULL OR given_up_at IS NOT NULL)")
        .run(conn)
        .await
}
