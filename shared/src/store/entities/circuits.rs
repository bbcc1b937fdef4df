use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "circuits")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub connection: String,
    pub reason: String,
    pub class: String,
    pub opened_at: DateTimeUtc,
    pub until: DateTimeUtc,
    pub failures: i32,
    pub probing_job: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
