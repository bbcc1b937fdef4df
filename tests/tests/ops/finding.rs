//! Lists, searches and exports: jobs, requests, audit entries.

use reqwest::Method;
use serde_json::{Value, json};
use shared::operator::Role;
use shared::store::requests;
use tests::bridge::{Answer, Api};
use tests::copies::copies;
use tests::running::Running;

use super::items;

on_both!(
    jobs_are_found_by_every_filter,
    pages_follow_one_another,
    anything_is_found_by_what_people_have_at_hand,
    viewers_do_not_see_what_people_wrote,
    exports_hold_what_the_filter_says,
    the_audit_trail_is_read_by_every_filter,
    bad_queries_are_told_all_at_once,
    words_that_no_new_request_holds_are_looked_for_further_back,
);

async fn ids(api: &Api, query: &str) -> Vec<Value> {
    let answer = api.get(&format!("/v1/ops/jobs?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    items(&answer.body)
        .iter()
        .map(|it| it["id"].clone())
        .collect()
}

async fn jobs_are_found_by_every_filter(it: &Running) {
    let dead = it.dead_updates(2).await;
    let waiting = it.ask("W-1", "access").await;
    let waiting = it.job(waiting, "create_ticket.v1").await;
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let newest_first: Vec<Value> = dead.iter().rev().map(|id| json!(id)).collect();
    assert_eq!(ids(&vera, "state=dead").await, newest_first);
    assert_eq!(
        ids(&vera, "state=dead&text=NOTHING+SAYS+THIS").await,
        Vec::<Value>::new()
    );
    let class = "refused_jump";
    assert_eq!(
        ids(&vera, &format!("error_class={class}")).await,
        newest_first
    );
    assert_eq!(
        ids(&vera, "state=dead,parked&lane=update-status%40main").await,
        newest_first
    );
    assert_eq!(ids(&vera, "state=rung").await, [json!(waiting.id)]);
    assert_eq!(
        ids(
            &vera,
            &format!("request_id={}", waiting.request_id.unwrap())
        )
        .await,
        [json!(waiting.id)]
    );
    let moment = waiting
        .created_at
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    assert_eq!(
        ids(&vera, &format!("created_after={moment}")).await,
        [json!(waiting.id)]
    );
    assert!(
        !ids(&vera, &format!("created_before={moment}"))
            .await
            .contains(&json!(waiting.id))
    );
    assert_eq!(
        ids(&vera, &format!("state=dead&finished_after={moment}")).await,
        Vec::<Value>::new()
    );
    let all = ids(&vera, "").await;
    assert!(all.len() > 4 && all[0] == json!(waiting.id));
}

async fn pages_follow_one_another(it: &Running) {
    for number in 0..7 {
        it.ask(&format!("P-{number}"), "access").await;
    }
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    for query in ["limit=3", "limit=3&state=rung"] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = vera
                .get(&format!("/v1/ops/jobs?{query}{cursor}"))
                .await
                .body;
            seen.extend(items(&page).iter().map(|it| it["id"].clone()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 7, "{query}");
        assert!(
            seen.is_sorted_by(|a, b| a.as_str() > b.as_str()),
            "newest first"
        );
    }
}

async fn anything_is_found_by_what_people_have_at_hand(it: &Running) {
    let id = it.opened("REQ-2030-0001", "access").await;
    it.advance(std::time::Duration::from_millis(5));
    it.opened("REQ-2030-0002", "access").await;
    let ticket = it.ticket(id).await;
    let job = it.job(id, "create_ticket.v1").await.id;
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let found = async |text: &str| {
        let query: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let answer = vera.get(&format!("/v1/ops/search?q={query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let requests = answer.body["requests"].as_array().unwrap().clone();
        (
            requests
                .iter()
                .map(|it| it["external_id"].clone())
                .collect::<Vec<_>>(),
            answer.body["job"].clone(),
        )
    };
    let first = vec![json!("REQ-2030-0001")];
    for text in [
        id.to_string(),
        ticket.number.unwrap(),
        ticket.sys_id.unwrap(),
        "REQ-2030-0001".to_owned(),
    ] {
        assert_eq!(found(&text).await, (first.clone(), Value::Null), "{text}");
    }
    assert_eq!(found(&job.to_string()).await, (Vec::new(), json!(job)));
    let both = vec![json!("REQ-2030-0002"), json!("REQ-2030-0001")];
    assert_eq!(found("joon.park").await.0, both, "for a person");
    assert_eq!(found("payroll VIEW").await.0, both, "words");
    assert_eq!(found("INC9999999").await.0, Vec::<Value>::new());
}

async fn viewers_do_not_see_what_people_wrote(it: &Running) {
    let id = it.opened("V-1", "access").await;
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let omar = it.bridge.operator("omar", Role::Operator).await;
    let job = it.job(id, "create_ticket.v1").await.id;
    for (api, sees) in [(&vera, false), (&omar, true)] {
        let request = api.get(&format!("/v1/ops/requests/{id}")).await.body;
        assert_eq!(request["justification"].is_string(), sees);
        assert_eq!(request["attributes"].as_object().unwrap().is_empty(), !sees);
        let listed = api.get("/v1/ops/requests").await.body;
        assert_eq!(items(&listed)[0]["justification"].is_string(), sees);
        let job = api.get(&format!("/v1/ops/jobs/{job}")).await.body;
        assert_eq!(job["payload"].is_object(), sees);
    }
    let lines = vera.call(Method::GET, "/v1/ops/jobs/export?format=jsonl");
    let text = lines.send().await.unwrap().text().await.unwrap();
    assert!(text.lines().count() > 0);
    for line in text.lines() {
        let job: Value = serde_json::from_str(line).unwrap();
        assert_eq!(job["payload"], Value::Null);
    }
}

async fn exports_hold_what_the_filter_says(it: &Running) {
    let dead = it.dead_updates(3).await;
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let csv = Answer::of(vera.call(Method::GET, "/v1/ops/jobs/export?state=dead")).await;
    assert_eq!(
        csv.header("content-disposition"),
        "attachment; filename=\"jobs.csv\""
    );
    let text = csv.body.as_str().unwrap();
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("id,kind,state,lane,"));
    let ids: Vec<&str> = lines.filter_map(|line| line.split(',').next()).collect();
    let newest_first: Vec<String> = dead.iter().rev().map(ToString::to_string).collect();
    assert_eq!(ids, newest_first);
    let trail = vera.get("/v1/ops/audit?action=export.made").await.body;
    assert_eq!(items(&trail)[0]["actor"], "operator:vera");
    assert_eq!(
        items(&trail)[0]["detail"]["filter"],
        json!({"state": ["dead"]})
    );
    let audit = Answer::of(vera.call(
        Method::GET,
        "/v1/ops/audit/export?format=csv&subject_kind=export",
    ))
    .await;
    assert_eq!(
        audit.body.as_str().unwrap().lines().count(),
        3,
        "the head, and both exports"
    );
}

async fn the_audit_trail_is_read_by_every_filter(it: &Running) {
    let id = it.opened("A-1", "access").await;
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let actions = async |query: &str| {
        let page = vera.get(&format!("/v1/ops/audit?{query}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        items(&page.body)
            .iter()
            .map(|it| it["action"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let of_request = actions(&format!("subject_kind=request&subject_id={id}")).await;
    assert_eq!(
        of_request.last().unwrap(),
        "request.accepted",
        "newest first"
    );
    assert_eq!(actions("actor=source%3Aidm").await, ["request.accepted"]);
    assert_eq!(
        actions("action=operator.created").await,
        ["operator.created"]
    );
    assert_eq!(
        actions("after=2999-01-01T00%3A00%3A00Z").await,
        Vec::<String>::new()
    );
    let first = vera.get("/v1/ops/audit?limit=1").await.body;
    let next = first["next_cursor"].as_i64().unwrap();
    let second = vera
        .get(&format!("/v1/ops/audit?limit=1&cursor={next}"))
        .await
        .body;
    assert!(items(&second)[0]["id"].as_i64() < items(&first)[0]["id"].as_i64());
    let request = requests::find(it.bridge.store().conn(), id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(request.asked.external_id, "A-1");
}

async fn bad_queries_are_told_all_at_once(it: &Running) {
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    let bad = vera
        .get("/v1/ops/jobs?state=undead&created_after=yesterday&cursor=x&limit=0&kinds=a")
        .await;
    assert_eq!(bad.status, 400);
    insta::assert_json_snapshot!("a_bad_query", bad.body);
    for path in [
        "/v1/ops/jobs/x",
        "/v1/ops/requests/x",
        "/v1/ops/operations/x",
    ] {
        assert_eq!(vera.get(path).await.status, 404, "{path}");
    }
}

async fn words_that_no_new_request_holds_are_looked_for_further_back(it: &Running) {
    it.ask("NEEDLE-1", "access").await;
    it.advance(std::time::Duration::from_mins(1));
    it.ask("HAY-1", "access").await;
    copies(it.bridge.store(), "HAY-1", 49_999).await;
    let vera = it.bridge.operator("vera", Role::Viewer).await;
    for (api, path) in [
        (&vera, "/v1/ops/requests?text=needle"),
        (&it.idm, "/v1/requests?text=needle"),
    ] {
        let page = api.get(path).await.body;
        assert!(
            items(&page).is_empty() && page["looked_back_to"].is_string(),
            "{page}"
        );
        let next = page["next_cursor"].as_str().unwrap();
        let page = api.get(&format!("{path}&cursor={next}")).await.body;
        assert_eq!(items(&page)[0]["external_id"], "NEEDLE-1");
        assert_eq!(
            (&page["next_cursor"], &page["looked_back_to"]),
            (&Value::Null, &Value::Null)
        );
    }
    let mut console = it.bridge.signed_in("omar", Role::Operator).await;
    let page = console.get("/console/requests?text=needle").await;
    assert!(
        page.words().contains("No request matches None down to "),
        "{}",
        page.words()
    );
    let older = page
        .between("rel=\"next\" href=\"", "\"")
        .replace("&amp;", "&");
    let page = console.get(&format!("/console/requests{older}")).await;
    assert!(page.words().contains("NEEDLE-1"), "{}", page.words());
    let search = console.get("/console/search?q=needle").await.words();
    assert!(search.contains("(back to "), "{search}");
}
