use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub job_id: Uuid,
    pub request_id: Option<Uuid>,
    pub number: i32,
    pub token: i64,
    pub worker: String,
    pub started_at: DateTimeUtc,
    pub finished_at: DateTimeUtc,
    pub outcome: String,
    pub class: Option<String>,
    pub http_status: Option<i32>,
    pub transaction_id: Option<String>,
    pub message: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub calls: Json,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
