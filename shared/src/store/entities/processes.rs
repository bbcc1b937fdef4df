use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "processes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub kind: String,
    pub host: String,
    pub version: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub lanes: Json,
    pub started_at: DateTimeUtc,
    pub heartbeat_at: DateTimeUtc,
    pub lease_until: DateTimeUtc,
    pub drain_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
