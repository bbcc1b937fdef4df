#![doc = include_str!("../README.md")]

mod advice;
mod answer;
mod auth;
mod call;
/// No part of the interface: the fuzz targets judge answers that came over no network.
#[doc(hidden)]
pub mod canned;
mod catalog;
pub mod changes;
mod classify;
mod client;
mod clock;
mod config_error;
mod cursor;
mod decode;
mod difference;
mod error;
mod failure;
mod field_value;
mod fields;
mod find_orders;
mod http;
mod id_chunks;
mod journals;
mod kinds;
mod list;
mod log_ins;
mod markup;
mod meta;
mod names;
mod options;
mod order;
mod params;
mod probe;
mod query;
mod query_error;
mod record;
mod redact;
mod refused;
mod summary;
mod table;
mod term;
mod throttle;
mod token;
mod token_endpoint;
mod transport_error;
mod users;
mod verify;
mod zone;

pub use auth::Auth;
pub use catalog::{Catalog, CatalogItem, Variable};
pub use client::Client;
pub use clock::{Clock, system_clock};
pub use config_error::ConfigError;
pub use cursor::{Cursor, format_time, parse_time};
pub use difference::{Difference, DifferenceKind};
pub use error::Error;
pub use failure::Failure;
pub use field_value::FieldValue;
pub use fields::Fields;
pub use find_orders::FoundOrder;
pub use id_chunks::{MAX_IDS_PER_CHUNK, MAX_QUERY_BYTES, chunk_ids};
pub use journals::{Journal, JournalEntry, JournalSource, Journals, MarkerSearch};
pub use kinds::{
    AuthKind, ConnectKind, ForbiddenKind, GarbageKind, HtmlKind, InvalidKind, MaybeKind,
    UntrustworthyReason,
};
pub use list::{ListRequest, Page};
pub use log_ins::LogIns;
pub use meta::{CallMeta, RateInfo, Reply};
pub use options::{ClientOptions, RefreshTokenHook, RefreshTokenSource, TraceContext};
pub use order::{Order, Ordered};
pub use params::{DisplayValue, ReadOptions, WriteOptions};
pub use probe::{OwnUser, Probe, Reached, TokenState, UnknownField};
pub use query::Query;
pub use query_error::QueryError;
pub use record::Record;
pub use summary::{Summary, SummaryRequest};
pub use table::Table;
pub use term::{Operator, Term};
pub use throttle::{Ended, Held, Outgoing, Pending, Permit, Throttle};
pub use token_endpoint::{CodeExchange, Tokens};
pub use users::{User, UserKey, UserLookup, Users};
pub use verify::Mismatch;
pub use zone::{ZoneProbe, zone_probe};
