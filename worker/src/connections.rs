//! The ServiceNow instances this process may call, each with a client of its own (T25).

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use servicenow_client::{Auth, Client, ClientOptions};
use shared::budget::Class;
use shared::clock::SharedClock;
use shared::config::{ConnectionSettings, Credentials, Settings};

use crate::rotation;
use crate::throttle::{ClassThrottle, Gatehouse};

/// The configured connections, by name.
#[derive(Debug)]
pub struct Connections(BTreeMap<String, Connection>);

/// One instance.
#[derive(Debug)]
pub struct Connection {
    /// Its name in the configuration.
    pub name: String,
    /// Its configuration.
    pub settings: ConnectionSettings,
    /// One a class, in order: they share connections and token, and each asks the budget in the name of its class.
    clients: [Client; 4],
}

impl Connections {
    /// Builds the client of every connection of the settings; nothing is called yet.
    pub(crate) fn new(settings: &Settings, house: &Gatehouse) -> anyhow::Result<Self> {
        let build = |(name, settings): (&String, &ConnectionSettings)| {
            let client = client(name, settings, &house.clock)?;
            let connection = Connection {
                name: name.clone(),
                settings: settings.clone(),
                clients: Class::ALL.map(|class| {
                    client.throttled(Arc::new(ClassThrottle {
                        house: house.clone(),
                        connection: name.clone(),
                        class,
                    }))
                }),
            };
            Ok((name.clone(), connection))
        };
        settings
            .connections
            .iter()
            .map(build)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The connection of this name; `None` when it has left the configuration.
    pub fn get(&self, name: &str) -> Option<&Connection> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.0.values()
    }
}

impl Connection {
    /// The client for calls of a class.
    pub(crate) fn client(&self, class: Class) -> &Client {
        &self.clients[class.place()]
    }
}

/// The client of a connection without a say of the budget: for people who look at it themselves.
pub fn client(
    name: &str,
    settings: &ConnectionSettings,
    clock: &SharedClock,
) -> anyhow::Result<Client> {
    build(name, settings, clock).with_context(|| format!("connections.{name} cannot be used"))
}

fn build(name: &str, settings: &ConnectionSettings, clock: &SharedClock) -> anyhow::Result<Client> {
    let base_url = settings.base_url.parse().context("base_url is no URL")?;
    let credentials = settings
        .credentials()
        .map_err(|missing| anyhow::anyhow!("not given: {}", missing.join(", ")))?;
    let clock = Arc::clone(clock);
    let options = ClientOptions {
        allow_http: settings.allow_http,
        connect_timeout: settings.connect_timeout(),
        request_timeout: settings.request_timeout(),
        user_agent: concat!("ticketbridge/", env!("CARGO_PKG_VERSION")).to_owned(),
        pool_max_idle_per_host: settings.max_in_flight,
        now: Arc::new(move || clock.now()),
        trace_context: Some(Arc::new(shared::telemetry::current_traceparent)),
        ..ClientOptions::new(base_url, auth(credentials))
    };
    Ok(Client::new(rotation::kept(name, settings, options))?)
}

fn auth(credentials: Credentials) -> Auth {
    match credentials {
        Credentials::ClientCredentials {
            client_id,
            client_secret,
        } => Auth::ClientCredentials {
            client_id,
            client_secret,
            scope: None,
        },
        Credentials::Basic { user, password } => Auth::Basic { user, password },
        Credentials::Password {
            client_id,
            client_secret,
            user,
            password,
        } => Auth::Password {
            client_id,
            client_secret,
            user,
            password,
        },
        Credentials::RefreshToken {
            client_id,
            client_secret,
            refresh_token,
        } => Auth::RefreshToken {
            client_id,
            client_secret,
            refresh_token,
        },
        Credentials::ApiKey { header, key } => Auth::ApiKey { header, key },
    }
}
