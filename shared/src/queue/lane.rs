use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The longest name of a lane, in bytes.
const MAX_LEN: usize = 120;

/// The name of one queue of doorbells, such as `create-ticket@main`: a job kind and the connection it talks to.
///
/// Made of `a-z`, `0-9`, `@`, `.`, `_` and `-`, 1 to 120 bytes, so that it can be part of a Redis key, a metric label and a URL
/// without escaping. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lane(Arc<str>);

impl Lane {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Lane {
    type Err = InvalidLane;

    fn from_str(name: &str) -> Result<Self, InvalidLane> {
        if name.is_empty() || name.len() > MAX_LEN {
            return Err(InvalidLane::Length { got: name.len() });
        }
        match name.chars().find(|&c| !allowed(c)) {
            Some(found) => Err(InvalidLane::Character {
                name: name.to_owned(),
                found,
            }),
            None => Ok(Self(name.into())),
        }
    }
}

fn allowed(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '@' | '.' | '_' | '-')
}

/// Why a text is not the name of a lane.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLane {
    /// Empty or too long.
    #[error("the name of a lane has 1 to {MAX_LEN} bytes, this one has {got}")]
    Length {
        /// Bytes found.
        got: usize,
    },
    /// A character outside the allowed set.
    #[error("the lane `{name}` contains `{found}`; only a-z, 0-9, @, ., _ and - are allowed")]
    Character {
        /// The whole text.
        name: String,
        /// The first character that does not fit.
        found: char,
    },
}

impl TryFrom<String> for Lane {
    type Error = InvalidLane;

    fn try_from(name: String) -> Result<Self, InvalidLane> {
        name.parse()
    }
}

impl From<Lane> for String {
    fn from(lane: Lane) -> Self {
        lane.0.as_ref().to_owned()
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lane({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_read_back_as_written() {
        let lane: Lane = "create-ticket@main.eu_1".parse().unwrap();
        assert_eq!(lane.to_string(), "create-ticket@main.eu_1");
        let json = serde_json::to_string(&lane).unwrap();
        assert_eq!(json, "\"create-ticket@main.eu_1\"");
        assert_eq!(serde_json::from_str::<Lane>(&json).unwrap(), lane);
    }

    #[test]
    fn names_that_would_need_escaping_are_refused() {
        for name in ["Create", "a b", "a:b", "a*", "ä", "a\n", "{a}"] {
            assert!(
                matches!(name.parse::<Lane>(), Err(InvalidLane::Character { .. })),
                "{name:?}"
            );
            assert!(serde_json::from_value::<Lane>(name.into()).is_err());
        }
        assert_eq!("".parse::<Lane>(), Err(InvalidLane::Length { got: 0 }));
        assert_eq!(
            "a".repeat(121).parse::<Lane>(),
            Err(InvalidLane::Length { got: 121 })
        );
    }
}
