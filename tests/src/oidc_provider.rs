//! A small OpenID Connect provider with keys of its own, which does what is wrong when a test asks for it.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Map, Value, json};
use shared::clock::{SharedClock, SystemClock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::{Url, form_urlencoded};
use uuid::Uuid;

use crate::clock::ManualClock;

/// What the bridge is called at the provider.
pub const CLIENT: &str = "ticketbridge";
/// A secret that has to be encoded on its way.
pub const SECRET: &str = "plainly fictional: 100 %";

/// A provider on a free port, gone when dropped.
pub struct OidcProvider {
    issuer: String,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// How it behaves; a test changes what it wants.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// The claims about whoever signs in.
    pub person: Value,
    /// Claims that stand in the ID token instead of the right ones; null leaves one out.
    pub instead: Value,
    /// The name of the key in the header of the token.
    pub kid: &'static str,
    /// The key that signs.
    pub key: KeyName,
    /// The keys that are published, by name.
    pub published: Vec<(&'static str, KeyName)>,
    /// What it answers instead of a code: `error` and `error_description`.
    pub denies: Option<(&'static str, &'static str)>,
}

/// One of its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyName {
    /// RSA, 2048 bits.
    Rsa,
    /// P-256.
    First,
    /// P-256.
    Second,
}

struct Shared {
    issuer: String,
    behaviour: Mutex<Behaviour>,
    clock: Mutex<SharedClock>,
    codes: Mutex<BTreeMap<String, Granted>>,
    keys_read: Mutex<usize>,
    first: EcdsaKeyPair,
    second: EcdsaKeyPair,
}

/// What a code stands for.
struct Granted {
    nonce: String,
    challenge: String,
    redirect_uri: String,
}

impl OidcProvider {
    /// Listens, by a name that is another site than the address of a bridge.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let issuer = format!("http://localhost:{port}");
        let shared = Arc::new(Shared {
            issuer: issuer.clone(),
            behaviour: Mutex::new(Behaviour::of("vera", &["desk"])),
            clock: Mutex::new(Arc::new(SystemClock)),
            codes: Mutex::default(),
            keys_read: Mutex::default(),
            first: ec_key(),
            second: ec_key(),
        });
        let stop = CancellationToken::new();
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/keys", get(keys))
            .route("/authorize", get(ask).post(grant))
            .route("/token", post(token))
            .with_state(Arc::clone(&shared));
        let serving =
            axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        let tasks = TaskTracker::new();
        tasks.spawn(serving.into_future());
        Self {
            issuer,
            shared,
            stop,
            tasks,
        }
    }

    /// Its issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Settings of a bridge that uses it: `staff` views, `desk` operates, `platform` administers.
    pub fn preset(&self) -> String {
        format!(
            "[console.oidc]\nissuer = \"{}\"\nclient_id = \"{CLIENT}\"\nclient_secret = \"{SECRET}\"\nbutton = \"Sign in with Example\"\n\
             [console.oidc.roles]\nviewer = [\"staff\"]\noperator = [\"desk\"]\nadmin = [\"platform\"]\n",
            self.issuer
        )
    }

    /// Keeps the time of a bridge from now on; before, that of the system.
    pub fn follow(&self, clock: &Arc<ManualClock>) {
        *hold(&self.shared.clock) = Arc::clone(clock) as SharedClock;
    }

    /// Behaves so from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        *hold(&self.shared.behaviour) = behaviour;
    }

    /// How often its keys were read.
    pub fn keys_read(&self) -> usize {
        *hold(&self.shared.keys_read)
    }

    /// Goes away; nobody is answered afterwards.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// What somebody's browser is sent back to who presses the button of the page at `location`.
    pub fn approve(&self, location: &str) -> String {
        let url = Url::parse(location).expect("the bridge sends to an address");
        assert_eq!(url.path(), "/authorize");
        back(&self.shared, url.query().unwrap_or_default())
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Behaviour {
    /// All is well: somebody of that name in these groups, a token that is signed with ES256.
    pub fn of(name: &str, groups: &[&str]) -> Self {
        Self {
            person: json!({
                "sub": format!("subject of {name}"), "preferred_username": name, "groups": groups,
            }),
            instead: json!({}),
            kid: "first",
            key: KeyName::First,
            published: vec![("rsa", KeyName::Rsa), ("first", KeyName::First)],
            denies: None,
        }
    }
}

async fn configuration(State(it): State<Arc<Shared>>) -> Json<Value> {
    let issuer = &it.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
    }))
}

async fn keys(State(it): State<Arc<Shared>>) -> Json<Value> {
    *hold(&it.keys_read) += 1;
    let published = hold(&it.behaviour).published.clone();
    let keys: Vec<Value> = published
        .into_iter()
        .map(|(kid, key)| it.public(kid, key))
        .collect();
    Json(json!({ "keys": keys }))
}

/// The page with the button.
async fn ask(RawQuery(query): RawQuery) -> Html<String> {
    let query = query.unwrap_or_default().replace('&', "&amp;");
    Html(format!(
        "<!doctype html><html lang=\"en\"><title>Example</title><link rel=\"icon\" href=\"data:,\"><main><h1>Example</h1>\
         <form method=\"post\" action=\"/authorize?{query}\"><button>Go on as yourself</button></form></main></html>"
    ))
}

async fn grant(State(it): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Redirect {
    Redirect::to(&back(&it, &query.unwrap_or_default()))
}

fn back(it: &Shared, query: &str) -> String {
    let asked: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["client_id"], CLIENT);
    assert_eq!(asked["code_challenge_method"], "S256");
    assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
    let mut url = Url::parse(&asked["redirect_uri"]).expect("an address to come back to");
    url.query_pairs_mut().append_pair("state", &asked["state"]);
    if let Some((error, description)) = hold(&it.behaviour).denies {
        url.query_pairs_mut()
            .append_pair("error", error)
            .append_pair("error_description", description);
        return url.into();
    }
    let code = Uuid::now_v7().simple().to_string();
    url.query_pairs_mut().append_pair("code", &code);
    let granted = Granted {
        nonce: asked["nonce"].clone(),
        challenge: asked["code_challenge"].clone(),
        redirect_uri: asked["redirect_uri"].clone(),
    };
    hold(&it.codes).insert(code, granted);
    url.into()
}

/// A code counts once, for the bridge alone, and for whoever knows the verifier of its challenge.
async fn token(
    State(it): State<Arc<Shared>>,
    headers: axum::http::HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    let refuse = |status: StatusCode, error: &str, why: &str| {
        let body = json!({"error": error, "error_description": why});
        (status, Json(body)).into_response()
    };
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let login = format!("{}:{}", encoded(CLIENT), encoded(SECRET));
    let expected = format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(login)
    );
    if headers
        .get("authorization")
        .is_none_or(|it| *it != *expected)
    {
        let why = "the client is not who it says";
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client", why);
    }
    let Some(granted) = hold(&it.codes).remove(&form["code"]) else {
        let why = "the code was used before";
        return refuse(StatusCode::BAD_REQUEST, "invalid_grant", why);
    };
    let digest = ring::digest::digest(&ring::digest::SHA256, form["code_verifier"].as_bytes());
    if BASE64.encode(digest) != granted.challenge || form["redirect_uri"] != granted.redirect_uri {
        let why = "the code belongs to another sign-in";
        return refuse(StatusCode::BAD_REQUEST, "invalid_grant", why);
    }
    let token = it.id_token(&granted.nonce);
    let body = json!({"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": token});
    Json(body).into_response()
}

impl Shared {
    fn id_token(&self, nonce: &str) -> String {
        let behaviour = hold(&self.behaviour).clone();
        let now = hold(&self.clock).now().timestamp();
        let mut claims: Map<String, Value> = Map::new();
        let right = json!({"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce});
        for part in [right, behaviour.person, behaviour.instead] {
            claims.extend(part.as_object().cloned().expect("claims are an object"));
        }
        claims.retain(|_, value| !value.is_null());
        let alg = match behaviour.key {
            KeyName::Rsa => "RS256",
            KeyName::First | KeyName::Second => "ES256",
        };
        let header = json!({"alg": alg, "typ": "JWT", "kid": behaviour.kid});
        let part = |json: &Value| BASE64.encode(json.to_string());
        let message = format!("{}.{}", part(&header), part(&claims.into()));
        let signature = self.sign(behaviour.key, message.as_bytes());
        format!("{message}.{}", BASE64.encode(signature))
    }

    fn sign(&self, key: KeyName, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let ec = |pair: &EcdsaKeyPair| {
            let signature = pair.sign(&random, message).expect("it signs");
            signature.as_ref().to_vec()
        };
        match key {
            KeyName::First => ec(&self.first),
            KeyName::Second => ec(&self.second),
            KeyName::Rsa => {
                let pair = rsa_key();
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("it signs");
                signature
            }
        }
    }

    fn public(&self, kid: &str, key: KeyName) -> Value {
        let ec = |pair: &EcdsaKeyPair| {
            let point = pair.public_key().as_ref();
            let (x, y) = (BASE64.encode(&point[1..33]), BASE64.encode(&point[33..]));
            json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": kid, "x": x, "y": y})
        };
        match key {
            KeyName::First => ec(&self.first),
            KeyName::Second => ec(&self.second),
            KeyName::Rsa => {
                let parts = PublicKeyComponents::<Vec<u8>>::from(rsa_key().public());
                let (n, e) = (BASE64.encode(parts.n), BASE64.encode(parts.e));
                json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": n, "e": e})
            }
        }
    }
}

fn ec_key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
    let made = made.expect("there is chance enough");
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random)
        .expect("a key that was just made reads")
}

/// One for all: ring makes none, so OpenSSL does, which comes with Debian's PostgreSQL.
fn rsa_key() -> &'static RsaKeyPair {
    static KEY: OnceLock<RsaKeyPair> = OnceLock::new();
    KEY.get_or_init(|| {
        let made = Command::new("openssl")
            .args(["genpkey", "-algorithm", "RSA", "-outform", "DER"])
            .args(["-pkeyopt", "rsa_keygen_bits:2048"])
            .output()
            .expect("openssl is installed");
        // Which of the two forms it writes as DER differs between its versions.
        let der = made.stdout;
        let read = RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der));
        read.expect("OpenSSL writes PKCS #8 or PKCS #1")
    })
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panicked while holding it")
}
