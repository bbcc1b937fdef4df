//! Raw statements with bound values, for what must happen in one statement on both databases.

use chrono::SecondsFormat;
use sea_orm::sea_query::Expr;
use sea_orm::sea_query::extension::postgres::PgExpr as _;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, FromQueryResult, IntoSimpleExpr as _, Statement, Value,
};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::StoreError;

/// A statement in the making. Text is appended as it stands; values are only ever bound (`$1`, `$2`, … on both databases).
pub(super) struct Sql {
    backend: DbBackend,
    text: String,
    values: Vec<Value>,
}

impl Sql {
    /// Begins with `text`.
    pub(super) fn new(conn: &impl ConnectionTrait, text: &str) -> Self {
        Self {
            backend: conn.get_database_backend(),
            text: text.to_owned(),
            values: Vec::new(),
        }
    }

    /// Begins with a table `given` of `rows`, at least one, that the statement reads from. `columns` are names and PostgreSQL's
    /// types, such as `id uuid, state text`.
    ///
    /// PostgreSQL gets the rows as one JSON value, so that the text, and with it the prepared statement, is the same for any
    /// count; arrays would do that too, but the binding we use knows none with a NULL in it.
    pub(super) fn given(conn: &impl ConnectionTrait, columns: &str, rows: Vec<Vec<Value>>) -> Self {
        let names: Vec<&str> = columns
            .split(", ")
            .filter_map(|column| column.split(' ').next())
            .collect();
        if conn.get_database_backend() == DbBackend::Postgres {
            return Self::new(conn, "WITH given AS (SELECT * FROM json_to_recordset(")
                .bind(json_of(&names, rows).to_string())
                .then("::json) AS given (")
                .then(columns)
                .then(")) ");
        }
        let mut statement = Self::new(conn, "WITH given (")
            .then(&names.join(", "))
            .then(") AS (VALUES ");
        for (index, row) in rows.into_iter().enumerate() {
            statement = statement.then(if index == 0 { "(" } else { ", (" });
            for (place, value) in row.into_iter().enumerate() {
                statement = statement
                    .then(if place == 0 { "" } else { ", " })
                    .bind(value);
            }
            statement = statement.then(")");
        }
        statement.then(") ")
    }

    /// Goes on with `text`.
    pub(super) fn then(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Goes on with `text` on PostgreSQL only: row locks, which SQLite with its one writer neither has nor needs.
    pub(super) fn postgres(self, text: &str) -> Self {
        if self.backend == DbBackend::Postgres {
            self.then(text)
        } else {
            self
        }
    }

    /// Goes on with the placeholder of `value`.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self.text.push('$');
        self.text.push_str(&self.values.len().to_string());
        self
    }

    /// Goes on with ` = ANY($n)` or ` IN ($n, …)`: true when what stands before is one of `items`.
    ///
    /// PostgreSQL gets one array, so that the text, and with it the prepared statement, is the same for any count.
    pub(super) fn one_of<T>(self, items: &[T]) -> Self
    where
        T: Clone + Into<Value>,
        Vec<T>: Into<Value>,
    {
        if self.backend == DbBackend::Postgres {
            return self.then(" = ANY(").bind(items.to_vec()).then(")");
        }
        let mut list = self.then(" IN (");
        for (index, item) in items.iter().enumerate() {
            list = if index == 0 { list } else { list.then(", ") };
            list = list.bind(item.clone());
        }
        list.then(")")
    }

    /// Runs it; the number of rows it touched.
    pub(super) async fn run(self, conn: &impl ConnectionTrait) -> Result<u64, StoreError> {
        Ok(conn.execute_raw(self.statement()).await?.rows_affected())
    }

    /// Runs it; every row it gives.
    pub(super) async fn all<R: FromQueryResult>(
        self,
        conn: &impl ConnectionTrait,
    ) -> Result<Vec<R>, StoreError> {
        Ok(R::find_by_statement(self.statement()).all(conn).await?)
    }

    /// Runs it; the only row it gives, if any.
    pub(super) async fn one<R: FromQueryResult>(
        self,
        conn: &impl ConnectionTrait,
    ) -> Result<Option<R>, StoreError> {
        Ok(R::find_by_statement(self.statement()).one(conn).await?)
    }

    fn statement(self) -> Statement {
        Statement::from_sql_and_values(self.backend, self.text, self.values)
    }
}

/// The same condition as [`Sql::one_of`], for a query of an entity.
pub(super) fn among(conn: &impl ConnectionTrait, column: impl ColumnTrait, ids: &[Uuid]) -> Expr {
    if conn.get_database_backend() == DbBackend::Postgres {
        column.into_simple_expr().eq_any(ids.iter().copied())
    } else {
        column.is_in(ids.iter().copied())
    }
}

fn json_of(names: &[&str], rows: Vec<Vec<Value>>) -> Json {
    let object = |row: Vec<Value>| {
        let columns = names.iter().zip(row);
        Json::Object(
            columns
                .map(|(name, value)| ((*name).to_owned(), as_json(value)))
                .collect::<Map<_, _>>(),
        )
    };
    Json::Array(rows.into_iter().map(object).collect())
}

/// The values that our columns hold; what is none of them is NULL.
fn as_json(value: Value) -> Json {
    match value {
        Value::Bool(Some(it)) => it.into(),
        Value::SmallInt(Some(it)) => it.into(),
        Value::Int(Some(it)) => it.into(),
        Value::BigInt(Some(it)) => it.into(),
        Value::String(Some(it)) => it.into(),
        Value::Uuid(Some(it)) => it.to_string().into(),
        Value::Json(Some(it)) => *it,
        Value::ChronoDateTimeUtc(Some(it)) => {
            it.to_rfc3339_opts(SecondsFormat::Micros, true).into()
        }
        _ => Json::Null,
    }
}
