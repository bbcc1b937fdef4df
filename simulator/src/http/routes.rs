//! Which processor a call goes to. Paths are `/api/<namespace>[/<version>]/<api>/…`.

use chrono::{DateTime, Utc};

use super::answer::Answer;
use super::call::Call;
use crate::attachment;
use crate::batch;
use crate::catalog;
use crate::import;
use crate::knobs::Knobs;
use crate::lock::hold;
use crate::refusal::Refusal;
use crate::scorecards;
use crate::sim::Sim;
use crate::stats;
use crate::table_api;
use crate::tinyurl;
use crate::world::{Act, Actor, World};
use crate::xmatters;

/// What every processor works with: the call, the world (locked for the call) and who calls.
pub(crate) struct Api<'a> {
    pub(crate) sim: &'a Sim,
    pub(crate) world: &'a mut World,
    pub(crate) actor: &'a Actor,
    pub(crate) knobs: &'a Knobs,
    pub(crate) now: DateTime<Utc>,
    pub(crate) call: &'a Call,
    /// Version named in the path.
    pub(crate) version: Option<u8>,
}

impl<'a> Api<'a> {
    pub(crate) fn act(&self) -> Act<'a> {
        Act {
            actor: self.actor,
            knobs: self.knobs,
            now: self.now,
        }
    }
}

/// Locks the world and lets the right processor answer.
pub(crate) fn answer(sim: &Sim, knobs: &Knobs, actor: &Actor, call: &Call) -> Answer {
    let mut world = hold(&sim.world);
    dispatch(sim, &mut world, knobs, actor, call)
}

/// Answers a call inside a transaction that is open already (also the inner requests of a batch).
pub(crate) fn dispatch(
    sim: &Sim,
    world: &mut World,
    knobs: &Knobs,
    actor: &Actor,
    call: &Call,
) -> Answer {
    if knobs.api_acl_denied {
        return Refusal::ApiAcl.answer();
    }
    let expanded = tinyurl::expanded(world, call);
    let call = expanded.as_ref().unwrap_or(call);
    let route = Route::of(call);
    let mut api = Api {
        sim,
        world,
        actor,
        knobs,
        now: sim.clock.now(),
        call,
        version: route.version,
    };
    let result = processor(&mut api, &route);
    let answer = result.unwrap_or_else(|refusal| refusal.answer());
    let silent = call
        .header("x-no-response-body")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if silent && answer.status < 300 && call.method != "GET" {
        answer.bodiless()
    } else {
        answer
    }
}

fn processor(api: &mut Api<'_>, route: &Route) -> Result<Answer, Refusal> {
    let parts: Vec<&str> = route.rest.iter().map(String::as_str).collect();
    match (route.namespace.as_str(), parts.as_slice()) {
        ("now", ["table", rest @ ..]) => table_api::answer(api, rest),
        ("now", ["stats", rest @ ..]) => stats::answer(api, rest),
        ("now", ["attachment", rest @ ..]) => attachment::answer(api, rest),
        ("now", ["batch"]) => batch::answer(api),
        ("now", ["import", rest @ ..]) => import::answer(api, rest),
        ("now", ["tinyurl"]) => tinyurl::answer(api),
        ("now", ["pa", "scorecards"]) => scorecards::answer(api),
        ("xm", ["1", rest @ ..]) => Ok(xmatters::answer(api, rest)),
        ("sn_sc", ["servicecatalog", rest @ ..]) => catalog::answer(api, rest),
        _ => Err(Refusal::NoSuchResource),
    }
}

/// A path taken apart.
struct Route {
    namespace: String,
    version: Option<u8>,
    rest: Vec<String>,
}

impl Route {
    fn of(call: &Call) -> Self {
        let mut segments = call.segments().into_iter();
        let is_api = segments.next().is_some_and(|part| part == "api");
        let namespace = segments.next().filter(|_| is_api).unwrap_or_default();
        let mut rest: Vec<String> = segments.collect();
        let version = rest
            .first()
            .and_then(|part| part.strip_prefix('v')?.parse().ok());
        if version.is_some() {
            rest.remove(0);
        }
        Self {
            namespace,
            version,
            rest,
        }
    }
}

/// The name of a call in the log.
pub(crate) fn kind(call: &Call) -> String {
    match call.path.as_str() {
        "/oauth_token.do" => return "token".to_owned(),
        "/oauth_auth.do" => return "authorize".to_owned(),
        "/oauth_revoke.do" => return "revoke".to_owned(),
        _ => {}
    }
    let route = Route::of(call);
    let parts: Vec<&str> = route.rest.iter().map(String::as_str).collect();
    let verb = match (call.method.as_str(), parts.len() > 2) {
        ("GET" | "HEAD", false) => "list",
        ("GET" | "HEAD", true) => "get",
        ("POST", _) => "create",
        ("PUT" | "PATCH", _) => "update",
        ("DELETE", _) => "delete",
        _ => "other",
    };
    match parts.as_slice() {
        ["table", ..] => format!("table.{verb}"),
        ["servicecatalog", rest @ ..] => catalog::kind(rest),
        ["attachment", rest @ ..] => attachment::kind(&call.method, rest),
        [api, ..] => (*api).to_owned(),
        [] => "other".to_owned(),
    }
}

/// The API's name in the texts of rate limits.
pub(crate) fn api_name(call: &Call) -> &'static str {
    let route = Route::of(call);
    match route.rest.first().map(String::as_str) {
        Some("table") => "Table API",
        Some("stats") => "Aggregate API",
        Some("attachment") => "Attachment API",
        Some("import") => "Import Set API",
        Some("batch") => "REST Batch API",
        Some("servicecatalog") => "Service Catalog API",
        _ => "REST API",
    }
}
