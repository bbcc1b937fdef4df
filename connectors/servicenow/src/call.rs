//! One request, built and checked before anything is sent.

use reqwest::Method;

use crate::params::Params;
use crate::query_error::QueryError;

/// What an instance takes, path and query together: 8182 bytes were seen to pass (wire contract 11.4).
const MAX_URL_BYTES: usize = 8100;

/// Whether a request can change something on the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Read,
    Write,
}

/// A request that can be sent more than once.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Begins with `/`; every segment was checked or encoded.
    pub(crate) path: String,
    /// URL-encoded.
    pub(crate) query: String,
    pub(crate) body: Option<Body>,
    /// The table it is about, which tells a missing table from other refusals.
    pub(crate) table: Option<String>,
    pub(crate) effect: Effect,
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    Json(Vec<u8>),
    Form(String),
}

impl Body {
    pub(crate) fn content_type(&self) -> &'static str {
        match self {
            Self::Json(_) => "application/json",
            Self::Form(_) => "application/x-www-form-urlencoded",
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Json(bytes) => bytes.clone(),
            Self::Form(text) => text.clone().into_bytes(),
        }
    }
}

impl Call {
    pub(crate) fn get(path: String, params: Params) -> Result<Self, QueryError> {
        Self::new(Method::GET, path, params, None, Effect::Read)
    }

    pub(crate) fn write(
        method: Method,
        path: String,
        params: Params,
        body: Vec<u8>,
    ) -> Result<Self, QueryError> {
        Self::new(method, path, params, Some(Body::Json(body)), Effect::Write)
    }

    /// A form POST that changes no record: the token endpoint.
    pub(crate) fn form(path: &str, form: String) -> Self {
        Self {
            method: Method::POST,
            path: path.to_owned(),
            query: String::new(),
            body: Some(Body::Form(form)),
            table: None,
            effect: Effect::Read,
        }
    }

    #[must_use]
    pub(crate) fn about(mut self, table: &str) -> Self {
        self.table = Some(table.to_owned());
        self
    }

    fn new(
        method: Method,
        path: String,
        params: Params,
        body: Option<Body>,
        effect: Effect,
    ) -> Result<Self, QueryError> {
        let query = params.finish();
        let bytes = path.len() + 1 + query.len();
        if bytes > MAX_URL_BYTES {
            return Err(QueryError::TooLong {
                bytes,
                max: MAX_URL_BYTES,
            });
        }
        Ok(Self {
            method,
            path,
            query,
            body,
            table: None,
            effect,
        })
    }
}
