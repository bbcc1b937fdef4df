//! The OAuth pages (wire contract 10.3, 10.4).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::client::{BRIDGE, Instance, Reply, send};

const CLIENT: [(&str, &str); 2] = [
    ("client_id", "ticketbridge-demo"),
    ("client_secret", "ticketbridge-demo-secret"),
];

async fn token(instance: &Instance, form: &[(&str, &str)]) -> Reply {
    let form: Vec<_> = CLIENT.iter().chain(form).collect();
    send(instance.bare(Method::POST, "/oauth_token.do").form(&form)).await
}

async fn read(instance: &Instance, token: &Value) -> StatusCode {
    let request = instance.bare(Method::GET, "/api/now/table/incident?sysparm_limit=1");
    send(
        request
            .bearer_auth(token.as_str().unwrap())
            .header("Accept", "application/json"),
    )
    .await
    .status
}

const PASSWORD: [(&str, &str); 3] = [
    ("grant_type", "password"),
    ("username", BRIDGE.0),
    ("password", BRIDGE.1),
];

#[tokio::test]
async fn the_same_token_is_given_while_it_lives() {
    let instance = Instance::start().await;
    let first = token(&instance, &PASSWORD).await.json();
    assert_eq!(
        (&first["expires_in"], &first["token_type"], &first["scope"]),
        (&json!(1800), &json!("Bearer"), &json!("useraccount"))
    );
    assert_eq!(
        read(&instance, &first["access_token"]).await,
        StatusCode::OK
    );
    instance.sim.advance(Duration::from_secs(700));
    let second = token(&instance, &PASSWORD).await.json();
    assert_eq!(
        (&second["access_token"], &second["expires_in"]),
        (&first["access_token"], &json!(1100)),
        "remaining life, not the full one"
    );
    assert_eq!(second["refresh_token"], first["refresh_token"]);
    instance.sim.advance(Duration::from_secs(1100));
    assert_eq!(
        read(&instance, &first["access_token"]).await,
        StatusCode::UNAUTHORIZED
    );
    let refresh = first["refresh_token"].as_str().unwrap();
    let third = token(
        &instance,
        &[("grant_type", "refresh_token"), ("refresh_token", refresh)],
    )
    .await
    .json();
    assert_ne!(third["access_token"], first["access_token"]);
    assert_eq!(third["refresh_token"], first["refresh_token"]);
    assert_eq!(
        read(&instance, &third["access_token"]).await,
        StatusCode::OK
    );
    instance
        .sim
        .set_knobs(|knobs| knobs.oauth_same_token = false);
    assert_ne!(
        token(&instance, &PASSWORD).await.json()["access_token"],
        third["access_token"]
    );
}

#[tokio::test]
async fn rotating_refresh_tokens_work_once_and_live_their_time() {
    let instance = Instance::start().await;
    instance
        .sim
        .set_knobs(|knobs| knobs.oauth_rotating_refresh = true);
    let refreshed = async |refresh: &Value| {
        let refresh = refresh.as_str().unwrap();
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        token(&instance, &form).await
    };
    let first = token(&instance, &PASSWORD).await.json();
    let second = refreshed(&first["refresh_token"]).await.json();
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(
        refreshed(&first["refresh_token"]).await.status,
        StatusCode::UNAUTHORIZED
    );
    instance.sim.advance(Duration::from_hours(24 * 99));
    let third = refreshed(&second["refresh_token"]).await.json();
    assert_eq!(
        read(&instance, &third["access_token"]).await,
        StatusCode::OK
    );
    instance.sim.advance(Duration::from_hours(24 * 100));
    assert_eq!(
        refreshed(&third["refresh_token"]).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn client_credentials_run_as_the_application_user_without_a_refresh_token() {
    let instance = Instance::start().await;
    let issued = token(&instance, &[("grant_type", "client_credentials")])
        .await
        .json();
    assert!(issued.get("refresh_token").is_none());
    let create = instance
        .bare(Method::POST, "/api/now/table/incident")
        .bearer_auth(issued["access_token"].as_str().unwrap());
    assert_eq!(
        send(create.json(&json!({}))).await.result()["sys_created_by"],
        "ticketbridge.integration"
    );
    instance
        .sim
        .set_knobs(|knobs| knobs.oauth_client_credentials = false);
    assert_eq!(
        token(&instance, &[("grant_type", "client_credentials")])
            .await
            .status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn only_form_bodies_count() {
    let instance = Instance::start().await;
    let body = json!({"grant_type": "password", "client_id": CLIENT[0].1, "client_secret": CLIENT[1].1, "username": BRIDGE.0, "password": BRIDGE.1});
    let as_json = send(instance.bare(Method::POST, "/oauth_token.do").json(&body)).await;
    assert_eq!(as_json.status, StatusCode::UNAUTHORIZED);
    let query = instance
        .bare(Method::POST, "/oauth_token.do")
        .query(&PASSWORD)
        .query(&CLIENT)
        .form(&[("a", "b")]);
    assert_eq!(send(query).await.status, StatusCode::UNAUTHORIZED);
    let header = instance
        .bare(Method::POST, "/oauth_token.do")
        .basic_auth(CLIENT[0].1, Some(CLIENT[1].1))
        .form(&PASSWORD);
    assert_eq!(send(header).await.status, StatusCode::OK);
    let unknown = token(&instance, &[("grant_type", "magic")]).await;
    assert_eq!(
        (unknown.status, unknown.json()),
        (
            StatusCode::UNAUTHORIZED,
            json!({"error": "unsupported_grant_type"})
        )
    );
}

#[tokio::test]
async fn grants_end_with_the_user_the_knob_or_a_revocation() {
    let instance = Instance::start().await;
    let issued = token(&instance, &PASSWORD).await.json();
    let user = instance
        .sim
        .row("sys_user", "user_name=ticketbridge.integration")
        .unwrap()["sys_id"]
        .clone();
    instance
        .sim
        .update(None, "sys_user", &user, &[("active", "false")])
        .unwrap();
    assert_eq!(
        read(&instance, &issued["access_token"]).await,
        StatusCode::UNAUTHORIZED
    );
    instance
        .sim
        .update(None, "sys_user", &user, &[("active", "true")])
        .unwrap();
    assert_eq!(
        read(&instance, &issued["access_token"]).await,
        StatusCode::OK
    );
    let path = format!(
        "/oauth_revoke.do?token={}",
        issued["access_token"].as_str().unwrap()
    );
    assert_eq!(
        send(instance.bare(Method::POST, &path)).await.status,
        StatusCode::OK
    );
    assert_eq!(
        read(&instance, &issued["access_token"]).await,
        StatusCode::UNAUTHORIZED
    );
    let again = token(&instance, &PASSWORD).await.json();
    instance.sim.revoke_tokens();
    assert_eq!(
        read(&instance, &again["access_token"]).await,
        StatusCode::UNAUTHORIZED
    );
    instance
        .sim
        .set_knobs(|knobs| knobs.oauth_password_grant = false);
    assert_eq!(
        token(&instance, &PASSWORD).await.status,
        StatusCode::UNAUTHORIZED
    );
}

/// Asks for a code and gives the redirect's target.
async fn authorize(instance: &Instance, query: &[(&str, &str)]) -> Reply {
    send(instance.bare(Method::GET, "/oauth_auth.do").query(query)).await
}

#[tokio::test]
async fn a_code_is_redeemed_once_with_its_verifier() {
    let instance = Instance::start().await;
    let verifier = "a-verifier-of-forty-three-characters-at-least";
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    let redirect = "http://localhost/callback";
    let query = [
        ("response_type", "code"),
        ("client_id", "ticketbridge-public"),
        ("redirect_uri", redirect),
        ("state", "s1"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("login_hint", "fern.example"),
    ];
    let code = async || {
        let reply = authorize(&instance, &query).await;
        assert_eq!(reply.status, StatusCode::FOUND);
        let target = url::Url::parse(reply.header("location").unwrap()).unwrap();
        let pairs: Vec<(String, String)> = target.query_pairs().into_owned().collect();
        assert_eq!(pairs[1], ("state".to_owned(), "s1".to_owned()));
        pairs[0].1.clone()
    };
    let redeem = |code: String, verifier: &'static str| {
        let form = [
            ("grant_type", "authorization_code".to_owned()),
            ("client_id", "ticketbridge-public".to_owned()),
            ("code", code),
            ("redirect_uri", redirect.to_owned()),
            ("code_verifier", verifier.to_owned()),
        ];
        send(instance.bare(Method::POST, "/oauth_token.do").form(&form))
    };
    let first = code().await;
    let issued = redeem(first.clone(), verifier).await;
    assert_eq!(issued.status, StatusCode::OK);
    assert!(
        issued.json().get("refresh_token").is_none(),
        "public clients get none"
    );
    assert_eq!(
        redeem(first, verifier).await.status,
        StatusCode::UNAUTHORIZED,
        "a code works once"
    );
    assert_eq!(
        redeem(code().await, "another").await.status,
        StatusCode::UNAUTHORIZED
    );

    let without_state: Vec<_> = query
        .iter()
        .filter(|(name, _)| *name != "state")
        .copied()
        .collect();
    assert!(
        authorize(&instance, &without_state)
            .await
            .text
            .contains("Missing State parameter in request")
    );
    let elsewhere: Vec<_> = query
        .iter()
        .map(|(name, value)| {
            (
                *name,
                if *name == "redirect_uri" {
                    "https://evil.example"
                } else {
                    *value
                },
            )
        })
        .collect();
    assert_eq!(
        authorize(&instance, &elsewhere).await.status,
        StatusCode::OK,
        "an error page, no redirect"
    );
}

#[tokio::test]
async fn a_signed_assertion_is_a_grant_once() {
    let instance = Instance::start().await;
    let exp = instance.sim.clock().now().timestamp() + 60;
    let signed = |secret: &str, jti: &str| {
        let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({"iss": "ticketbridge-demo", "sub": BRIDGE.0, "aud": "ticketbridge-demo", "exp": exp, "iat": exp - 60, "jti": jti});
        let text = format!(
            "{}.{}",
            encode(json!({"alg": "HS256", "typ": "JWT"})),
            encode(claims)
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        format!(
            "{text}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        )
    };
    let grant = async |assertion: &str| {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", assertion),
        ];
        token(&instance, &form).await.status
    };
    let good = signed("ticketbridge-demo-secret", "1");
    assert_eq!(grant(&good).await, StatusCode::OK);
    assert_eq!(grant(&good).await, StatusCode::UNAUTHORIZED, "replayed");
    assert_eq!(
        grant(&signed("another-secret", "2")).await,
        StatusCode::UNAUTHORIZED
    );
    instance.sim.advance(Duration::from_mins(1));
    assert_eq!(
        grant(&signed("ticketbridge-demo-secret", "3")).await,
        StatusCode::UNAUTHORIZED,
        "expired"
    );
}

#[tokio::test]
async fn an_api_key_acts_as_its_user() {
    let instance = Instance::start().await;
    let call = |key: &'static str| {
        send(
            instance
                .bare(Method::POST, "/api/now/table/incident")
                .header("x-sn-apikey", key)
                .json(&json!({})),
        )
    };
    let made = call("ticketbridge-demo-key").await;
    assert_eq!(made.result()["sys_created_by"], "ticketbridge.integration");
    assert_eq!(call("wrong").await.status, StatusCode::UNAUTHORIZED);
}
