//! The kinds inside each error class (wire contract 2.8, 2.9 and 15).

/// Who refused the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthKind {
    /// The API answered 401.
    Rejected,
    /// 401 with `X-MFA_TOKEN: invalid`: the password is right, the second factor is missing.
    SecondFactor,
    /// The token endpoint gave no token.
    Token,
}

/// Why an authenticated call was refused with 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForbiddenKind {
    /// A row or field access rule (E2).
    Acl,
    /// A data policy: mandatory fields are missing, named by their labels (E4).
    DataPolicy,
    /// A business rule aborted the write (E3).
    BusinessRule,
    /// The query uses a field that the account may not read, or that is not there (E7).
    Query,
    /// No access to the table or API; sometimes a stray answer of one node, so that one retry is advised (E6).
    Api,
    /// Anything else, for example the database refused a duplicate (E5).
    Other,
}

/// What was wrong with the request itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidKind {
    /// The table is not there, or its plugin is not installed (E9).
    Table,
    /// The path is no API of this host: a wrong base URL, or a plugin that is not installed (E10).
    Path,
    /// The body, a parameter or a value was refused.
    Request,
    /// The URL or the body is too long (E11, E12).
    TooLong,
    /// The method or a media type was refused: 405, 406, 415.
    Protocol,
}

/// Why it is not known whether a call took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaybeKind {
    /// A 500 or another server error: the record may be committed (E15).
    ServerError,
    /// No answer in time.
    Timeout,
    /// The connection broke after the request was sent.
    ConnectionLost,
}

/// What stood where an API answer should be (wire contract 2.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GarbageKind {
    Html(HtmlKind),
    /// A redirect that is not one to a log-in page. Redirects are never followed.
    Redirect,
    /// The body is no complete JSON.
    Cut,
    /// 202: the request was thrown away.
    Accepted202,
    /// A success status whose body holds an error.
    ErrorIn200,
    /// JSON, or an empty body, that is not what this API answers.
    WrongShape,
}

/// Which page was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HtmlKind {
    /// A developer instance that sleeps until somebody signs in.
    Hibernating,
    /// A log-in page, or a redirect to one.
    Login,
    /// "Your instance is currently offline".
    Offline,
    Other,
}

/// Why no connection came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectKind {
    Dns,
    Refused,
    Tls,
    Timeout,
    Other,
}

/// Why a list answer must not be believed (wire contract 2.3 and 2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UntrustworthyReason {
    /// A row stands before one that is older: the order was dropped.
    OutOfOrder,
    /// A row lacks a column that is needed to check or to go on: a field access rule hides it.
    MissingColumn { field: String },
    /// A row does not satisfy the query: a term was dropped.
    FilterIgnored { field: String },
    /// A time stamp is not of the form `YYYY-MM-DD HH:MM:SS`.
    BadTimestamp { field: String },
    /// More rows came than were asked for, or than fit one answer.
    TooManyRows,
}

impl std::fmt::Display for UntrustworthyReason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OutOfOrder => formatter.write_str(
                "the rows are out of order: the account may lack query_range access to sys_updated_on",
            ),
            Self::MissingColumn { field } => write!(
                formatter,
                "a row comes without `{field}`: the account may not read that column"
            ),
            Self::FilterIgnored { field } => write!(
                formatter,
                "a row does not satisfy the condition on `{field}`: the column does not exist, or the account lacks query access to it, and the instance dropped the condition"
            ),
            Self::BadTimestamp { field } => write!(
                formatter,
                "`{field}` is not a UTC time stamp of the form YYYY-MM-DD HH:MM:SS"
            ),
            Self::TooManyRows => formatter.write_str("more rows came than were asked for"),
        }
    }
}
