//! Lists requests, newest first, page by page.
//!
//! Words have no index: each would cost intake a write. A page that looks for some looks at so many requests at most, and says how far back
//! it has come.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{
    Expr, ExprTrait, Func, LikeExpr, Query, SelectStatement, SimpleExpr, UnionType,
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use crate::request::{Request, RequestState};
use crate::store::StoreError;
use crate::store::entities::requests::{Column, Entity, Model};
use crate::store::sql::anywhere;

/// Requests that one page looks at for words, at most.
const LOOKS: u64 = 50_000;

/// Which requests; an empty filter means all. What is set must all hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this source.
    pub source: Option<String>,
    /// In one of these states; empty means any.
    pub state: Vec<RequestState>,
    /// Of this category.
    pub category: Option<String>,
    /// Served by this route.
    pub route: Option<String>,
    /// With this id of the source.
    pub external_id: Option<String>,
    /// For this person.
    pub requested_for: Option<String>,
    /// Flagged for attention, or not.
    pub attention: Option<bool>,
    /// Taken in after this moment.
    pub created_after: Option<DateTime<Utc>>,
    /// Taken in before this moment.
    pub created_before: Option<DateTime<Utc>>,
    /// Words that stand somewhere in external id, item, requester or requested_for; upper and lower case are one. A page looks for them
    /// in a bounded number of requests.
    pub text: Option<String>,
}

/// Where a page ended. Opaque outside: only ever given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListCursor {
    created_at: DateTime<Utc>,
    id: Uuid,
}

/// A text that is no cursor of ours.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("this is no cursor; give one back as it was received, or none for the first page")]
pub struct BadCursor;

impl fmt::Display for ListCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0_u8; 24];
        bytes[..8].copy_from_slice(&self.created_at.timestamp_micros().to_be_bytes());
        bytes[8..].copy_from_slice(self.id.as_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for ListCursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor)?;
        let (time, id) = bytes.split_at_checked(8).ok_or(BadCursor)?;
        let micros = i64::from_be_bytes(time.try_into().map_err(|_| BadCursor)?);
        Ok(Self {
            created_at: DateTime::from_timestamp_micros(micros).ok_or(BadCursor)?,
            id: Uuid::from_slice(id).map_err(|_| BadCursor)?,
        })
    }
}

/// A page of requests.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestPage {
    /// Newest first.
    pub requests: Vec<Request>,
    /// Where the next page begins; `None` when there is nothing more to look at.
    pub next: Option<ListCursor>,
    /// How far back this page has looked for words when it is not full: older requests may hold them.
    pub looked_back_to: Option<DateTime<Utc>>,
}

/// At most `limit` requests behind `after`, newest first.
pub async fn list(
    conn: &impl ConnectionTrait,
    filter: &Filter,
    after: Option<ListCursor>,
    limit: u64,
) -> Result<RequestPage, StoreError> {
    let most = limit.saturating_add(1);
    let edge = match words(filter) {
        Some(_) => edge(conn, filter, after).await?,
        None => None,
    };
    let condition = condition(filter).add_option(edge.map(down_to));
    let chosen = match filter.state.as_slice() {
        [] => newest(condition, after, most),
        [state] => newest(condition.add(in_state(*state)), after, most),
        states => {
            let of_any = of_each_state(&condition, states, after, most);
            newest(Condition::all().add_option(of_any), None, most)
        }
    };
    let mut rows = chosen.all(conn).await?;
    let more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = rows.last().filter(|_| more).map(|row: &Model| ListCursor {
        created_at: row.created_at,
        id: row.id,
    });
    let requests = rows
        .into_iter()
        .map(Request::try_from)
        .collect::<Result<_, _>>()?;
    Ok(RequestPage {
        requests,
        next: next.or(edge),
        looked_back_to: edge.filter(|_| next.is_none()).map(|edge| edge.created_at),
    })
}

#[derive(FromQueryResult)]
struct Edge {
    created_at: DateTime<Utc>,
    id: Uuid,
}

/// The last request that a page looks at, when there may be more behind it: found in the index by time, of the source where one is given.
async fn edge(
    conn: &impl ConnectionTrait,
    filter: &Filter,
    after: Option<ListCursor>,
) -> Result<Option<ListCursor>, StoreError> {
    let looked = Filter {
        source: filter.source.clone(),
        created_after: filter.created_after,
        created_before: filter.created_before,
        ..Filter::default()
    };
    let edge = newest(condition(&looked), after, 1)
        .select_only()
        .columns([Column::CreatedAt, Column::Id])
        .offset(LOOKS - 1)
        .into_model::<Edge>()
        .one(conn)
        .await?;
    Ok(edge.map(|edge| ListCursor {
        created_at: edge.created_at,
        id: edge.id,
    }))
}

fn newest(condition: Condition, after: Option<ListCursor>, most: u64) -> Select<Entity> {
    Entity::find()
        .filter(condition.add_option(after.map(behind)))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .limit(most)
}

/// Among the newest of one of these states. No index has several states in the order of time: asked for all of them at once, the
/// database would walk back in time until a page is full, which it may never be.
fn of_each_state(
    condition: &Condition,
    states: &[RequestState],
    after: Option<ListCursor>,
    most: u64,
) -> Option<SimpleExpr> {
    let of_one = |state: &RequestState| -> SelectStatement {
        let page = newest(condition.clone().add(in_state(*state)), after, most);
        let page = page.select_only().column(Column::Id).into_query();
        // SQLite takes an order inside a union only in a subquery.
        Query::select()
            .column(Column::Id)
            .from_subquery(page, "page")
            .take()
    };
    let any = states.iter().map(of_one).reduce(|mut any, one| {
        any.union(UnionType::All, one);
        any
    });
    any.map(|any| Column::Id.in_subquery(any))
}

/// By the index of what is watched, or of what has ended. Only what has not ended is looked for among what is watched; what has
/// ended may be watched as well.
fn in_state(state: RequestState) -> SimpleExpr {
    if state.is_final() {
        return Column::ClosedAs.eq(state.as_str());
    }
    // As a word and not as a bound value, which would hide from both databases that the partial index holds all of it.
    Expr::col((Entity, Column::Watched)).and(Column::State.eq(state.as_str()))
}

fn behind(cursor: ListCursor) -> Condition {
    Condition::any()
        .add(Column::CreatedAt.lt(cursor.created_at))
        .add(
            Condition::all()
                .add(Column::CreatedAt.eq(cursor.created_at))
                .add(Column::Id.lt(cursor.id)),
        )
}

/// From the newest down to this one.
fn down_to(edge: ListCursor) -> Condition {
    Condition::any()
        .add(Column::CreatedAt.gt(edge.created_at))
        .add(
            Condition::all()
                .add(Column::CreatedAt.eq(edge.created_at))
                .add(Column::Id.gte(edge.id)),
        )
}

/// What is looked for, when there is something.
fn words(filter: &Filter) -> Option<&str> {
    filter.text.as_deref().filter(|text| !text.is_empty())
}

/// All but the states.
fn condition(filter: &Filter) -> Condition {
    let equal =
        |column: Column, value: &Option<String>| value.as_deref().map(|value| column.eq(value));
    let attention = filter.attention.map(|flagged| {
        if flagged {
            Column::Attention.is_not_null()
        } else {
            Column::Attention.is_null()
        }
    });
    Condition::all()
        .add_option(equal(Column::Source, &filter.source))
        .add_option(equal(Column::Category, &filter.category))
        .add_option(equal(Column::Route, &filter.route))
        .add_option(equal(Column::ExternalId, &filter.external_id))
        .add_option(equal(Column::RequestedFor, &filter.requested_for))
        .add_option(attention)
        .add_option(
            filter
                .created_after
                .map(|moment| Column::CreatedAt.gt(moment)),
        )
        .add_option(
            filter
                .created_before
                .map(|moment| Column::CreatedAt.lt(moment)),
        )
        .add_option(words(filter).map(says))
}

/// Whether one of the texts people look for holds `text`.
fn says(text: &str) -> Condition {
    let pattern = anywhere(text);
    [
        Column::ExternalId,
        Column::Item,
        Column::Requester,
        Column::RequestedFor,
    ]
    .into_iter()
    .fold(Condition::any(), |any, column| {
        let lower: SimpleExpr = Func::lower(Expr::col(column)).into();
        any.add(lower.like(LikeExpr::new(pattern.clone()).escape('\\')))
    })
}
