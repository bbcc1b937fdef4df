use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The version this program writes and the only one it reads.
const VERSION: u64 = 1;

/// "Look at this job." Carries no data of the job: whoever hears it reads the row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Doorbell {
    /// The id of the job's row.
    pub job: Uuid,
    /// The versioned kind, such as `create_ticket.v1`, for logs and metrics before the row is read.
    pub kind: String,
    /// W3C trace context of whatever caused the job, so that one trace spans the queue.
    pub traceparent: Option<String>,
}

impl Doorbell {
    /// The wire form: one line of JSON, `{"v":1,"job":"…","kind":"…","traceparent":"…"}`; `traceparent` is left out when absent.
    pub fn encode(&self) -> String {
        let wire = WireOut {
            v: VERSION,
            job: self.job,
            kind: &self.kind,
            traceparent: self.traceparent.as_deref(),
        };
        serde_json::to_string(&wire).unwrap_or_else(|error| {
            // Strings, an integer and a UUID always have a JSON form; serde_json can only fail on maps with odd keys.
            unreachable!("a doorbell has a JSON form: {error}")
        })
    }

    /// Reads the wire form. Fields this version does not know are ignored, another version is not.
    pub fn decode(wire: &[u8]) -> Result<Self, BadDoorbell> {
        let envelope: Envelope = serde_json::from_slice(wire)?;
        if envelope.v != VERSION {
            return Err(BadDoorbell::Version { found: envelope.v });
        }
        let body: WireIn = serde_json::from_slice(wire)?;
        Ok(Self {
            job: body.job,
            kind: body.kind,
            traceparent: body.traceparent,
        })
    }
}

/// Why an element of a lane is not a doorbell. SQL still holds the job, so such an element is dropped and counted.
#[derive(Debug, thiserror::Error)]
pub enum BadDoorbell {
    /// Written by another version of this program. Old workers meet it during a rolling upgrade.
    #[error(
        "the doorbell has version {found}, this program reads version {VERSION}; finish the upgrade of all processes"
    )]
    Version {
        /// The version found.
        found: u64,
    },
    /// Not the JSON form of a doorbell: something else writes to this key.
    #[error("not a doorbell: {0}")]
    Malformed(#[from] serde_json::Error),
}

#[derive(Serialize)]
struct WireOut<'a> {
    v: u64,
    job: Uuid,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
}

#[derive(Deserialize)]
struct Envelope {
    v: u64,
}

#[derive(Deserialize)]
struct WireIn {
    job: Uuid,
    kind: String,
    #[serde(default)]
    traceparent: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_doorbell_survives_the_wire(job: u128, kind: String, traceparent: Option<String>) {
            let bell = Doorbell { job: Uuid::from_u128(job), kind, traceparent };
            let wire = bell.encode();
            prop_assert!(!wire.contains('\n'));
            prop_assert_eq!(Doorbell::decode(wire.as_bytes()).unwrap(), bell);
        }

        #[test]
        fn no_bytes_make_decode_panic(bytes: Vec<u8>) {
            // Random bytes are never the JSON object with three right fields.
            prop_assert!(Doorbell::decode(&bytes).is_err());
        }
    }

    #[test]
    fn the_wire_form_is_stable() {
        let bell = Doorbell {
            job: Uuid::from_u128(0x0192_f0c1_7a00_7000_8000_0000_0000_0001),
            kind: "create_ticket.v1".into(),
            traceparent: None,
        };
        assert_eq!(
            bell.encode(),
            r#"{"v":1,"job":"0192f0c1-7a00-7000-8000-000000000001","kind":"create_ticket.v1"}"#
        );
    }

    #[test]
    fn another_version_says_so() {
        let error = Doorbell::decode(br#"{"v":2,"work":"abc"}"#).unwrap_err();
        assert!(matches!(error, BadDoorbell::Version { found: 2 }));
        assert!(error.to_string().contains("version 2"), "{error}");
    }

    #[test]
    fn what_is_not_a_doorbell_is_malformed() {
        for wire in [
            "",
            "{}",
            "null",
            "hello",
            r#"{"v":1}"#,
            r#"{"v":1,"job":"x","kind":"k"}"#,
            r#"{"v":"1"}"#,
        ] {
            let error = Doorbell::decode(wire.as_bytes()).unwrap_err();
            assert!(
                matches!(error, BadDoorbell::Malformed(_)),
                "{wire}: {error}"
            );
        }
    }
}
