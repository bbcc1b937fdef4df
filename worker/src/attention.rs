//! Why a human should look at a request: one sentence each, whose first words say which kind it is.

use shared::state_map::{UNMAPPED, Unmapped};

/// Longest text; what an instance or a receiver said may be long.
const LONGEST: usize = 600;

/// A reason to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attention<'a> {
    /// A value that no map of the route knows (T9).
    Unmapped(Unmapped<'a>),
    /// Columns that the instance did not take over.
    Dropped { fields: &'a str },
    /// ServiceNow and the owner of the state say different things (T11).
    Conflict { owner: &'a str, other: &'a str },
    /// More than one ticket carries the key of the request.
    Doubles { numbers: &'a str },
    /// The ticket cannot be read any more.
    NotVisible { table: &'a str, number: &'a str },
    /// The ticket was opened again after the request had ended (T9: a final state is never left).
    Reopened { state: &'a str },
    /// A comment may be missing from the ticket, or be there without our seeing it.
    NoteUnsure,
    /// A ticket exists though the request ended without one.
    Stray { number: &'a str },
    /// The ticket does not follow the request (T17).
    NotUpdated(&'a str),
    /// The source was not told.
    NotTold(&'a str),
    /// The ticket could not be read on demand.
    NotRead(&'a str),
    /// Whether there is a ticket is not known, and nobody tries any more.
    MayExist(&'a str),
    /// The configuration must be mended first.
    Parked(&'a str),
}

impl Attention<'_> {
    /// To ask whether a text tells of a value that nobody mapped.
    pub(crate) const UNMAPPED: Self = Self::Unmapped(Unmapped {
        route: "",
        field: "",
        value: "",
    });

    /// To ask whether a text tells of a conflict.
    pub(crate) const CONFLICT: Self = Self::Conflict {
        owner: "",
        other: "",
    };

    /// To know the texts about tickets that cannot be read any more.
    pub(crate) const NOT_VISIBLE: Self = Self::NotVisible {
        table: "",
        number: "",
    };

    /// Whether `text` tells of a conflict about another state than `owner`: the owner has moved on since.
    pub(crate) fn is_old_conflict(text: Option<&str>, owner: &str) -> bool {
        let about = format!("{} the owner says {owner},", Self::CONFLICT.beginning());
        Self::CONFLICT.wrote(text) && text.is_some_and(|text| !text.starts_with(&about))
    }

    /// The words every text of this kind begins with.
    pub(crate) fn beginning(&self) -> &'static str {
        match self {
            Self::Unmapped(_) => UNMAPPED,
            Self::Dropped { .. } => "Dropped fields:",
            Self::Conflict { .. } => "Conflict:",
            Self::Doubles { .. } => "Several tickets:",
            Self::NotVisible { .. } => "Not visible:",
            Self::Reopened { .. } => "Reopened:",
            Self::NoteUnsure => "Comment unsure:",
            Self::Stray { .. } => "Stray ticket:",
            Self::NotUpdated(_) => "Ticket not updated:",
            Self::NotTold(_) => "Source not told:",
            Self::NotRead(_) => "Ticket not read:",
            Self::MayExist(_) => "Ticket uncertain:",
            Self::Parked(_) => "Waiting for a configuration:",
        }
    }

    fn rest(&self) -> String {
        match self {
            Self::Unmapped(unmapped) => unmapped.to_string(),
            Self::Dropped { fields } => format!(
                "ServiceNow did not take over {fields}; check that the columns exist, that the account may write them, and that choices are known."
            ),
            Self::Conflict { owner, other } => format!("the owner says {owner}, the other side says {other}; the owner's value is kept."),
            Self::Doubles { numbers } => format!("{numbers} carry the key of this request; the oldest is used, close the others."),
            Self::NotVisible { table, number } => format!("{number} in {table} was deleted, or access rules hide it from the bridge."),
            Self::Reopened { state } => format!("the ticket has state {state} again, but a request that has ended is never opened again."),
            Self::Stray { number } => format!("{number} was made in ServiceNow though the request ended without a ticket; close it there."),
            Self::NoteUnsure => "it is not known whether a comment reached the ticket, because its journal cannot be read; it is not sent again.".to_owned(),
            Self::MayExist(why) => format!(
                "{why}. A ticket may have been made: look in ServiceNow for correlation_id with the id of this request before it is asked again."
            ),
            Self::NotUpdated(why) | Self::NotTold(why) | Self::NotRead(why) | Self::Parked(why) => (*why).to_owned(),
        }
    }

    /// Whether `text` is of this kind.
    pub(crate) fn wrote(&self, text: Option<&str>) -> bool {
        text.is_some_and(|text| text.starts_with(self.beginning()))
    }
}

impl From<Attention<'_>> for String {
    fn from(attention: Attention<'_>) -> Self {
        let text = format!("{} {}", attention.beginning(), attention.rest());
        if text.chars().count() <= LONGEST {
            return text;
        }
        text.chars().take(LONGEST - 1).chain(['…']).collect()
    }
}
