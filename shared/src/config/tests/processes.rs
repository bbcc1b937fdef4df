use super::*;

const MANY: &str = r#"
[database]
url = "postgres://bridge@db.example.com/tickets"
[queue]
kind = "redis"
[connections.main]
base_url = "https://acme.service-now.com"
auth = "api_key"
api_key = "x"
"#;

#[test]
fn what_serves_one_process_is_refused_for_several() {
    let settings = Settings::load(&Layers::default()).unwrap();
    settings.check_for(ProcessKind::All).unwrap();
    let told = settings
        .check_for(ProcessKind::Scheduler)
        .unwrap_err()
        .to_string();
    insta::assert_snapshot!(told);
    assert_eq!(
        settings
            .check_for(ProcessKind::Worker)
            .unwrap_err()
            .to_string(),
        told
    );
    let settings = load(MANY, &[]).unwrap();
    for kind in [
        ProcessKind::All,
        ProcessKind::Scheduler,
        ProcessKind::Worker,
    ] {
        settings.check_for(kind).unwrap();
    }
}

#[test]
fn jobs_at_a_time_fit_into_the_pool_of_postgresql() {
    let pool = ("TICKETBRIDGE__DATABASE__MAX_CONNECTIONS", "1");
    let creates = ("TICKETBRIDGE__WORKER__CREATE_TICKET_CONCURRENCY", "10");
    let settings = load(MANY, &[pool, creates]).unwrap();
    settings.check_for(ProcessKind::Scheduler).unwrap();
    let problems = settings.check_for(ProcessKind::Worker).unwrap_err();
    insta::assert_snapshot!(problems.to_string());
    let queues = (
        "TICKETBRIDGE__WORKER__QUEUES",
        "create-ticket,ticket-status",
    );
    load(MANY, &[pool, creates, queues])
        .unwrap()
        .check_for(ProcessKind::Worker)
        .unwrap();
    let second = MANY.to_owned()
        + "[connections.second]\nbase_url = \"https://b.example.com\"\nauth = \"api_key\"\napi_key = \"x\"\n";
    load(MANY, &[pool])
        .unwrap()
        .check_for(ProcessKind::All)
        .unwrap();
    let problems = load(&second, &[pool])
        .unwrap()
        .check_for(ProcessKind::All)
        .unwrap_err();
    assert!(
        problems.to_string().contains("26 jobs at a time"),
        "{problems}"
    );
}
