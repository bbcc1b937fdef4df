//! A sign-in from the button to the session: out to the provider, and back with a code.

use axum::http::{HeaderMap, HeaderValue};
use shared::store::StoreError;
use shared::store::operators::{self, Admission, Identity};
use url::{Url, form_urlencoded};

use super::flow::{self, Flow};
use super::id_token::{Expected, Signed};
use super::refusal::Refusal;
use super::token_call::told;
use super::{Provider, claims};
use crate::Scheduler;
use crate::api::ops::cookie::SessionSecret;
use crate::api::ops::login;
use crate::api::problem::Problem;

/// Where the provider sends browsers back to.
const CALLBACK: &str = "/console/login/oidc/callback";

/// What sends a browser to the provider.
pub(crate) struct Departure {
    /// Where it goes.
    pub(crate) location: String,
    /// What it is to keep meanwhile.
    pub(crate) cookie: HeaderValue,
}

/// What became of a browser that came back.
pub(crate) struct Arrival {
    /// The session that was opened and where it leads, or why there is none.
    pub(crate) session: Result<(SessionSecret, String), Problem>,
    /// Takes away what it kept; `None` when that belongs to another sign-in.
    pub(crate) cookie: Option<HeaderValue>,
}

/// Sends somebody to the provider; `next` is the page that they want to see.
pub(crate) async fn begin(
    scheduler: &Scheduler,
    next: &str,
    address: &str,
) -> Result<Departure, Problem> {
    let began = depart(scheduler, next).await;
    began.map_err(|refusal| {
        refusal.log(address);
        refusal.into()
    })
}

/// Opens a session for somebody whom the provider has sent back with `query`.
pub(crate) async fn finish(
    scheduler: &Scheduler,
    headers: &HeaderMap,
    query: &str,
    address: &str,
) -> Arrival {
    let is_secure = scheduler.is_secure();
    let came = arrive(scheduler, headers, query, address).await;
    let keeps = matches!(came, Err(Refusal::OtherSignIn | Refusal::Off));
    let session = came.map_err(|refusal| {
        refusal.log(address);
        refusal.into()
    });
    Arrival {
        session,
        cookie: (!keeps).then(|| flow::remove(is_secure)),
    }
}

async fn depart(scheduler: &Scheduler, next: &str) -> Result<Departure, Refusal> {
    let provider = scheduler.oidc.as_ref().ok_or(Refusal::Off)?;
    let settings = &scheduler.settings.console.oidc;
    let metadata = provider.metadata(settings, scheduler.now()).await?;
    let flow = Flow::new(&mut rand::rng());
    let conn = scheduler.store.conn();
    operators::begin_sign_in(conn, &flow.hash(), next, scheduler.now()).await?;
    let mut location: Url = metadata.authorization_endpoint;
    location
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &settings.client_id)
        .append_pair("redirect_uri", &redirect_uri(scheduler))
        .append_pair("scope", &settings.scopes.join(" "))
        .append_pair("state", &flow.state())
        .append_pair("nonce", &flow.nonce())
        .append_pair("code_challenge", &flow.challenge())
        .append_pair("code_challenge_method", "S256");
    Ok(Departure {
        location: location.into(),
        cookie: flow.set(scheduler.is_secure()),
    })
}

async fn arrive(
    scheduler: &Scheduler,
    headers: &HeaderMap,
    query: &str,
    address: &str,
) -> Result<(SessionSecret, String), Refusal> {
    let provider = scheduler.oidc.as_ref().ok_or(Refusal::Off)?;
    let settings = &scheduler.settings.console.oidc;
    let no_cookie = || Refusal::NoCookie(settings.base_url(&scheduler.settings.server));
    let flow = Flow::of(headers, scheduler.is_secure()).ok_or_else(no_cookie)?;
    let parameter = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs
            .find(|(found, _)| found == name)
            .map(|(_, value)| value)
    };
    // Before anything else of it is believed or shown: others can send links.
    if parameter("state").is_none_or(|state| state != flow.state()) {
        return Err(Refusal::OtherSignIn);
    }
    let (conn, now) = (scheduler.store.conn(), scheduler.now());
    let taken = operators::take_sign_in(conn, &flow.hash(), now).await?;
    let next = taken.ok_or(Refusal::Used)?;
    if let Some(error) = parameter("error") {
        let more = parameter("error_description");
        return Err(Refusal::Denied(told(&error, more.as_deref())));
    }
    let code = parameter("code").ok_or(Refusal::NoCode)?;
    let name = vouched(scheduler, provider, &flow, &code, address).await?;
    let secret = login::open(scheduler, &name, address, "oidc").await?;
    Ok((secret, next))
}

/// The operator whom a code stands for, entered and with the role that the provider gives. No transaction is open while it is asked.
async fn vouched(
    scheduler: &Scheduler,
    provider: &Provider,
    flow: &Flow,
    code: &str,
    address: &str,
) -> Result<String, Refusal> {
    let settings = &scheduler.settings.console.oidc;
    let metadata = provider.metadata(settings, scheduler.now()).await?;
    let uri = redirect_uri(scheduler);
    let token = provider
        .id_token(settings, &metadata, code, &flow.verifier(), &uri)
        .await?;
    let (nonce, now) = (flow.nonce(), scheduler.now());
    let expected = Expected {
        issuer: &metadata.issuer,
        client_id: &settings.client_id,
        nonce: &nonce,
        now,
    };
    let checked = async {
        let signed = Signed::parse(&token)?;
        provider.check_signature(&metadata, &signed, now).await?;
        signed.claims(&expected)
    };
    let claims = match checked.await {
        Ok(claims) => claims,
        Err(refusal) => {
            // It took a code of the provider to come here, so nobody fills the audit trail at will.
            let (conn, why) = (scheduler.store.conn(), refusal.to_string());
            operators::refuse_token(conn, &why, address, now).await?;
            return Err(refusal);
        }
    };
    let subject = claims::subject(&claims)?;
    let named = claims::name(&claims, settings);
    let identity = Identity {
        issuer: &metadata.issuer,
        subject,
        name: named.as_ref().map_or("unknown", |name| *name),
    };
    let admitted = async {
        // Before the name: who has none that will do, and no role either, has to be found out.
        let role = claims::role(&claims, settings)?;
        named?;
        admit(scheduler, identity, role).await
    };
    let admitted = admitted.await;
    if let Err(refusal) = &admitted {
        let (tx, why) = (scheduler.store.begin().await?, refusal.to_string());
        operators::refuse_identity(&tx, identity, &why, address, now).await?;
        if refusal.says_no_role() {
            operators::send_away(&tx, identity, &why, now).await?;
        }
        tx.commit().await.map_err(StoreError::from)?;
    }
    admitted
}

async fn admit(
    scheduler: &Scheduler,
    identity: Identity<'_>,
    role: shared::operator::Role,
) -> Result<String, Refusal> {
    let tx = scheduler.store.begin().await?;
    let admission = operators::admit(&tx, identity, role, scheduler.now()).await?;
    tx.commit().await.map_err(StoreError::from)?;
    match admission {
        Admission::Admitted(operator) => Ok(operator.name),
        Admission::Disabled(operator) => Err(Refusal::Disabled(operator.name)),
        Admission::NameTaken(other) => Err(Refusal::NameTaken {
            source_word: match other.origin {
                operators::Origin::Local => "entered at the command line",
                operators::Origin::Oidc { .. } => "another account of an identity provider",
            },
            name: other.name,
        }),
    }
}

fn redirect_uri(scheduler: &Scheduler) -> String {
    let settings = &scheduler.settings;
    let base = settings.console.oidc.base_url(&settings.server);
    format!("{base}{CALLBACK}")
}
