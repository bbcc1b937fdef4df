use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: String,
    pub lane: String,
    pub connection: Option<String>,
    pub request_id: Option<Uuid>,
    #[sea_orm(column_type = "JsonBinary")]
    pub payload: Json,
    pub state: String,
    pub priority: i16,
    pub due_at: DateTimeUtc,
    pub rung_at: Option<DateTimeUtc>,
    pub attempts: i32,
    pub lease_owner: Option<String>,
    pub lease_token: i64,
    pub worker_deaths: i32,
    pub dedup_key: Option<String>,
    pub again: bool,
    pub last_error_class: Option<String>,
    pub last_error: Option<String>,
    pub first_started_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub finished_at: Option<DateTimeUtc>,
    pub traceparent: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
