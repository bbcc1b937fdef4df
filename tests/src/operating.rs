//! Operators of a bridge in the test process: with a token, as programs are, or with a browser's worth of cookie and forms.

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use shared::clock::Clock as _;
use shared::operator::Role;
use shared::password;
use shared::store::audit::Actor;
use shared::store::{operators, sources};

use crate::bridge::{Api, Bridge};

/// The password of every operator of the tests.
pub const PASSWORD: &str = "a plainly fictional sentence";

impl Bridge {
    /// Enters an operator with [`PASSWORD`].
    pub async fn enter(&self, name: &str, role: Role) {
        let password = SecretString::from(PASSWORD.to_owned());
        let hash = password::hash(&password, &mut rand::rng()).expect("the password will do");
        let tx = self.store().begin().await.expect("the database is there");
        let actor = Actor::System("test");
        operators::create(&tx, name, role, Some(&hash), &actor, self.clock.now())
            .await
            .expect("nobody is called so yet");
        tx.commit().await.expect("the operator is committed");
    }

    /// The API as a new operator sees it, by token.
    pub async fn operator(&self, name: &str, role: Role) -> Api {
        self.enter(name, role).await;
        self.with_token_of(name).await
    }

    /// The API by a new token of an operator who is there.
    pub async fn with_token_of(&self, name: &str) -> Api {
        let token = operators::new_token(&mut rand::rng());
        let token = token.expose_secret();
        operators::create_token(
            self.store().conn(),
            name,
            "test",
            &sources::hash(token),
            None,
            &Actor::System("test"),
            self.clock.now(),
        )
        .await
        .expect("a token is stored");
        self.stranger().with_token(token)
    }

    /// The console for somebody who has not signed in.
    pub fn console(&self) -> Console {
        Console::at(&self.url())
    }

    /// The console for a new operator who has signed in.
    pub async fn signed_in(&self, name: &str, role: Role) -> Console {
        self.enter(name, role).await;
        let mut console = self.console();
        let page = console.sign_in(name, PASSWORD).await;
        assert_eq!(page.status, 303, "{}", page.html);
        console.get("/console").await;
        console
    }
}

/// A browser without script.
#[derive(Debug, Clone)]
pub struct Console {
    http: Client,
    url: String,
    /// As it is sent.
    pub cookie: Option<String>,
    /// Of the last page.
    pub csrf: String,
}

/// A page.
#[derive(Debug, Clone)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// Where a redirect leads.
    pub location: String,
    /// Headers.
    pub headers: reqwest::header::HeaderMap,
    /// The page itself.
    pub html: String,
}

impl Console {
    /// The console of a bridge at `url`, for somebody who has not signed in.
    pub fn at(url: &str) -> Self {
        // Fails when a provider is installed already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        Self {
            http: Client::builder()
                .pool_max_idle_per_host(0)
                .redirect(redirect::Policy::none())
                .build()
                .expect("a client without special wishes"),
            url: url.to_owned(),
            cookie: None,
            csrf: String::new(),
        }
    }

    /// Opens a page.
    pub async fn get(&mut self, path: &str) -> Page {
        let call = self.http.get(format!("{}{path}", self.url));
        self.send(call).await
    }

    /// Sends a form with the csrf of the last page.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.csrf.clone();
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        let call = self.http.post(format!("{}{path}", self.url)).form(&all);
        self.send(call).await
    }

    /// Signs in.
    pub async fn sign_in(&mut self, name: &str, password: &str) -> Page {
        self.post("/console/login", &[("name", name), ("password", password)])
            .await
    }

    async fn send(&mut self, call: RequestBuilder) -> Page {
        let call = match &self.cookie {
            Some(cookie) => call.header(COOKIE, cookie),
            None => call,
        };
        let response = call.send().await.expect("the console answers");
        if let Some(cookie) = header(&response, SET_COOKIE.as_str()) {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        let page = Page {
            status: response.status().as_u16(),
            location: header(&response, LOCATION.as_str()).unwrap_or_default(),
            headers: response.headers().clone(),
            html: response.text().await.expect("the page is whole"),
        };
        if let Some(csrf) = between(&page.html, "name=\"csrf\" value=\"", "\"") {
            csrf.clone_into(&mut self.csrf);
        }
        page
    }
}

impl Page {
    /// What stands between two texts, the first time.
    pub fn between(&self, before: &str, after: &str) -> &str {
        between(&self.html, before, after)
            .unwrap_or_else(|| panic!("no {before}…{after} in {}", self.html))
    }

    /// The words of the page, without tags, scripts and styles.
    pub fn words(&self) -> String {
        let main = between(&self.html, "<main", "</main>").unwrap_or(&self.html);
        let mut text = String::new();
        let mut is_tag = true;
        for letter in main.chars() {
            match letter {
                '<' => is_tag = true,
                '>' => {
                    is_tag = false;
                    text.push(' ');
                }
                _ if is_tag => {}
                letter => text.push(letter),
            }
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ")
    }
}

fn header(response: &Response, name: &str) -> Option<String> {
    let value = response.headers().get(name)?;
    value.to_str().ok().map(str::to_owned)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}
