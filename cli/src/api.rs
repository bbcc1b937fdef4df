//! The bridge's own API, as the command line calls it.

use std::io::Write as _;

use anyhow::Context as _;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;
use url::Url;

use crate::exit::Failure;

/// A running bridge and the token it is called with.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: Client,
    url: Url,
    token: String,
}

impl Api {
    pub(crate) fn new(http: Client, url: Url, token: Option<String>) -> Result<Self, Failure> {
        let token = token.ok_or_else(|| {
            Failure::Configuration(
                "no token: give --token or set TICKETBRIDGE_TOKEN (make one with `ticketbridge token create --source NAME`)"
                    .to_owned(),
            )
        })?;
        Ok(Self { http, url, token })
    }

    /// Whether the token is that of an operator, who sees more.
    pub(crate) fn is_operator(&self) -> bool {
        self.token.starts_with("tbo_")
    }

    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        let mut url = self.join(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send(Method::GET, url, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let url = self.join(path)?;
        self.send(Method::POST, url, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let url = self.join(path)?;
        self.send(Method::PUT, url, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let url = self.join(path)?;
        self.send(Method::DELETE, url, Some(body)).await
    }

    /// Prints what is answered as it comes.
    pub(crate) async fn print(&self, path: &str, query: &[(&str, String)]) -> Result<(), Failure> {
        let mut url = self.join(path)?;
        url.query_pairs_mut().extend_pairs(query);
        let mut response = self.answer(Method::GET, url, None).await?;
        if !response.status().is_success() {
            read(response).await?;
            return Ok(());
        }
        let mut out = std::io::stdout();
        loop {
            match response.chunk().await {
                Ok(Some(bytes)) => out.write_all(&bytes).context("standard output is closed")?,
                Ok(None) => return Ok(()),
                Err(error) => {
                    let error = anyhow::Error::new(error.without_url());
                    return Err(Failure::Unreachable(error.context(
                        "the answer was cut off; what was printed is not the whole",
                    )));
                }
            }
        }
    }

    fn join(&self, path: &str) -> Result<Url, Failure> {
        self.url
            .join(path)
            .map_err(|error| Failure::Configuration(format!("--url {}: {error}", self.url)))
    }

    async fn send(&self, method: Method, url: Url, body: Option<&Value>) -> Result<Value, Failure> {
        read(self.answer(method, url, body).await?).await
    }

    async fn answer(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<Response, Failure> {
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.map_err(|error| {
            let hint = format!(
                "no answer from {}: is the bridge running, and is --url right?",
                self.url
            );
            Failure::Unreachable(anyhow::Error::new(error.without_url()).context(hint))
        })
    }
}

async fn read(response: Response) -> Result<Value, Failure> {
    let status = response.status();
    let text = response.text().await.map_err(|error| {
        Failure::Unreachable(anyhow::Error::new(error).context("the answer was cut off"))
    })?;
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    match status {
        it if it.is_success() => Ok(body),
        StatusCode::NOT_FOUND => Err(Failure::NotFound(problem(status, &body))),
        StatusCode::SERVICE_UNAVAILABLE => Err(Failure::Unreachable(anyhow::anyhow!(problem(
            status, &body
        )))),
        _ => Err(Failure::Refused {
            status: status.as_u16(),
            text: problem(status, &body),
        }),
    }
}

/// A problem document (RFC 9457) in words, with the fix of every field.
fn problem(status: StatusCode, body: &Value) -> String {
    let title = body["title"]
        .as_str()
        .map_or_else(|| status.to_string(), str::to_owned);
    let mut text = match body["detail"].as_str() {
        Some(detail) => format!("{title}: {detail}"),
        None => title,
    };
    for error in body["errors"].as_array().into_iter().flatten() {
        let part = |name: &str| error[name].as_str().unwrap_or_default();
        let line = [
            "\n  ",
            part("field"),
            ": ",
            part("problem"),
            "; ",
            part("fix"),
        ];
        text.push_str(&line.concat());
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_names_every_field_and_its_fix() {
        let body = json!({"title": "Not valid", "detail": "1 field is not usable.", "errors": [
            {"field": "/priority", "problem": "9 is not between 1 and 5", "fix": "send 1 to 5"}]});
        assert_eq!(
            problem(StatusCode::UNPROCESSABLE_ENTITY, &body),
            "Not valid: 1 field is not usable.\n  /priority: 9 is not between 1 and 5; send 1 to 5"
        );
        assert_eq!(
            problem(StatusCode::BAD_GATEWAY, &Value::Null),
            "502 Bad Gateway"
        );
    }
}
