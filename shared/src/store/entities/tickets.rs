use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tickets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub request_id: Uuid,
    pub connection: String,
    pub kind: String,
    pub kind_name: String,
    pub table_name: String,
    pub sys_id: Option<String>,
    pub correlation_id: String,
    pub in_servicenow: bool,
    pub number: Option<String>,
    pub order_number: Option<String>,
    pub order_sys_id: Option<String>,
    pub remote_state: Option<String>,
    pub approval: Option<String>,
    pub stage: Option<String>,
    pub close_code: Option<String>,
    pub close_notes: Option<String>,
    pub assigned_to: Option<String>,
    pub assignment_group: Option<String>,
    pub mod_count: Option<i64>,
    pub remote_updated_on: Option<String>,
    pub written_version: Option<i64>,
    pub maybe_sent_at: Option<DateTimeUtc>,
    pub checked_at: Option<DateTimeUtc>,
    pub given_up_at: Option<DateTimeUtc>,
    pub decided_map: Option<String>,
    pub decided_rule: Option<String>,
    pub decided_state: Option<String>,
    pub decided_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::requests::Entity",
        from = "Column::RequestId",
        to = "super::requests::Column::Id"
    )]
    Request,
}

impl Related<super::requests::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Request.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
