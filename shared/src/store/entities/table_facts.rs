use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "table_facts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub connection: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub table_name: String,
    pub honours_sys_id: Option<bool>,
    pub zone_ok_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
