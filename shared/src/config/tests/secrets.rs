use secrecy::ExposeSecret as _;

use super::*;

/// Stands in every place where a secret can stand.
const SECRET: &str = "hunter2";

#[test]
fn a_secret_file_is_read_without_its_line_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "s3cret\r\n").unwrap();
    let text = format!(
        "[connections.main]\nbase_url = \"https://acme.service-now.com\"\nauth = \"api_key\"\napi_key_file = {path:?}\n"
    );
    let settings = load(&text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    match settings.connections["main"].credentials().unwrap() {
        Credentials::ApiKey { header, key } => {
            assert_eq!(
                (header.as_str(), key.expose_secret()),
                ("x-sn-apikey", "s3cret")
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn unusable_secret_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty"), "\n").unwrap();
    std::fs::write(folder.path().join("lines"), "hunter2\nhunter3\n").unwrap();
    std::fs::write(folder.path().join("good"), "hunter2").unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let text = format!(
        r#"
[database]
url = "postgres://bridge:hunter2@db.example.com/tickets"
password = "hunter2"
[redis]
password = "hunter2"
password_file = {good:?}
[connections.main]
base_url = "https://acme.service-now.com"
auth = "password"
client_id = "bridge"
client_secret_file = {absent:?}
password_file = {empty:?}
[sources.idm]
callback_url = "https://idm.example.com"
callback_secret_file = {lines:?}
"#,
        good = at("good"),
        absent = at("absent"),
        empty = at("empty"),
        lines = at("lines"),
    );
    let told = told(&text, &[], &[]).replace(&folder.path().display().to_string(), "/run/secrets");
    assert!(!told.contains(SECRET), "{told}");
    insta::assert_snapshot!(told);
}

#[test]
fn no_problem_and_no_debug_output_shows_a_secret() {
    let places = [
        format!("[database]\nurl = \"postgres//x:{SECRET}@db/tickets\""),
        format!("[database]\nurl = \"mysql://x:{SECRET}@db/tickets\""),
        format!("[database]\npassword = \"{SECRET}"),
        format!("[database]\npassword = [\"{SECRET}\"]"),
        format!("[redis]\nurl = \"http://x:{SECRET}@db\""),
        format!("[connections.main]\nbase_url = \"https://x:{SECRET}@acme.service-now.com\""),
        format!("[connections.main]\nclient_secret = {{ value = \"{SECRET}\" }}"),
        format!("[connections.main]\nclient_secert = \"{SECRET}\""),
        format!("[sources.idm]\ncallback_url = \"{SECRET}\"\ncallback_secret = \"{SECRET}\""),
    ];
    for text in places {
        let told = told(&text, &[], &[]);
        assert!(!told.contains(SECRET), "{text}\n{told}");
    }
    let variables = [
        ("TICKETBRIDGE__DATABASE__PASSWORT", SECRET),
        ("TICKETBRIDGE__REDIS__URL", SECRET),
    ];
    let told = told("", &variables, &[]);
    assert!(!told.contains(SECRET), "{told}");

    let good = format!(
        "[database]\nurl = \"postgres://x:{SECRET}@db/tickets\"\n[connections.main]\nbase_url = \"https://a.example.com\"\n\
         auth = \"basic\"\nuser = \"x\"\npassword = \"{SECRET}\""
    );
    let settings = load(&good, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(!format!("{settings:?}").contains(SECRET));
    assert!(!format!("{:?}", settings.connections["main"].credentials()).contains(SECRET));
    assert_eq!(settings.database.shown_url(), "postgres://db/tickets");
    assert!(
        settings
            .database
            .connect_url()
            .expose_secret()
            .contains(SECRET)
    );
}

#[test]
fn each_way_to_log_in_asks_for_its_own_keys() {
    let needed = |auth| {
        let connection = ConnectionSettings {
            auth,
            ..ConnectionSettings::default()
        };
        connection.credentials().unwrap_err()
    };
    assert_eq!(
        needed(Auth::ClientCredentials),
        ["client_id", "client_secret"]
    );
    assert_eq!(needed(Auth::Basic), ["user", "password"]);
    assert_eq!(
        needed(Auth::Password),
        ["client_id", "user", "client_secret", "password"]
    );
    assert_eq!(
        needed(Auth::RefreshToken),
        ["client_id", "client_secret", "refresh_token"]
    );
    assert_eq!(needed(Auth::ApiKey), ["api_key"]);
    let whole = ConnectionSettings {
        client_id: Some("bridge".to_owned()),
        client_secret: Some(SECRET.into()),
        user: Some("svc.bridge".to_owned()),
        password: Some(SECRET.into()),
        refresh_token: Some(SECRET.into()),
        ..ConnectionSettings::default()
    };
    let given = |auth| {
        ConnectionSettings {
            auth,
            ..whole.clone()
        }
        .credentials()
        .unwrap()
    };
    assert!(
        matches!(given(Auth::ClientCredentials), Credentials::ClientCredentials { client_id, .. } if client_id == "bridge")
    );
    assert!(matches!(given(Auth::Basic), Credentials::Basic { user, .. } if user == "svc.bridge"));
    assert!(
        matches!(given(Auth::Password), Credentials::Password { client_id, user, .. } if client_id == "bridge" && user == "svc.bridge")
    );
    assert!(
        matches!(given(Auth::RefreshToken), Credentials::RefreshToken { refresh_token, .. } if refresh_token.expose_secret() == SECRET)
    );
}

#[test]
fn callback_secrets_are_those_of_standard_webhooks() {
    let problem = |secret: &str| {
        let text = format!(
            "[sources.idm]\ncallback_url = \"https://idm.example.com\"\ncallback_secret = \"{secret}\""
        );
        load(&text, &[]).map_or_else(|problems| problems.0[0].problem.clone(), |_| String::new())
    };
    assert_eq!(problem(&format!("whsec_{}", "A".repeat(32))), "");
    assert_eq!(problem(&"A".repeat(32)), "does not start with whsec_");
    assert_eq!(
        problem("whsec_not base64"),
        "what follows whsec_ is not base64"
    );
    assert_eq!(
        problem(&format!("whsec_{}", "A".repeat(28))),
        "21 bytes; 24 to 64 are needed"
    );
    assert_eq!(
        problem(&format!("whsec_{}", "A".repeat(88))),
        "66 bytes; 24 to 64 are needed"
    );
    assert_eq!(problem(""), "not given, but callbacks are always signed");
}
