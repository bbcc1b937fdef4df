use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "drift_reports")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub connection: String,
    pub table_name: String,
    pub window_from: String,
    pub window_to: String,
    pub started_at: DateTimeUtc,
    pub finished_at: Option<DateTimeUtc>,
    pub expected: i64,
    pub found: i64,
    pub checked: i64,
    pub unchanged: i64,
    pub repaired: i64,
    pub flagged: i64,
    pub failed: i64,
    pub verdict: Option<String>,
    pub reason: Option<String>,
    pub findings: Json,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
