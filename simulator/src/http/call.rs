//! A call as the instance's processors see it: also the inner requests of a batch are such calls.

use axum::body::Bytes;
use axum::http::HeaderMap;
use percent_encoding::percent_decode_str;

/// One request, body read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Call {
    /// Upper case; `X-HTTP-Method-Override` is applied.
    pub(crate) method: String,
    pub(crate) path: String,
    /// Everything after `?`, still encoded.
    pub(crate) raw_query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn new(
        method: &str,
        path: &str,
        raw_query: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Self {
        let mut call = Self {
            method: method.to_uppercase(),
            path: path.to_owned(),
            raw_query: raw_query.to_owned(),
            headers,
            body,
        };
        if call.method == "POST"
            && let Some(method) = call.header("x-http-method-override").map(str::to_uppercase)
        {
            call.method = method;
        }
        call
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Decoded parts of the path, without empty ones.
    pub(crate) fn segments(&self) -> Vec<String> {
        let parts = self.path.split('/').filter(|part| !part.is_empty());
        parts
            .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect()
    }

    /// Decoded parameters in the order given.
    pub(crate) fn params(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.raw_query.as_bytes())
            .into_owned()
            .collect()
    }

    /// A form body's fields.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body)
            .into_owned()
            .collect()
    }

    /// Length of path and query in bytes.
    pub(crate) fn url_len(&self) -> usize {
        self.path.len()
            + if self.raw_query.is_empty() {
                0
            } else {
                self.raw_query.len() + 1
            }
    }

    /// The media type of a header, in lower case and without its parameters.
    pub(crate) fn media_type(&self, header: &str) -> Option<String> {
        let value = self.header(header)?;
        Some(
            value
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase(),
        )
    }

    /// A cookie's value.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let all = self
            .headers
            .get_all("cookie")
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut pairs = all
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The table a Table, Aggregate or Import Set call names.
    pub(crate) fn table(&self) -> Option<String> {
        let segments = self.segments();
        let at = segments
            .iter()
            .position(|part| matches!(part.as_str(), "table" | "stats" | "import"))?;
        let is_api = segments.first().is_some_and(|part| part == "api") && at <= 3;
        segments.into_iter().nth(at + 1).filter(|_| is_api)
    }
}
