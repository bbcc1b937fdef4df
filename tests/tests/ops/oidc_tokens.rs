//! Tokens of operators whose role an identity provider gives: they hold no longer than its word.

use std::time::Duration;

use serde_json::{Value, json};
use shared::operator::Role;
use tests::bridge::{Answer, Api};
use tests::databases::Flavour;
use tests::oidc_provider::Behaviour;

use super::oidc::Stage;

const DAY: Duration = Duration::from_hours(24);

/// Makes two tests of a function: one on SQLite, one on PostgreSQL.
macro_rules! on_both_with_provider {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use tests::databases::Flavour;

            use crate::oidc::Stage;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(&Stage::with(Flavour::Sqlite, "", "").await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(&Stage::with(Flavour::Postgres, "", "").await).await;
            }
        }
    )+};
}

on_both_with_provider!(
    a_token_may_what_the_last_sign_in_gave_and_for_thirty_days,
    a_role_that_is_gone_takes_the_tokens_along,
);

async fn who(api: &Api) -> Answer {
    api.get("/v1/ops/session").await
}

async fn opens(api: &Api) -> bool {
    let answer = who(api).await;
    assert!(matches!(answer.status, 200 | 401), "{}", answer.body);
    answer.status == 200
}

async fn a_token_may_what_the_last_sign_in_gave_and_for_thirty_days(it: &Stage) {
    let ada = it.bridge.operator("ada", Role::Admin).await;
    it.as_if(Behaviour::of("vera", &["platform"])).await;
    let vera = it.bridge.with_token_of("vera").await;
    assert_eq!(who(&vera).await.body["role"], "admin");
    it.as_if(Behaviour::of("vera", &["staff"])).await;
    let lowered = who(&vera).await;
    assert_eq!(
        (&lowered.body["role"], &lowered.body["expires_at"]),
        (&json!("viewer"), &json!("2026-04-01T09:00:00Z"))
    );

    it.bridge.clock.advance(29 * DAY + Duration::from_hours(23));
    assert!(opens(&vera).await);
    it.bridge.clock.advance(Duration::from_hours(1));
    let refused = who(&vera).await;
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("www-authenticate"),
        "Bearer realm=\"ticketbridge operators\", error=\"invalid_token\""
    );
    insta::assert_json_snapshot!("a_token_whose_sign_in_is_too_old", refused.body);
    assert!(opens(&ada).await, "whoever has a password is not concerned");

    it.as_if(Behaviour::of("vera", &["staff"])).await;
    assert!(opens(&vera).await, "the provider vouches for her again");
}

async fn a_role_that_is_gone_takes_the_tokens_along(it: &Stage) {
    let ada = it.bridge.operator("ada", Role::Admin).await;
    it.as_if(Behaviour::of("omar", &["desk"])).await;
    let omar = it.bridge.with_token_of("omar").await;
    let mut odd = Behaviour::of("vera", &["guests"]);
    odd.person["preferred_username"] = json!("<b>vera</b>");
    let mut ungrouped = Behaviour::of("vera", &["desk"]);
    ungrouped.person["groups"] = Value::Null;
    for gone in [Behaviour::of("vera", &["guests"]), ungrouped, odd] {
        it.provider.behave(Behaviour::of("vera", &["desk"]));
        let mut console = it.bridge.console();
        assert_eq!(it.sign_in(&mut console).await.status, 200);
        let tokens = [
            it.bridge.with_token_of("vera").await,
            it.bridge.with_token_of("vera").await,
        ];
        assert!(opens(&tokens[0]).await && opens(&tokens[1]).await);

        let refused = it.as_if(gone).await;
        assert_eq!(refused.status, 403, "{}", refused.words());
        assert!(!opens(&tokens[0]).await && !opens(&tokens[1]).await);
        assert_eq!(console.get("/console").await.status, 303);
        let trail = it.trail("vera").await;
        let [.., said, first, second] = trail.as_slice() else {
            panic!("{trail:?}")
        };
        assert_eq!(
            [said, first, second].map(|it| (it.actor.as_str(), it.action.as_str())),
            [
                ("system:oidc", "operator.refused"),
                ("system:oidc", "operator.token_revoked"),
                ("system:oidc", "operator.token_revoked"),
            ]
        );
        assert_eq!(first.reason, said.reason);
        assert!(
            said.reason
                .as_deref()
                .unwrap()
                .contains("ou have no role here")
        );

        it.as_if(Behaviour::of("vera", &["desk"])).await;
        assert!(!opens(&tokens[0]).await, "what was revoked stays revoked");
    }
    assert!(
        opens(&omar).await && opens(&ada).await,
        "others are not concerned"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_how_long_is_configured() {
    let it = Stage::with(Flavour::Sqlite, "", "token_days = 2").await;
    it.as_if(Behaviour::of("vera", &["desk"])).await;
    let vera = it.bridge.with_token_of("vera").await;
    it.bridge.clock.advance(DAY);
    assert!(opens(&vera).await);
    it.bridge.clock.advance(DAY);
    let refused = who(&vera).await;
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("has not done so for 2 days"), "{detail}");
}
