use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "credentials")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub connection: String,
    pub fingerprint: String,
    pub first_worked_at: Option<DateTimeUtc>,
    pub last_worked_at: Option<DateTimeUtc>,
    pub refused: i64,
    pub failing_since: Option<DateTimeUtc>,
    pub warned_days: Option<i32>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
