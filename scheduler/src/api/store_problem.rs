//! What a caller is told when the store fails: never what the database said, that is for the log.

use axum::http::header::RETRY_AFTER;
use shared::store::StoreError;

use super::problem::Problem;
use super::problem_kind::Kind;

const RETRY_AFTER_SECONDS: &str = "5";

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Raced(_) | StoreError::Locked => {
                tracing::warn!(error = %error, "a call was answered 503");
                unavailable("The database cannot be reached just now.")
            }
            StoreError::Full
            | StoreError::ReadOnly
            | StoreError::NotMigrated(_)
            | StoreError::TooNew(_) => {
                tracing::error!(error = %error, "a call was answered 503");
                unavailable(
                    "The database takes no changes just now; whoever runs the bridge finds the reason in its log.",
                )
            }
            other => {
                tracing::error!(error = %other, "a call was answered 500");
                Self::internal()
            }
        }
    }
}

impl Problem {
    /// The answer to a failure of ours, without internals.
    pub(crate) fn internal() -> Self {
        let detail = "The bridge failed on this call; the reason is in its log, under the X-Request-Id of this answer. \
                      Nothing is known to be stored: sending the call again is safe.";
        Self::new(Kind::Internal, detail)
    }
}

fn unavailable(what: &str) -> Problem {
    let detail = format!(
        "{what} Send the call again in {RETRY_AFTER_SECONDS} seconds: a request that was stored after all is not stored twice."
    );
    Problem::new(Kind::DatabaseUnavailable, detail).with_header(RETRY_AFTER, RETRY_AFTER_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internals_stay_inside() {
        let gone = Problem::from(StoreError::Locked);
        let odd = Problem::from(StoreError::Corrupt(
            "requests.asked of 42: secret text".into(),
        ));
        assert_eq!((gone.status, odd.status), (503, 500));
        assert!(!serde_json::to_string(&odd).unwrap().contains("secret"));
        insta::assert_json_snapshot!([gone, odd]);
    }
}
