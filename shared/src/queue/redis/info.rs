use std::collections::HashMap;

use crate::queue::{BrokerError, BrokerHealth};

/// The answer to `INFO`: lines `name:value`, sections beginning with `#`.
pub(super) struct ServerInfo<'a>(HashMap<&'a str, &'a str>);

impl<'a> ServerInfo<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        Self(
            text.lines()
                .filter_map(|line| line.trim_end().split_once(':'))
                .collect(),
        )
    }

    /// Whether our commands work on this server at all.
    pub(super) fn fits(&self, server: &str) -> Result<(), BrokerError> {
        if self.field("cluster_enabled") == "1" {
            return Err(BrokerError::ClusterMode {
                server: server.to_owned(),
            });
        }
        let version = self.field("redis_version");
        let major = version
            .split('.')
            .next()
            .and_then(|m| m.parse::<u32>().ok());
        if major.is_none_or(|major| major < 7) {
            return Err(BrokerError::TooOld {
                server: server.to_owned(),
                version: version.to_owned(),
            });
        }
        Ok(())
    }

    /// Whether this server is set up so that it keeps what it is given.
    pub(super) fn health(&self, server: &str) -> Result<BrokerHealth, BrokerError> {
        self.fits(server)?;
        let policy = self.field("maxmemory_policy");
        if policy != "noeviction" {
            return Err(BrokerError::Evicts {
                server: server.to_owned(),
                policy: policy.to_owned(),
            });
        }
        Ok(BrokerHealth::Redis {
            version: self.field("redis_version").to_owned(),
            maxmemory_policy: policy.to_owned(),
            append_only: self.field("aof_enabled") == "1",
        })
    }

    fn field(&self, name: &str) -> &'a str {
        self.0.get(name).copied().unwrap_or("unknown")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(version: &str, cluster: &str, policy: &str) -> String {
        format!(
            "# Server\r\nredis_version:{version}\r\nos:Linux\r\n\r\n# Memory\r\nmaxmemory_policy:{policy}\r\n\
             # Persistence\r\naof_enabled:1\r\n# Cluster\r\ncluster_enabled:{cluster}\r\n"
        )
    }

    fn health(text: &str) -> Result<BrokerHealth, BrokerError> {
        ServerInfo::parse(text).health("queue:6379")
    }

    #[test]
    fn a_server_that_fits_is_described() {
        assert_eq!(
            health(&info("7.0.15", "0", "noeviction")).unwrap(),
            BrokerHealth::Redis {
                version: "7.0.15".into(),
                maxmemory_policy: "noeviction".into(),
                append_only: true,
            }
        );
        assert!(health(&info("8.2.1", "0", "noeviction")).is_ok());
    }

    #[test]
    fn every_refusal_names_the_fix() {
        let refusals = [
            info("6.2.14", "0", "noeviction"),
            info("7.2.4", "1", "noeviction"),
            info("7.2.4", "0", "allkeys-lru"),
            "no answer to INFO".to_owned(),
        ]
        .map(|text| health(&text).unwrap_err().to_string());
        insta::assert_snapshot!(refusals.join("\n"));
    }
}
