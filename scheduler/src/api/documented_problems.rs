//! The problems each operation can answer with, for the OpenAPI document.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::IntoResponses;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use super::problem::Problem;
use super::problem_kind::Kind;

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident: $($kind:ident)*;)*) => { $(
        $(#[$doc])*
        pub(crate) enum $name {}

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                responses(&[$(Kind::$kind),*])
            }
        }
    )* };
}

problems! {
    /// Of operations that read several things.
    OfReading: BadQuery TokenMissing TokenRefused Internal DatabaseUnavailable Timeout;
    /// Of reading the feed.
    OfReadingEvents: BadQuery TokenMissing TokenRefused EventsRemoved Internal DatabaseUnavailable Timeout;
    /// Of following the feed.
    OfStreaming: BadHeader BadQuery TokenMissing TokenRefused EventsRemoved Internal DatabaseUnavailable Timeout TooManyStreams;
    /// Of operations that read one request.
    OfReadingOne: BadQuery TokenMissing TokenRefused NotFound Internal DatabaseUnavailable Timeout;
    /// Of taking a request in.
    OfCreating: MalformedBody BadHeader BadQuery TokenMissing TokenRefused ForeignSource Conflict RouteDisabled
        BodyTooLarge BodyTooSlow UnsupportedMediaType Validation UnknownCategory Unrenderable Internal DatabaseUnavailable Timeout;
    /// Of logging in.
    OfLoggingIn: MalformedBody BodyTooLarge BodyTooSlow UnsupportedMediaType Validation LoginRefused PasswordsOff TooManyLogins Internal
        DatabaseUnavailable Timeout;
    /// Of what operators look at.
    OfOperating: BadQuery TokenMissing TokenRefused SessionEnded StaleForm Internal DatabaseUnavailable Timeout;
    /// Of one thing that operators look at.
    OfOperatingOne: BadQuery TokenMissing TokenRefused SessionEnded StaleForm NotFound Internal DatabaseUnavailable Timeout;
    /// Of what operators do.
    OfActing: MalformedBody BadQuery TokenMissing TokenRefused SessionEnded StaleForm RoleTooLow NotFound StaleAction BodyTooLarge
        BodyTooSlow UnsupportedMediaType Validation Internal DatabaseUnavailable Timeout;
    /// Of taking several requests in.
    OfBatch: MalformedBody BadQuery TokenMissing TokenRefused BodyTooLarge BodyTooSlow UnsupportedMediaType Validation
        Internal DatabaseUnavailable Timeout;
    /// Of changing a request.
    OfChanging: MalformedBody BadHeader BadQuery TokenMissing TokenRefused NotFound Conflict OwnedByServicenow
        RequestEnded VersionMismatch BodyTooLarge BodyTooSlow UnsupportedMediaType Validation Internal DatabaseUnavailable
        Timeout;
}

fn responses(kinds: &[Kind]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<String, Vec<Kind>> = BTreeMap::new();
    for kind in kinds {
        by_status
            .entry(kind.status().as_u16().to_string())
            .or_default()
            .push(*kind);
    }
    by_status
        .into_iter()
        .map(|(status, kinds)| (status, response(&kinds).into()))
        .collect()
}

fn response(kinds: &[Kind]) -> Response {
    let titles: Vec<String> = kinds
        .iter()
        .map(|kind| format!("{} (`{}`)", kind.title(), kind.word()))
        .collect();
    ResponseBuilder::new()
        .description(titles.join("; "))
        .content("application/problem+json", content(kinds))
        .build()
}

fn content(kinds: &[Kind]) -> Content {
    let examples = kinds.iter().map(|&kind| {
        let example = Problem::new(kind, "What happened here, and what to do about it.");
        (
            kind.word(),
            ExampleBuilder::new()
                .summary(kind.title())
                .value(Some(json!(example)))
                .build(),
        )
    });
    ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(examples)
        .build()
}
