//! The version of a request as an entity tag, and the headers that speak of it (RFC 9110, 8.8.3 and 13.1.1).

use axum::http::HeaderMap;
use axum::http::header::IF_MATCH;

use super::problem::Problem;
use super::problem_kind::Kind;

/// The ETag of a version: `"7"`.
pub(crate) fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// What a caller wants the version to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Whatever it is.
    Any,
    /// One of these.
    OneOf(Vec<String>),
}

impl IfMatch {
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut tags = Vec::new();
        for value in headers.get_all(IF_MATCH) {
            let text = value
                .to_str()
                .map_err(|_| malformed("bytes that are no text"))?;
            for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                let quoted = tag.strip_prefix("W/").unwrap_or(tag);
                if tag != "*"
                    && !(quoted.len() >= 2 && quoted.starts_with('"') && quoted.ends_with('"'))
                {
                    return Err(malformed(tag));
                }
                tags.push(tag.to_owned());
            }
        }
        if tags.is_empty() || tags.iter().any(|tag| tag == "*") {
            return Ok(Self::Any);
        }
        Ok(Self::OneOf(tags))
    }

    /// Refuses a version that the caller did not name. Weak tags never match: the comparison is the strong one.
    pub(crate) fn check(&self, version: i64) -> Result<(), Problem> {
        let now = etag(version);
        match self {
            Self::OneOf(tags) if !tags.contains(&now) => {
                let detail = format!(
                    "The request is at version {now}, the call was made for {}. Read it again, decide again, and send \
                     its ETag in If-Match.",
                    tags.join(", ")
                );
                Err(Problem::new(Kind::VersionMismatch, detail))
            }
            _ => Ok(()),
        }
    }
}

fn malformed(tag: &str) -> Problem {
    let detail = format!(
        "If-Match holds `{}`; send the ETag of the request as it was read, with its quotes: If-Match: \"3\".",
        super::fields::shown(tag)
    );
    Problem::new(Kind::BadHeader, detail)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(value: &'static str) -> Result<IfMatch, Problem> {
        let mut headers = HeaderMap::new();
        headers.append(IF_MATCH, HeaderValue::from_static(value));
        IfMatch::read(&headers)
    }

    #[test]
    fn versions_that_were_named_pass() {
        assert_eq!(IfMatch::read(&HeaderMap::new()).unwrap().check(3), Ok(()));
        assert_eq!(read("*").unwrap().check(3), Ok(()));
        assert_eq!(read("\"2\", \"3\"").unwrap().check(3), Ok(()));
    }

    #[test]
    fn others_are_told_the_version() {
        insta::assert_json_snapshot!([
            read("\"2\"").unwrap().check(3).unwrap_err(),
            read("W/\"3\"").unwrap().check(3).unwrap_err(),
            read("3").unwrap_err(),
        ]);
    }
}
