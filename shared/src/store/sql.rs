//! Raw statements with bound values, for what must happen in one statement on both databases.

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value};

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
