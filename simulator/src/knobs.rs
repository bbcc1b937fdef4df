//! The switches of wire contract 16.2. `Knobs::default()` is a nasty but honest instance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the instance behaves. Set as a whole, or in part for some calls by a [`crate::Fault`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Knobs {
    /// What an unknown field in a query does.
    pub unknown_field: UnknownField,
    /// Whose zone date literals in queries are read in.
    pub literal_zone: LiteralZone,
    /// Zone of users whose `time_zone` is empty (`glide.sys.default.tz`).
    pub system_time_zone: String,
    /// Zones by user name that win over `sys_user.time_zone`.
    pub user_time_zone: BTreeMap<String, String>,
    /// Row ACLs are applied after `sysparm_limit`, the total is counted before them.
    pub row_acl_after_limit: bool,
    /// Rows hidden from everybody but admins and holders of a role.
    pub row_acl: Vec<RowAcl>,
    /// Fields hidden or read-only for everybody but admins and holders of a role.
    pub field_acl: Vec<FieldAcl>,
    /// Fields that may not be used with range operators or for sorting.
    pub query_acl: Vec<QueryAcl>,
    /// Refuse the call with "Failed API level ACL Validation" (A8).
    pub api_acl_denied: bool,
    /// Status of an empty list under `/v1/`.
    pub empty_list_status_v1: u16,
    /// Drop choice values that are not on the list.
    pub choice_strict: bool,
    /// Incident state 6 and 7 need close_code and close_notes.
    pub data_policy: bool,
    /// Before rules that abort writes (A6), besides those in `sys_script`.
    pub business_rule_abort: Vec<AbortRule>,
    pub auth_text: AuthText,
    /// Basic authentication of interactive accounts (wire contract 10.2).
    pub basic_restriction: BasicRestriction,
    /// User names of whom Basic authentication demands a second factor.
    pub mfa_users: Vec<String>,
    /// Failed log-ins that lock an account; 0 never locks.
    pub lockout_after: u32,
    /// Kinds of authentication the REST API accepts.
    pub access_policy: Vec<AuthKind>,
    /// The token endpoint gives back the current token while it lives.
    pub oauth_same_token: bool,
    /// Each use of a refresh token ends it and gives another, as gateways and other versions do.
    pub oauth_rotating_refresh: bool,
    pub oauth_client_credentials: bool,
    pub oauth_password_grant: bool,
    /// `state` is demanded by `/oauth_auth.do`.
    pub oauth_state_required: bool,
    pub rate_limit: Option<RateLimit>,
    pub semaphore: Option<Semaphore>,
    /// Calls that may wait on one session cookie; more are dropped with 202.
    pub session_queue: Option<u32>,
    /// Life of a session (`glide.integration.session_timeout`).
    pub session_timeout_s: u64,
    pub quota_s: Option<Quota>,
    /// When the quota strikes: before the body, or while it is written.
    pub quota_form: QuotaForm,
    /// How long the instance works on a call, on its own clock.
    pub latency_ms: u64,
    /// Cut 200 bodies after so many bytes.
    pub truncate_over_bytes: Option<usize>,
    /// Longest URL in bytes (path and query).
    pub url_max: Option<usize>,
    pub hibernate: Option<Hibernate>,
    /// Probability that a POST commits and then answers 500 (A11).
    pub post_commits_then_500: f64,
    pub connection_drop: Option<ConnectionDrop>,
    /// Answer this instead of working on the call.
    pub canned: Option<Canned>,
    /// A write is seen by readers so long after its stamp.
    pub visible_delay_ms: u64,
    /// Catalog tasks appear so long after the order.
    pub async_tasks_ms: u64,
    /// Derived role rows follow a change of group or role so long after it.
    pub inherited_roles_ms: u64,
    /// Texts come back changed: 4-byte characters are replaced, `\n` becomes `\r\n`.
    pub mangle_text: bool,
    pub dup_sys_id: DupSysId,
    /// A `sys_id` in a POST is honoured; otherwise the instance picks its own.
    pub client_sys_id: bool,
    /// `sys_journal_field` lists are empty for all but admins.
    pub journal_hidden: bool,
    /// The `Date` header differs from the instance's clock by so much.
    pub clock_skew_s: i64,
    pub webhook: Webhook,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            unknown_field: UnknownField::Drop,
            literal_zone: LiteralZone::User,
            system_time_zone: "US/Pacific".to_owned(),
            user_time_zone: BTreeMap::new(),
            row_acl_after_limit: true,
            row_acl: Vec::new(),
            field_acl: ["name", "element", "value"]
                .map(FieldAcl::hidden_choice)
                .into(),
            query_acl: Vec::new(),
            api_acl_denied: false,
            empty_list_status_v1: 404,
            choice_strict: true,
            data_policy: true,
            business_rule_abort: Vec::new(),
            auth_text: AuthText::New,
            basic_restriction: BasicRestriction::Enforce,
            mfa_users: Vec::new(),
            lockout_after: 5,
            access_policy: vec![
                AuthKind::Basic,
                AuthKind::Bearer,
                AuthKind::ApiKey,
                AuthKind::Session,
            ],
            oauth_same_token: true,
            oauth_rotating_refresh: false,
            oauth_client_credentials: true,
            oauth_password_grant: true,
            oauth_state_required: true,
            rate_limit: None,
            semaphore: Some(Semaphore {
                permits: 4,
                queue: 50,
            }),
            session_queue: Some(10),
            session_timeout_s: 60,
            quota_s: Some(Quota {
                table: 60,
                batch: 30,
            }),
            quota_form: QuotaForm::Before,
            latency_ms: 0,
            truncate_over_bytes: None,
            url_max: Some(8192),
            hibernate: None,
            post_commits_then_500: 0.0,
            connection_drop: None,
            canned: None,
            visible_delay_ms: 0,
            async_tasks_ms: 300,
            inherited_roles_ms: 500,
            mangle_text: false,
            dup_sys_id: DupSysId::Refuse,
            client_sys_id: true,
            journal_hidden: true,
            clock_skew_s: 0,
            webhook: Webhook::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownField {
    /// The term is dropped, the rest runs.
    Drop,
    /// `glide.invalid_query.returns_no_rows=true`.
    NoRows,
    /// 403 "Insufficient rights to query records" (A7).
    Forbid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiteralZone {
    User,
    Utc,
}

/// Rows of `table` that match `query` are hidden from users without `unless_role`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowAcl {
    pub table: String,
    #[serde(default)]
    pub query: String,
    #[serde(default)]
    pub unless_role: Option<String>,
}

/// A field that users without `unless_role` cannot see or cannot write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldAcl {
    pub table: String,
    pub field: String,
    #[serde(default)]
    pub hidden: bool,
    #[serde(default)]
    pub read_only: bool,
    #[serde(default)]
    pub unless_role: Option<String>,
}

impl FieldAcl {
    fn hidden_choice(field: &str) -> Self {
        Self {
            table: "sys_choice".to_owned(),
            field: field.to_owned(),
            hidden: true,
            read_only: false,
            unless_role: None,
        }
    }
}

/// A field that needs a role for range operators and sorting (query ACL, wire contract 2.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryAcl {
    pub table: String,
    pub field: String,
    /// 403 (A7) instead of dropping that part of the query without a word.
    #[serde(default)]
    pub forbid: bool,
}

/// A before rule that refuses inserts and updates of rows that match `condition`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbortRule {
    pub table: String,
    pub name: String,
    /// Encoded query over the row as it would be stored; empty matches every write.
    #[serde(default)]
    pub condition: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthText {
    /// `User Not Authenticated`.
    Old,
    /// `User is not authenticated`.
    New,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BasicRestriction {
    Off,
    /// Only written to the instance's log (`syslog`).
    Track,
    Enforce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthKind {
    Basic,
    Bearer,
    ApiKey,
    Session,
}

/// Calls per clock hour and user (A9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    pub per_hour: u32,
}

/// Calls worked on at a time, and calls that may wait; more answer A10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Semaphore {
    pub permits: u32,
    pub queue: u32,
}

/// Seconds a call may take on the instance's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    pub table: u64,
    pub batch: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaForm {
    /// 500 (A11); a write has committed.
    Before,
    /// 200, half of the rows, then a well-formed error (A12). Calls without a list answer A11.
    Appended,
    /// 200, half of the rows, then malformed JSON (A13). Calls without a list answer A11.
    Malformed,
}

/// The next `html` calls get the hibernation page (A15), the `bad_gateway` calls after them 502.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hibernate {
    pub html: u32,
    #[serde(default)]
    pub bad_gateway: u32,
}

/// A connection that ends without a whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionDrop {
    pub when: DropWhen,
    #[serde(default = "always")]
    pub probability: f64,
}

fn always() -> f64 {
    1.0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropWhen {
    /// The call is not worked on.
    Before,
    /// The call has committed; no byte of the answer is sent.
    AfterCommit,
    /// Half of the body is sent.
    MidBody,
}

/// A ready-made answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canned {
    pub status: u16,
    #[serde(default)]
    pub content_type: Option<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub body: String,
}

/// What a second POST with the same `sys_id` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DupSysId {
    /// 403 "Error during insert of …".
    Refuse,
    /// 200, and the first record is updated.
    Upsert,
    /// 201 under another id.
    NewId,
}

/// Faults of the calls the instance makes itself (wire contract 13.3), as probabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhook {
    pub drop: f64,
    pub duplicate: f64,
    pub reorder: f64,
    /// Longest extra delay.
    pub delay_ms: u64,
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            drop: 0.05,
            duplicate: 0.05,
            reorder: 0.05,
            delay_ms: 500,
        }
    }
}
