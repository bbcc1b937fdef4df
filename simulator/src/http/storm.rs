//! What can happen to a call before anybody works on it.

use super::answer::Answer;
use super::call::Call;
use super::pipeline::Ending;
use crate::faults::Sleep;
use crate::knobs::{Canned, DropWhen, Knobs};
use crate::lock::hold;
use crate::sim::Sim;

/// The ending of a call that does not reach the instance, if it does not.
pub(crate) fn strike(sim: &Sim, knobs: &Knobs, call: &Call) -> Option<Ending> {
    let dropped = knobs
        .connection_drop
        .filter(|drop| drop.when == DropWhen::Before);
    if dropped.is_some_and(|drop| hold(&sim.dice).chance(drop.probability)) {
        return Some(Ending::Cut);
    }
    if knobs.url_max.is_some_and(|max| call.url_len() > max) {
        return Some(Ending::Answer(Answer::html(414, URI_TOO_LONG)));
    }
    if let Some(asleep) = hold(&sim.board).hibernation(knobs) {
        return Some(Ending::Answer(match asleep {
            Sleep::Html => Answer::html(200, HIBERNATING),
            Sleep::BadGateway => Answer::html(502, BAD_GATEWAY),
        }));
    }
    knobs
        .canned
        .as_ref()
        .map(|canned| Ending::Answer(of_canned(canned)))
}

fn of_canned(canned: &Canned) -> Answer {
    let body = axum::body::Bytes::copy_from_slice(canned.body.as_bytes());
    let mut answer = Answer {
        status: canned.status,
        body,
        ..Answer::default()
    };
    if let Some(media_type) = &canned.content_type {
        answer = answer.with("Content-Type", media_type);
    }
    canned
        .headers
        .iter()
        .fold(answer, |answer, (name, value)| answer.with(name, value))
}

const URI_TOO_LONG: &str = "<html><head><title>414 Request-URI Too Large</title></head><body><h1>414 Request-URI Too Large</h1></body></html>";

const HIBERNATING: &str = "<html><head><title>Instance Hibernating page</title></head><body>\
<h1>Your instance is hibernating</h1><p>Sign in to the site to wake your instance.</p></body></html>";

const BAD_GATEWAY: &str =
    "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";
