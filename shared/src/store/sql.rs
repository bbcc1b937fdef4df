//! Raw statements with bound values, for what must happen in one statement on both databases.

use chrono::SecondsFormat;
use sea_orm::sea_query::Expr;
use sea_orm::sea_query::extension::postgres::PgExpr as _;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, FromQueryResult, IntoSimpleExpr as _, Statement, Value,
};
use uuid::Uuid;

use super::StoreError;

/// A statement in the making. Text is appended as it stands; values are only ever bound: `$1`, `$2`, … on PostgreSQL, `?` on SQLite, which
/// looks for the name of each parameter that has one among the names of all.
pub(super) struct Sql {
    backend: DbBackend,
    /// What stands before, between and after the placeholders: always one more than `values`.
    texts: Vec<String>,
    values: Vec<Value>,
}

impl Sql {
    /// Begins with `text`.
    pub(super) fn new(conn: &impl ConnectionTrait, text: &str) -> Self {
        Self {
            backend: conn.get_database_backend(),
            texts: vec![text.to_owned()],
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
                .bind(json_of(&names, rows))
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
        if let Some(last) = self.texts.last_mut() {
            last.push_str(text);
        }
        self
    }

    /// Goes on with a whole other statement and the values that are bound in it.
    pub(super) fn nest(self, inner: Self) -> Self {
        let mut inner_texts = inner.texts.into_iter();
        let mut outer = self.then(&inner_texts.next().unwrap_or_default());
        outer.texts.extend(inner_texts);
        outer.values.extend(inner.values);
        outer
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
        self.texts.push(String::new());
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
        let length = self.texts.iter().map(|it| it.len() + 3).sum();
        let mut text = String::with_capacity(length);
        for (place, part) in self.texts.iter().enumerate() {
            match (place, self.backend) {
                (0, _) => {}
                (place, DbBackend::Postgres) => {
                    text.push('$');
                    text.push_str(&place.to_string());
                }
                _ => text.push('?'),
            }
            text.push_str(part);
        }
        Statement::from_sql_and_values(self.backend, text, self.values)
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

/// What LIKE takes for `text` anywhere, in lower case; with `\` as the escape.
pub(super) fn anywhere(text: &str) -> String {
    let escaped = text
        .to_lowercase()
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    format!("%{escaped}%")
}

/// An array of objects. Written straight into the text: a tree of values would cost as much as the statement.
fn json_of(names: &[&str], rows: Vec<Vec<Value>>) -> String {
    let mut text = Vec::with_capacity(rows.len() * 256);
    for row in rows {
        text.extend_from_slice(if text.is_empty() { b"[{" } else { b"},{" });
        let mut first = true;
        for (name, value) in names.iter().zip(row) {
            let start = text.len();
            if !first {
                text.push(b',');
            }
            text.push(b'"');
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(b"\":");
            // What is missing is NULL as well, and need not be read.
            if write_json(&mut text, value) {
                first = false;
            } else {
                text.truncate(start);
            }
        }
    }
    text.extend_from_slice(if text.is_empty() { b"[]" } else { b"}]" });
    String::from_utf8(text)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The values that our columns hold. False for NULL and for what is none of them: nothing of use was written.
fn write_json(text: &mut Vec<u8>, value: Value) -> bool {
    let written = match value {
        Value::Bool(Some(it)) => serde_json::to_writer(text, &it),
        Value::SmallInt(Some(it)) => serde_json::to_writer(text, &it),
        Value::Int(Some(it)) => serde_json::to_writer(text, &it),
        Value::BigInt(Some(it)) => serde_json::to_writer(text, &it),
        Value::String(Some(it)) => serde_json::to_writer(text, &it),
        Value::Uuid(Some(it)) => serde_json::to_writer(text, &it),
        Value::Json(Some(it)) if !it.is_null() => serde_json::to_writer(text, &it),
        Value::ChronoDateTimeUtc(Some(it)) => {
            serde_json::to_writer(text, &it.to_rfc3339_opts(SecondsFormat::Micros, true))
        }
        _ => return false,
    };
    // Writing into memory does not fail, and no key of ours is anything but text.
    written.is_ok()
}
