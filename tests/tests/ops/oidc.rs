//! Signing in through an identity provider: what has to be right about it, and what is said when it is not.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::operator::Role;
use shared::store::audit::{self, Actor, AuditRow};
use shared::store::operators::{self, Operator, OperatorChange};
use tests::bridge::{Bridge, PRESET};
use tests::databases::Flavour;
use tests::oidc_provider::{Behaviour, KeyName, OidcProvider};
use tests::operating::{Console, PASSWORD, Page};
use tower::ServiceExt as _;

/// Makes two tests of a function over a bridge with a provider: one on SQLite, one on PostgreSQL.
macro_rules! on_both_with_provider {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use tests::databases::Flavour;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(&super::Stage::start(Flavour::Sqlite, "").await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(&super::Stage::start(Flavour::Postgres, "").await).await;
            }
        }
    )+};
}

on_both_with_provider!(
    the_first_sign_in_enters_an_operator,
    a_role_follows_the_claims,
    nobody_is_taken_over,
    access_that_was_taken_away_stays_away,
    a_sign_in_counts_once,
    any_scheduler_ends_what_another_began,
);

pub(crate) struct Stage {
    pub(crate) bridge: Bridge,
    pub(crate) provider: OidcProvider,
}

impl Stage {
    async fn start(flavour: Flavour, more: &str) -> Self {
        Self::with(flavour, more, "").await
    }

    /// `keys`: more of `[console.oidc]`.
    pub(crate) async fn with(flavour: Flavour, more: &str, keys: &str) -> Self {
        let provider = OidcProvider::start().await;
        let own = "[console.oidc]\n";
        let preset = provider.preset().replace(own, &format!("{own}{keys}\n"));
        // Keys of `[console]` itself come before its tables.
        let preset = format!("{more}\n{preset}\n{PRESET}");
        let bridge = Bridge::with(flavour, &preset).await;
        provider.follow(&bridge.clock);
        Self { bridge, provider }
    }

    /// The path by which the provider sends a browser back that has gone there.
    async fn back(&self, console: &mut Console) -> String {
        let left = console
            .get("/console/login/oidc?next=%2Fconsole%2Fjobs")
            .await;
        assert_eq!(left.status, 303, "{}", left.html);
        let cookie = left.headers["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
        let back = self.provider.approve(&left.location);
        let path = back.strip_prefix(&self.bridge.url());
        path.expect("it leads back to the bridge").to_owned()
    }

    pub(crate) async fn sign_in(&self, console: &mut Console) -> Page {
        let back = self.back(console).await;
        console.get(&back).await
    }

    /// Signs somebody new to the browser in with this behaviour of the provider.
    pub(crate) async fn as_if(&self, behaviour: Behaviour) -> Page {
        self.provider.behave(behaviour);
        self.sign_in(&mut self.bridge.console()).await
    }

    async fn operator(&self, name: &str) -> Operator {
        let found = operators::find(self.bridge.store().conn(), name).await;
        found.unwrap().expect("the operator is there")
    }

    pub(crate) async fn trail(&self, name: &str) -> Vec<AuditRow> {
        let trail = audit::of_subject(self.bridge.store().conn(), "operator", name).await;
        trail.unwrap()
    }

    async fn change(&self, name: &str, change: OperatorChange) {
        let tx = self.bridge.store().begin().await.unwrap();
        let actor = Actor::System("test");
        let now = self.bridge.clock.now();
        operators::change(&tx, name, &change, &actor, now)
            .await
            .unwrap()
            .unwrap();
        tx.commit().await.unwrap();
    }
}

fn actions(trail: &[AuditRow]) -> Vec<&str> {
    trail.iter().map(|row| row.action.as_str()).collect()
}

async fn the_first_sign_in_enters_an_operator(it: &Stage) {
    let mut console = it.bridge.console();
    let form = console.get("/console/login").await;
    assert!(form.html.contains("Sign in with Example"));
    let page = it.sign_in(&mut console).await;
    assert_eq!(page.status, 200, "{}", page.words());
    let html = unescaped(&page.html);
    assert!(html.contains("url=/console/jobs"), "{html}");
    let cookies: Vec<&str> = page
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|it| it.to_str().unwrap())
        .collect();
    assert!(
        cookies[0].contains("HttpOnly; SameSite=Strict"),
        "{cookies:?}"
    );
    assert!(cookies[1].contains("Max-Age=0"), "{cookies:?}");
    assert_eq!(console.get("/console/jobs").await.status, 200);

    let vera = it.operator("vera").await;
    assert_eq!((vera.role, vera.has_password), (Role::Operator, false));
    assert_eq!(
        serde_json::to_value(&vera.origin).unwrap(),
        json!({"source": "oidc", "issuer": it.provider.issuer(), "subject": "subject of vera"})
    );
    let trail = it.trail("vera").await;
    assert_eq!(actions(&trail), ["operator.created", "operator.login"]);
    assert_eq!(trail[1].detail["way"], "oidc");
    // Who has no password has none, and a name that the provider gives later changes nothing about who they are.
    let mut other = it.bridge.console();
    assert_eq!(other.sign_in("vera", PASSWORD).await.status, 401);
    let mut renamed = Behaviour::of("vera", &["desk"]);
    renamed.person["preferred_username"] = json!("vera.example");
    assert_eq!(it.as_if(renamed).await.status, 200);
    assert_eq!(actions(&it.trail("vera").await).len(), 3);
    // RS256 as well.
    let signed = Behaviour {
        kid: "rsa",
        key: KeyName::Rsa,
        ..Behaviour::of("omar", &["staff"])
    };
    assert_eq!(it.as_if(signed).await.status, 200);
    assert_eq!(it.operator("omar").await.role, Role::Viewer);
}

async fn a_role_follows_the_claims(it: &Stage) {
    let mut console = it.bridge.console();
    it.sign_in(&mut console).await;
    let raised = it
        .as_if(Behaviour::of("vera", &["staff", "platform"]))
        .await;
    assert_eq!(raised.status, 200);
    assert_eq!(it.operator("vera").await.role, Role::Admin);
    assert_eq!(
        console.get("/console").await.status,
        303,
        "what she had is not what she has"
    );
    let mut admin = it.bridge.console();
    it.sign_in(&mut admin).await;
    assert_eq!(admin.get("/console").await.status, 200);

    // A role that is gone takes the sessions along.
    let refused = it.as_if(Behaviour::of("vera", &["guests"])).await;
    assert_eq!(refused.status, 403);
    assert_eq!(admin.get("/console").await.status, 303);
    let trail = it.trail("vera").await;
    assert_eq!(
        actions(&trail),
        [
            "operator.created",
            "operator.login",
            "operator.role",
            "operator.login",
            "operator.login",
            "operator.refused"
        ]
    );
    assert_eq!(
        (
            trail[2].from.as_deref(),
            trail[2].to.as_deref(),
            trail[2].actor.as_str()
        ),
        (Some("operator"), Some("admin"), "system:oidc")
    );
    let reason = trail[5].reason.as_deref().unwrap();
    assert!(
        reason.contains("the claim `groups` says `guests`"),
        "{reason}"
    );
}

async fn nobody_is_taken_over(it: &Stage) {
    it.bridge.enter("vera", Role::Admin).await;
    let refused = it.sign_in(&mut it.bridge.console()).await;
    assert_eq!(refused.status, 401);
    let words = refused.words();
    assert!(words.contains("There is another operator"), "{words}");
    assert!(words.contains("entered at the command line"), "{words}");
    // Nor is one of the provider by another of its accounts.
    it.as_if(Behaviour::of("omar", &["desk"])).await;
    let mut other = Behaviour::of("omar", &["platform"]);
    other.person["sub"] = json!("somebody else");
    let refused = it.as_if(other).await;
    assert!(
        refused
            .words()
            .contains("another account of an identity provider"),
        "{}",
        refused.words()
    );
    assert_eq!(it.operator("omar").await.role, Role::Operator);
    assert_eq!(it.operator("vera").await.role, Role::Admin);
    let mut console = it.bridge.console();
    assert_eq!(console.sign_in("vera", PASSWORD).await.status, 303);
}

async fn access_that_was_taken_away_stays_away(it: &Stage) {
    let mut console = it.bridge.console();
    it.sign_in(&mut console).await;
    it.change("vera", OperatorChange::Access(false)).await;
    assert_eq!(console.get("/console").await.status, 303);
    let refused = it.sign_in(&mut console).await;
    assert_eq!(refused.status, 403);
    assert!(
        refused
            .words()
            .contains("ticketbridge operator enable vera"),
        "{}",
        refused.words()
    );
    it.change("vera", OperatorChange::Access(true)).await;
    assert_eq!(it.sign_in(&mut console).await.status, 200);
}

async fn a_sign_in_counts_once(it: &Stage) {
    let mut console = it.bridge.console();
    let back = it.back(&mut console).await;
    let mut replayed = console.clone();
    assert_eq!(console.get(&back).await.status, 200);
    let words = replayed.get(&back).await.words();
    assert!(
        words.contains("was used already, or took more than ten minutes"),
        "{words}"
    );

    // Of another browser, which has begun one of its own, and of one that has begun none.
    let mut own = it.bridge.console();
    it.back(&mut own).await;
    let stolen = it.back(&mut it.bridge.console()).await;
    let words = own.get(&stolen).await.words();
    assert!(words.contains("belongs to another sign-in"), "{words}");
    let words = it.bridge.console().get(&stolen).await.words();
    assert!(words.contains("did not bring the cookie"), "{words}");

    // A code of another sign-in, put into one's own.
    let code = stolen.split("code=").nth(1).unwrap();
    let mine = it.back(&mut own).await;
    let (before, _) = mine.split_once("code=").unwrap();
    let words = own.get(&format!("{before}code={code}")).await.words();
    assert!(
        words.contains("the code belongs to another sign-in"),
        "{words}"
    );
    let mine = it.back(&mut own).await;
    let (before, _) = mine.split_once("code=").unwrap();
    let words = own.get(&format!("{before}code={code}")).await.words();
    assert!(words.contains("the code was used before"), "{words}");

    let late = it.back(&mut own).await;
    it.bridge.clock.advance(Duration::from_mins(10));
    let words = own.get(&late).await.words();
    assert!(words.contains("took more than ten minutes"), "{words}");
    it.back(&mut own).await;
    it.bridge.clock.advance(Duration::from_mins(10));
    it.bridge.scheduler.tidy_logins().await.unwrap();
}

async fn any_scheduler_ends_what_another_began(it: &Stage) {
    let mut console = it.bridge.console();
    let back = it.back(&mut console).await;
    let other = scheduler::router(it.bridge.another_scheduler().await);
    let call = Request::get(back).header("cookie", console.cookie.clone().unwrap());
    let answer = other.oneshot(call.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(it.operator("vera").await.role, Role::Operator);
}

/// What the page says in its box about what went wrong.
fn told(page: &Page) -> String {
    let mut text = page.between("role=\"alert\">", "</p>").to_owned();
    for tag in ["<strong>", "</strong>", "<span>", "</span>"] {
        text = text.replace(tag, "");
    }
    format!("{} {}", page.status, unescaped(&text))
}

fn unescaped(html: &str) -> String {
    html.replace("&#x2f;", "/").replace("&#x27;", "'")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_said_in_words() {
    let it = Stage::start(Flavour::Sqlite, "").await;
    let now = it.bridge.clock.now().timestamp();
    let good = || Behaviour::of("vera", &["desk"]);
    let with = |instead: Value| Behaviour { instead, ..good() };
    let mut nobody = good();
    nobody.person["preferred_username"] = Value::Null;
    let mut odd = good();
    odd.person["preferred_username"] = json!("<b>vera</b>");
    let mut ungrouped = good();
    ungrouped.person["groups"] = Value::Null;
    let forged = Behaviour {
        key: KeyName::Second,
        ..good()
    };
    let denied = Behaviour {
        denies: Some(("access_denied", "the account may not use this application")),
        ..good()
    };
    let faults = [
        ("wrong nonce", with(json!({"nonce": "another"}))),
        ("wrong audience", with(json!({"aud": "another"}))),
        (
            "wrong issuer",
            with(json!({"iss": "https://id.example.org"})),
        ),
        ("expired", with(json!({"exp": now - 61}))),
        ("not yet made", with(json!({"iat": now + 61}))),
        ("signed by another key", forged),
        ("denied", denied),
        (
            "no mapped group",
            Behaviour::of("vera", &["guests", "parents"]),
        ),
        ("no groups", ungrouped),
        ("no name", nobody),
        ("a name that will not do", odd),
    ];
    let mut all = Vec::new();
    for (fault, behaviour) in faults {
        let page = it.as_if(behaviour).await;
        all.push(format!("{fault}: {}", told(&page)));
    }
    let all = all.join("\n").replace(it.provider.issuer(), "[issuer]");
    insta::assert_snapshot!("what_is_wrong_with_a_sign_in", all);
    let everybody = operators::list(it.bridge.store().conn()).await.unwrap();
    assert_eq!(everybody, [], "nobody was entered");
    // What the provider vouches for, or has signed wrongly, is in the audit trail; what browsers send is not.
    let proven = it.trail("vera").await;
    assert_eq!(actions(&proven), ["operator.refused"; 2]);
    assert_eq!(it.trail("unknown").await.len(), 8);
    // All is well again.
    assert_eq!(it.as_if(good()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_were_changed_are_read_again_but_not_at_will() {
    let it = Stage::start(Flavour::Sqlite, "").await;
    let good = Behaviour::of("vera", &["desk"]);
    assert_eq!(it.as_if(good.clone()).await.status, 200);
    assert_eq!(it.as_if(good.clone()).await.status, 200);
    assert_eq!(it.provider.keys_read(), 1, "they are kept");
    // A new key: found by reading them again.
    let rotated = Behaviour {
        kid: "second",
        key: KeyName::Second,
        published: vec![("second", KeyName::Second)],
        ..good
    };
    assert_eq!(it.as_if(rotated.clone()).await.status, 200);
    assert_eq!(it.provider.keys_read(), 2);
    // A key that nobody publishes: looked for once a minute.
    let unknown = Behaviour {
        kid: "third",
        ..rotated.clone()
    };
    for reads in [2, 2] {
        let page = it.as_if(unknown.clone()).await;
        assert_eq!(page.status, 401);
        assert!(
            page.words()
                .contains("a key that the identity provider does not publish"),
            "{}",
            page.words()
        );
        assert_eq!(it.provider.keys_read(), reads);
    }
    it.bridge.clock.advance(Duration::from_mins(1));
    assert_eq!(it.as_if(unknown).await.status, 401);
    assert_eq!(it.provider.keys_read(), 3);
    // What was withdrawn is not believed for longer than an hour.
    it.bridge.clock.advance(Duration::from_hours(1));
    let withdrawn = Behaviour {
        published: vec![],
        ..rotated
    };
    assert_eq!(it.as_if(withdrawn).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_away_is_named_and_passwords_go_on() {
    let it = Stage::start(Flavour::Sqlite, "").await;
    it.bridge.enter("ada", Role::Admin).await;
    let mut console = it.bridge.console();
    let back = it.back(&mut console).await;
    it.provider.stop().await;
    let page = console.get(&back).await;
    assert_eq!(page.status, 502);
    assert!(
        page.words()
            .contains("The identity provider does not answer when asked for the ID token"),
        "{}",
        page.words()
    );
    assert_eq!(console.sign_in("ada", PASSWORD).await.status, 303);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_was_never_there_is_named() {
    let provider = OidcProvider::start().await;
    // Of a port that nobody listens on.
    let preset = provider
        .preset()
        .replace("http://localhost", "http://127.0.0.2");
    let bridge = Bridge::with(Flavour::Sqlite, &format!("{preset}\n{PRESET}")).await;
    let page = bridge.console().get("/console/login/oidc").await;
    assert_eq!(page.status, 502);
    assert!(
        page.words().contains("there is no connection"),
        "{}",
        page.words()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_can_be_switched_off() {
    let it = Stage::start(Flavour::Sqlite, "[console]\npassword_login = false").await;
    it.bridge.enter("ada", Role::Admin).await;
    let mut console = it.bridge.console();
    let form = console.get("/console/login").await;
    assert!(!form.html.contains("type=\"password\""), "{}", form.html);
    let refused = console.sign_in("ada", PASSWORD).await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.words().contains("console.password_login"),
        "{}",
        refused.words()
    );
    let body = json!({"name": "ada", "password": PASSWORD});
    let answer = it.bridge.stranger().post("/v1/ops/session", &body).await;
    assert_eq!(
        answer.body["type"],
        "urn:ticketbridge:problem:passwords-off"
    );
    assert_eq!(it.sign_in(&mut console).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_provider_there_is_no_button() {
    let bridge = Bridge::start(Flavour::Sqlite).await;
    let mut console = bridge.console();
    let form = console.get("/console/login").await;
    assert!(!form.html.contains("/console/login/oidc"), "{}", form.html);
    for path in [
        "/console/login/oidc",
        "/console/login/oidc/callback?code=x&state=y",
    ] {
        let page = console.get(path).await;
        assert_eq!(page.status, 404, "{path}");
        assert!(
            page.words().contains("is not set up here"),
            "{}",
            page.words()
        );
    }
}
