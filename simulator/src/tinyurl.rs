//! Short names for long list addresses (wire contract 11.4).

use serde::Deserialize;
use url::form_urlencoded;

use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::http::routes::Api;
use crate::refusal::Refusal;
use crate::world::World;

#[derive(Deserialize)]
struct Long {
    url: String,
}

const TABLE: &str = "sys_tiny_url";

/// `{"url":"incident_list.do?sysparm_query=…"}` → `{"result":"incident_list.do?sysparm_tiny=…"}`
pub(crate) fn answer(api: &mut Api<'_>) -> Result<Answer, Refusal> {
    if api.call.method != "POST" {
        return Err(Refusal::MethodNotSupported);
    }
    let long: Long = serde_json::from_slice(&api.call.body)
        .map_err(|_| Refusal::BadBody("The payload is not valid JSON.".to_owned()))?;
    let (page, query) = long.url.split_once('?').unwrap_or((&long.url, ""));
    let act = api.act();
    let token = api.world.make(&act, TABLE, &[("url", query)])?;
    Ok(Answer::result(200, &format!("{page}?sysparm_tiny={token}")))
}

/// The call with the parameters its token stands for; none when it has no known token.
pub(crate) fn expanded(world: &World, call: &Call) -> Option<Call> {
    let (_, token) = call
        .params()
        .into_iter()
        .find(|(name, _)| name == "sysparm_tiny")?;
    let stored = world.fields(TABLE, &token)?.get("url").to_owned();
    let own = call.params().into_iter();
    let own = own.filter(|(name, _)| name != "sysparm_tiny");
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form_urlencoded::parse(stored.as_bytes()))
        .extend_pairs(own)
        .finish();
    Some(Call {
        raw_query: query,
        ..call.clone()
    })
}
