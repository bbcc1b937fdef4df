//! The one place that builds an HTTP client: no redirects, no cookies, plain HTTP only.

use std::sync::Once;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use simulator::{Options, Simulator};

/// The integration account of the stock data: web-service-only, GMT, `itil`.
pub(crate) const BRIDGE: (&str, &str) = ("ticketbridge.integration", "ticketbridge-demo-password");
/// A web-service-only administrator.
pub(crate) const ADMIN: (&str, &str) = ("rest.admin", "simulator-rest-admin-password");

/// An instance and a client for it.
pub(crate) struct Instance {
    pub(crate) sim: Simulator,
    pub(crate) http: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn result(&self) -> Value {
        self.json()["result"].clone()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// `message` and `detail` of an error body.
    pub(crate) fn error(&self) -> (String, Value) {
        let body = self.json();
        assert_eq!(body["status"], "failure", "{}", self.text);
        (
            body["error"]["message"].as_str().unwrap().to_owned(),
            body["error"]["detail"].clone(),
        )
    }
}

impl Instance {
    pub(crate) async fn start() -> Self {
        Self::with(Options::for_tests()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            rustls::crypto::ring::default_provider()
                .install_default()
                .unwrap();
        });
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Self {
            sim: Simulator::start(options).await.unwrap(),
            http: builder.build().unwrap(),
        }
    }

    /// A request without credentials.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.sim.base_url()))
    }

    /// A request as the integration account.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.as_user(BRIDGE, method, path)
    }

    pub(crate) fn as_user(
        &self,
        (user, password): (&str, &str),
        method: Method,
        path: &str,
    ) -> RequestBuilder {
        self.bare(method, path)
            .basic_auth(user, Some(password))
            .header("Accept", "application/json")
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    /// A list with an encoded query and further parameters.
    pub(crate) async fn list(&self, table: &str, query: &str, more: &[(&str, &str)]) -> Reply {
        let request = self.request(Method::GET, &format!("/api/now/table/{table}"));
        send(request.query(&[("sysparm_query", query)]).query(more)).await
    }

    pub(crate) async fn post(&self, table: &str, body: Value) -> Reply {
        send(
            self.request(Method::POST, &format!("/api/now/table/{table}"))
                .json(&body),
        )
        .await
    }

    pub(crate) async fn patch(&self, table: &str, id: &str, body: Value) -> Reply {
        send(
            self.request(Method::PATCH, &format!("/api/now/table/{table}/{id}"))
                .json(&body),
        )
        .await
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Reply {
        status,
        headers,
        text: response.text().await.unwrap(),
    }
}
