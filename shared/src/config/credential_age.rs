//! How long a credential still lives, as far as that can be known without asking (N13).

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::{Auth, ConnectionSettings, secret};

/// Days left at which somebody should hear of it; 0 when it is over.
const THRESHOLDS: [i32; 5] = [0, 1, 7, 14, 30];

/// When a credential dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialEnd {
    /// The moment.
    pub at: DateTime<Utc>,
    /// `credential_expires_on` says so; otherwise it follows from the age of the refresh token.
    pub is_configured: bool,
}

impl CredentialEnd {
    /// Whole days left; negative once it is over.
    pub fn days_left(self, now: DateTime<Utc>) -> i64 {
        (self.at - now).num_seconds().div_euclid(86_400)
    }

    /// The lowest threshold that the days left have reached, none above 30 days.
    pub fn threshold(self, now: DateTime<Utc>) -> Option<i32> {
        let left = self.days_left(now).max(0);
        let is_over = self.at <= now;
        THRESHOLDS
            .into_iter()
            .find(|threshold| left <= i64::from(*threshold) && (is_over || *threshold > 0))
    }
}

impl ConnectionSettings {
    /// When the credential dies; `None` when nothing tells. A refresh token was issued before it was first seen to work and before
    /// its file was written, so that the real end is not later than this one.
    pub fn credential_end(&self, first_worked_at: Option<DateTime<Utc>>) -> Option<CredentialEnd> {
        let midnight = |day: chrono::NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        if let Some(at) = self.credential_expires_on.map(midnight) {
            let is_configured = true;
            return Some(CredentialEnd { at, is_configured });
        }
        if self.auth != Auth::RefreshToken {
            return None;
        }
        let issued = [first_worked_at, self.refresh_token_written_at()];
        let life = TimeDelta::days(i64::from(self.refresh_token_days));
        issued
            .into_iter()
            .flatten()
            .min()
            .map(|issued| CredentialEnd {
                at: issued + life,
                is_configured: false,
            })
    }

    /// The refresh token as it is in its file now; `None` without a file, or when it holds no usable one.
    pub fn stored_refresh_token(&self) -> Option<SecretString> {
        let file = self.refresh_token_file.as_deref()?;
        secret::read(file).ok()
    }

    fn refresh_token_written_at(&self) -> Option<DateTime<Utc>> {
        let file = self.refresh_token_file.as_deref()?;
        let written = std::fs::metadata(file).and_then(|known| known.modified());
        written.ok().map(DateTime::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn each_threshold_is_reached_once() {
        let now = at("2027-01-01T00:00:00Z");
        let mut reached = Vec::new();
        for hours in (-48..31 * 24 + 2).rev() {
            let end = CredentialEnd {
                at: now + TimeDelta::hours(hours),
                is_configured: false,
            };
            let threshold = (end.threshold(now), hours.div_euclid(24));
            if reached.last().is_none_or(|(last, _)| *last != threshold.0) {
                reached.push(threshold);
            }
        }
        assert_eq!(
            reached,
            [
                (None, 31),
                (Some(30), 30),
                (Some(14), 14),
                (Some(7), 7),
                (Some(1), 1),
                (Some(0), 0)
            ]
        );
    }

    #[test]
    fn a_date_that_is_given_wins_and_the_oldest_sign_of_a_refresh_token_counts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("refresh-token");
        std::fs::write(&file, "r1").unwrap();
        let written = at("2026-11-22T10:00:00Z");
        std::fs::File::options()
            .append(true)
            .open(&file)
            .and_then(|file| file.set_modified(written.into()))
            .unwrap();
        let settings = ConnectionSettings {
            auth: Auth::RefreshToken,
            refresh_token_file: Some(file),
            ..ConnectionSettings::default()
        };
        let end = |settings: &ConnectionSettings, seen| settings.credential_end(seen).unwrap().at;
        assert_eq!(end(&settings, None), written + TimeDelta::days(100));
        let seen = at("2026-11-20T00:00:00Z");
        assert_eq!(end(&settings, Some(seen)), seen + TimeDelta::days(100));
        let later = at("2026-12-24T00:00:00Z");
        assert_eq!(end(&settings, Some(later)), written + TimeDelta::days(100));
        let dated = ConnectionSettings {
            credential_expires_on: "2026-12-31".parse().ok(),
            ..settings.clone()
        };
        assert_eq!(end(&dated, Some(seen)), at("2026-12-31T00:00:00Z"));
        let basic = ConnectionSettings {
            auth: Auth::Basic,
            ..settings
        };
        assert_eq!(basic.credential_end(Some(seen)), None);
    }
}
