use super::*;

/// As many mistakes as there are kinds of them.
const BAD: &str = r#"
bridge_name = "Bridge^1"
colour = "red"

[server]
lisetn = "127.0.0.1:1"
listen = "localhost"
body_limit_bytes = "64k"
batch_limit_items = 0
public_url = "ftp://bridge.example.com"

[database]
url = "mysql://bridge:hunter2@db.example.com/tickets"
max_connections = 5000
migrate_at_start = "yes"

[queue]
kind = "reddis"

[redis]
url = "localhost:6379"
sentinel_nodes = ["sentinel-1.example.com"]

[worker]
queues = ["create-tickets", "callback"]
heartbeat_ms = 3000
drain_seconds = 2.5

[retry]
first_wait_ms = 3000000

[callbacks]
schedule_seconds = []

[retention]
requests_days = 30
audit_years = 3

[telemetry]
filter = "info,servicenow_client=loud"
format = "yaml"

[connections.main]
base_url = "http://acme.service-now.com"
auth = "basic"
user = "bridge"
quiet_seconds = 120

[connections.Prod]
client_id = "bridge"
client_secret = 12345

[sources.idm]
callback_url = "https://hook:hunter2@idm.example.com/hooks"
callback_hosts = ["https://idm.example.com"]

[sources.hr]
callback_url = "http://hr.example.com/hooks"
callback_secret = "whsec_c2hvcnQ="

[[routes]]
name = "sap-access"
source = "idn"
category = "application-access"
connection = "mian"
table = "incident"
catalog_item = "0336c34f0a0a0b1100f8c3a5ee4e3f12"

[[routes]]
name = "sap-access"
source = "*"
category = "application-access"
connection = "main"
catalog_item = "laptop"
mastery = "both"

[[routes]]
name = "mail"
category = "application-access"
connection = "main"
table = "Incident"
person = { match = [] }
fields = { short_description = "{{ itm }}", description = 7 }
states_in = { "1" = "opened" }

[[routes]]
source = "hr"
"#;

#[test]
fn every_problem_is_told_at_once_with_its_place_and_its_fix() {
    let environment = [
        ("TICKETBRIDGE__SERVER__REQUEST_TIMEOUT_SECONDS", "soon"),
        ("TICKETBRIDGE__WORKER__LEASES_MS", "9000"),
        ("TICKETBRIDGE__ROUTES__0__NAME", "x"),
        ("PATH", "/usr/bin"),
    ];
    // Without the variable that hides the routes of the file, they are looked at as well.
    insta::assert_snapshot!(
        "all_layers",
        told(BAD, &environment, &[("worker.listen", "everywhere")])
    );
    insta::assert_snapshot!("file", told(BAD, &[], &[]));
}

/// An identity provider with whom nobody could sign in.
const PROVIDER: &str = r#"
[server]
listen = "0.0.0.0:8080"

[console.oidc]
issuer = "http://id.example.com/?tenant=staff"
client_secret = "hunter2"
client_secret_file = "/run/secrets/nowhere"
scopes = ["profile"]
name_claims = []
roles_claim = ""
button = " "

[console.oidc.roles]
operators = ["desk"]
"#;

#[test]
fn an_identity_provider_through_whom_nobody_gets_in_is_told() {
    insta::assert_snapshot!("identity_provider", told(PROVIDER, &[], &[]));
    let no_way_in = "[console]\npassword_login = false\n[console.oidc]\nclient_id = \"bridge\"\n";
    insta::assert_snapshot!("no_way_in", told(no_way_in, &[], &[]));
}

#[test]
fn a_file_that_is_no_toml_or_is_not_there_is_one_problem() {
    insta::assert_snapshot!(
        "no_toml",
        told("[database]\npassword = \"hunter2\nurl = 1\n", &[], &[])
    );
    insta::assert_snapshot!(
        "twice",
        told("[server]\nlisten = \"a\"\nlisten = \"b\"\n", &[], &[])
    );
    let absent = Layers {
        file: Some("/nonexistent/bridge.toml".into()),
        ..Layers::default()
    };
    insta::assert_snapshot!("absent", Settings::load(&absent).unwrap_err().to_string());
}

#[test]
fn what_is_wrong_already_causes_no_further_problem() {
    let problems = load(
        "[server]\nbody_limit_bytes = \"big\"\nbatch_limit_bytes = 2048\n",
        &[],
    )
    .unwrap_err();
    let keys: Vec<&str> = problems
        .0
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(
        keys,
        ["server.batch_limit_bytes", "server.body_limit_bytes"],
        "the limit of a batch is below the default"
    );
    let problems = load(
        "[[routes]]\ncategory = \"a\"\nconnection = \"main\"\ntable = \"incident\"\n",
        &[],
    )
    .unwrap_err();
    let keys: Vec<&str> = problems
        .0
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(keys, ["routes[0].connection", "routes[0].name"]);
}

#[test]
fn an_instance_is_named_by_its_address_alone() {
    let connection = |base_url: &str| {
        format!(
            "[connections.main]\nbase_url = \"{base_url}\"\nauth = \"basic\"\nuser = \"u\"\npassword = \"p\"\n"
        )
    };
    assert!(load(&connection("https://acme.service-now.com/"), &[]).is_ok());
    for wrong in [
        "https://acme.service-now.com/api/now",
        "https://acme.service-now.com/?x=1",
    ] {
        let problems = load(&connection(wrong), &[]).unwrap_err();
        assert_eq!(problems.0[0].key, "connections.main.base_url");
        assert_eq!(problems.0[0].problem, "has a path or a query");
    }
}

#[test]
fn a_day_that_is_none_is_told_and_a_good_one_is_read() {
    let text = |day: &str| {
        format!(
            "[connections.main]\nbase_url = \"https://acme.service-now.com\"\nauth = \"api_key\"\napi_key = \"k\"\n\
             credential_expires_on = {day}\n"
        )
    };
    let problems = load(&text("\"2027-02-30\""), &[]).unwrap_err().0;
    assert_eq!(
        (
            problems[0].key.as_str(),
            problems[0].problem.as_str(),
            problems.len()
        ),
        ("connections.main.credential_expires_on", "is no date", 1)
    );
    for day in ["\"2027-03-31\"", "2027-03-31"] {
        let settings = load(&text(day), &[]).unwrap_or_else(|problems| panic!("{problems}"));
        let known = settings.connections["main"].credential_expires_on;
        assert_eq!(known, "2027-03-31".parse().ok());
    }
}
