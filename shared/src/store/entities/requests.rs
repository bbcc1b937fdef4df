use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "requests")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub source: String,
    pub external_id: String,
    pub route: String,
    pub category: String,
    pub item: String,
    pub requester: String,
    pub requested_for: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub asked: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub asked_originally: Json,
    pub state: String,
    pub reason: Option<String>,
    pub attention: Option<String>,
    pub has_callback: bool,
    /// Whether its ticket may still have news: it has not ended, or its end is not yet written to the ticket. Kept by
    /// `requests::apply` and `tickets::save`, so that old requests cost the polling nothing.
    pub watched: bool,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub closed_at: Option<DateTimeUtc>,
    /// The state, once it is a final one: no index names the state itself, which changes often.
    pub closed_as: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
