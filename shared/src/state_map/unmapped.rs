//! What is said of a value that no map knows, and how it is read again.

use std::fmt;

/// The words each such text begins with.
pub const UNMAPPED: &str = "Unmapped value:";

const BEFORE_ROUTE: &str = "` of the ticket is not in the map of route `";
const AFTER_ROUTE: &str = "`; add it to states_in. The request stays where it is.";

/// A value that no map of a route knows (T9), as the flag of a request tells it behind [`UNMAPPED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unmapped<'a> {
    /// The route.
    pub route: &'a str,
    /// The column.
    pub field: &'a str,
    /// Its value.
    pub value: &'a str,
}

impl<'a> Unmapped<'a> {
    /// From the flag of a request; `None` when it tells of something else, or was cut because the value was too long.
    pub fn read(flag: &'a str) -> Option<Self> {
        let rest = flag.strip_prefix(UNMAPPED)?.strip_prefix(' ')?;
        let rest = rest.strip_suffix(AFTER_ROUTE)?;
        let (seen, route) = rest.rsplit_once(BEFORE_ROUTE)?;
        let (field, value) = seen.split_once(" `")?;
        Some(Self {
            route,
            field,
            value,
        })
    }
}

impl fmt::Display for Unmapped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            route,
            field,
            value,
        } = self;
        write!(f, "{field} `{value}{BEFORE_ROUTE}{route}{AFTER_ROUTE}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_again() {
        for value in ["42", "", "with `ticks`", "of the ticket"] {
            let unmapped = Unmapped {
                route: "access",
                field: "state",
                value,
            };
            let flag = format!("{UNMAPPED} {unmapped}");
            assert_eq!(Unmapped::read(&flag), Some(unmapped));
        }
        assert_eq!(Unmapped::read("Dropped fields: state"), None);
        assert_eq!(Unmapped::read("Unmapped value: state `4242…"), None);
    }
}
