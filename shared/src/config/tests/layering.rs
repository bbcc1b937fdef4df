use super::*;

const FILE: &str = r#"
[server]
listen = "0.0.0.0:80"
body_limit_bytes = 2048
[worker]
queues = ["callback"]
[connections.main]
base_url = "https://acme.service-now.com"
auth = "api_key"
api_key = "from the file"
poll_seconds = 45
"#;

#[test]
fn later_layers_win_key_by_key() {
    let (path, _folder) = file(FILE);
    let layers = Layers {
        preset: Some("[server]\nlisten = \"0.0.0.0:70\"\nbatch_limit_items = 7\n".to_owned()),
        file: Some(path),
        environment: pairs(&[
            ("TICKETBRIDGE__SERVER__LISTEN", "0.0.0.0:90"),
            ("TICKETBRIDGE__SERVER__REQUEST_TIMEOUT_SECONDS", " 7 "),
            ("TICKETBRIDGE__CONNECTIONS__MAIN__POLL_SECONDS", "46"),
        ]),
        overrides: pairs(&[("server.listen", "0.0.0.0:100")]),
    };
    let settings = Settings::load(&layers).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(settings.server.listen, "0.0.0.0:100");
    assert_eq!(settings.server.request_timeout_seconds, 7);
    assert_eq!(settings.server.body_limit_bytes, 2048);
    assert_eq!(settings.server.batch_limit_items, 7);
    assert_eq!(settings.server.batch_limit_bytes, 4_194_304);
    assert_eq!(settings.connections["main"].poll_seconds, 46);
    assert_eq!(
        settings.connections["main"].base_url,
        "https://acme.service-now.com"
    );
}

#[test]
fn text_becomes_what_the_key_wants() {
    let environment = [
        ("TICKETBRIDGE__DATABASE__MIGRATE_AT_START", "false"),
        ("TICKETBRIDGE__WORKER__QUEUES", "create-ticket, callback"),
        ("TICKETBRIDGE__CALLBACKS__SCHEDULE_SECONDS", "1,2,3"),
        ("TICKETBRIDGE__REDIS__PASSWORD", "12345"),
        ("TICKETBRIDGE__SOURCES__HR__CALLBACK_URL", ""),
    ];
    let settings = load(FILE, &environment).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(!settings.database.migrate_at_start);
    assert_eq!(settings.worker.queues, ["create-ticket", "callback"]);
    assert_eq!(settings.callbacks.schedule_seconds, [1, 2, 3]);
    assert!(settings.redis.password.is_some());
    assert!(settings.sources.contains_key("hr"));
}

#[test]
fn an_empty_list_clears_the_list_of_the_file() {
    let settings = load(FILE, &[("TICKETBRIDGE__WORKER__QUEUES", "")]).unwrap();
    assert_eq!(settings.worker.queues, Vec::<String>::new());
}

#[test]
fn a_problem_names_the_layer_it_comes_from() {
    let problems = load(FILE, &[("TICKETBRIDGE__SERVER__LISTEN", "x")]).unwrap_err();
    assert_eq!(problems.0[0].at, "TICKETBRIDGE__SERVER__LISTEN");
    let overrides = pairs(&[("server.listen", "x")]);
    let problems = Settings::load(&Layers {
        overrides,
        ..Layers::default()
    })
    .unwrap_err();
    assert_eq!(problems.0[0].at, "command line");
    let preset = Some("[server]\nlisten = \"x\"".to_owned());
    let problems = Settings::load(&Layers {
        preset,
        ..Layers::default()
    })
    .unwrap_err();
    assert_eq!(problems.0[0].at, "built in");
}
