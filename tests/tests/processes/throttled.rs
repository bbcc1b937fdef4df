//! A budget that is spent: a worker that starts then says so, keeps quiet, and works when the time has come.

use serde_json::{Value, json};
use simulator::{CallFilter, Fault};
use tests::binary::Running;
use tests::redis_server::RedisServer;

use crate::{Installation, address, until};

/// What the instance asks for.
const SECONDS: i64 = 12;

/// A worker that answers over HTTP, and where.
fn worker(it: &Installation) -> (Running, String) {
    let process = it.worker();
    let url = format!("http://{}", address(&process.logged("the worker answers")));
    (process, url)
}

async fn readiness(it: &Installation, url: &str) -> Value {
    let ready = it.http.get(format!("{url}/readyz")).send().await;
    let ready = ready.expect("the worker answers");
    assert_eq!(ready.status(), 200, "it is no fault of the worker");
    ready.json().await.expect("it answers with JSON")
}

/// Until when the worker says that nobody calls.
fn throttled_until(ready: &Value) -> Option<i64> {
    let throttled = ready["throttled"].as_array().expect("a list");
    let connection = throttled.first()?;
    assert_eq!(connection["connection"], "main", "{ready}");
    assert_eq!(
        connection["reason"],
        "a rate-limit rule of the instance was hit"
    );
    let until = connection["until"].as_str().expect("a time");
    let until: chrono::DateTime<chrono::Utc> = until.parse().expect("a time");
    Some(until.timestamp())
}

/// The value of a gauge of the connection.
async fn gauge(it: &Installation, url: &str, name: &str) -> Option<f64> {
    let metrics = it.http.get(format!("{url}/metrics")).send().await;
    let text = metrics.expect("the worker answers").text().await;
    let start = format!("ticketbridge_{name}{{connection=\"main\"}} ");
    let text = text.expect("it answers with text");
    let value = text.lines().find_map(|line| line.strip_prefix(&start))?;
    Some(value.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_starts_while_the_budget_is_spent_waits_and_says_until_when() {
    let redis = RedisServer::start();
    let it = Installation::with(&redis.url(), |toml| {
        toml.replace(
            "lease_ms = 3000",
            "lease_ms = 3000\nlisten = \"127.0.0.1:0\"",
        )
    })
    .await;
    let refused = json!({"canned": {
        "status": 429, "headers": {"Retry-After": SECONDS.to_string()}, "body": "",
    }});
    let spent = Fault {
        method: Some("POST".to_owned()),
        path: Some("/api/now/".to_owned()),
        times: Some(1),
        set: refused.as_object().expect("an object").clone(),
        ..Fault::default()
    };
    it.simulator.add_fault(spent).expect("these knobs exist");
    let scheduler = it.scheduler();
    let (first, url) = worker(&it);
    assert_eq!(readiness(&it, &url).await["throttled"], json!([]));
    it.ask(&scheduler, "R-1", "access").await;
    let until_when = until("the worker knows", async || {
        throttled_until(&readiness(&it, &url).await)
    })
    .await;
    // In words, too, and of the scheduler and the command as well: degraded, which is ready.
    let ready = readiness(&it, &url).await;
    assert_eq!(ready["status"], "degraded", "{ready}");
    let status = ready["degraded"][0]["status"].as_str().expect("words");
    assert!(status.starts_with("throttled until "), "{ready}");
    until("the scheduler says so", async || {
        let ready = readiness(&it, &scheduler.url).await;
        (ready["status"] == "degraded").then_some(())
    })
    .await;
    let health = format!("health --url {url}/readyz");
    let told = it.home.run(&health).with_code(0).stdout;
    assert!(
        told.starts_with("ready, degraded: main throttled until "),
        "{told}"
    );
    first.kill();

    // Another one, which has never called the instance: it knows from Redis.
    let quiet = it.simulator.count(&CallFilter::default());
    let (second, url) = worker(&it);
    let told = second.logged("the connection is not called until then");
    assert!(told.to_string().contains("\"until\":"), "{told}");
    let known = until("the new worker knows", async || {
        throttled_until(&readiness(&it, &url).await)
    })
    .await;
    assert_eq!(known, until_when);
    let shown = until("a scrape shows it", async || {
        let until = gauge(&it, &url, "throttled_until_seconds").await?;
        (until > 0.0).then_some(until)
    })
    .await;
    assert_eq!(format!("{shown:.0}"), until_when.to_string());
    assert_eq!(gauge(&it, &url, "in_flight").await, Some(0.0));
    assert_eq!(gauge(&it, &url, "in_flight_limit").await, Some(4.0));
    until("its time has come", async || {
        let calls = it.simulator.count(&CallFilter::default());
        let throttled = throttled_until(&readiness(&it, &url).await);
        if throttled.is_some() {
            assert_eq!(calls, quiet, "nothing is sent meanwhile");
        }
        throttled.is_none().then_some(())
    })
    .await;

    let requests = it.until_each_has_its_ticket(&scheduler, 1).await;
    it.assert_one_ticket_each(&requests);
    let creates = it
        .simulator
        .calls(&CallFilter::kind_on("table.create", "incident"));
    let [refused, made] = creates.as_slice() else {
        panic!("{creates:#?}");
    };
    assert_eq!((refused.status, made.status), (Some(429), Some(201)));
    let waited = made.at - refused.at;
    assert!(waited.num_seconds() >= SECONDS, "{waited}");
    until("a scrape shows that it is over", async || {
        let until = gauge(&it, &url, "throttled_until_seconds").await?;
        (until == 0.0).then_some(())
    })
    .await;
    second.logged("the connection is called again");
    second.stop().with_code(0);
    scheduler.process.stop().with_code(0);
}
