//! What callers are told when something else is broken, and that nothing is lost by it.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::ConnectionTrait as _;
use serde_json::json;
use shared::process::Process;
use shared::queue::{Broker, BrokerError, BrokerHealth, Doorbell, Lane, Popped};
use shared::server;
use tests::bridge::{Bridge, PRESET, asked};
use tests::databases::{Flavour, fresh};
use tests::proxy::Proxy;
use tokio_util::sync::CancellationToken;

use crate::stable;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_is_gone_is_told_and_survived() {
    let (bridge, line) = over_a_line().await;
    let api = bridge.api("idm").await;
    api.create("R1", "application-access").await;
    line.cut();
    let refused = api
        .post("/v1/requests", &asked("R2", "application-access"))
        .await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "5"));
    insta::assert_json_snapshot!("database_gone", stable(&refused.body));
    let batch = api
        .post(
            "/v1/requests:batch",
            &json!({"items": [asked("R3", "application-access")]}),
        )
        .await;
    assert_eq!(
        batch.status, 503,
        "a batch of which nothing is stored is refused as a whole"
    );
    let ready = bridge.stranger().get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.body["checks"][0]["ok"], json!(false));
    assert_eq!(
        bridge.stranger().get("/healthz").await.status,
        200,
        "a restart would not help"
    );
    assert!(scheduler::relay::tick(&bridge.scheduler).await.is_err());

    line.mend();
    assert_eq!(
        api.post("/v1/requests", &asked("R2", "application-access"))
            .await
            .status,
        202
    );
    assert_eq!(bridge.stranger().get("/readyz").await.status, 200);
    assert_eq!(
        api.get("/v1/requests").await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

/// A bridge on PostgreSQL behind a proxy, with a pool that does not wait for long.
async fn over_a_line() -> (Bridge, Proxy) {
    let database = fresh(Flavour::Postgres).await;
    let (store, line) = database.over_a_line().await;
    (Bridge::over(database, store, PRESET).await, line)
}

#[tokio::test]
async fn a_database_without_tables_is_not_ready() {
    let bridge = Bridge::start(Flavour::Sqlite).await;
    bridge
        .store()
        .conn()
        .execute_unprepared("DELETE FROM seaql_migrations")
        .await
        .unwrap();
    let ready = bridge.stranger().get("/readyz").await;
    assert_eq!(ready.status, 503);
    let problem = ready.body["checks"][1]["problem"].as_str().unwrap();
    assert!(problem.ends_with("run `ticketbridge migrate`"), "{problem}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_what_to_do() {
    let first = scheduler::bind("127.0.0.1:0").await.unwrap();
    let address = first.local_addr().unwrap().to_string();
    let error = scheduler::bind(&address).await.unwrap_err().to_string();
    assert_eq!(
        error.replace(&address, "<address>"),
        "<address> is in use by another program; stop that program, or set server.listen to another port (find it with `ss -ltnp`)"
    );
    let error = scheduler::bind("no address").await.unwrap_err().to_string();
    assert!(error.contains("set server.listen"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_scheduler_process_does_everything_by_itself_and_stops_cleanly() {
    let bridge = Bridge::start(Flavour::Sqlite).await;
    let mut process = Process::new();
    let listener = scheduler::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let own = scheduler::Scheduler::new(
        bridge.store().clone(),
        bridge.broker.clone(),
        Arc::clone(&bridge.scheduler.routes),
        Arc::clone(&bridge.scheduler.settings),
        Arc::new(shared::clock::SystemClock),
        process.stop_token(),
    );
    scheduler::start(&Arc::new(own), listener, &mut process).unwrap();
    let api = bridge.api("idm").await.at(&url);
    let stop = process.stop_token();
    let calls = async {
        assert_eq!(
            api.post("/v1/requests", &asked("R1", "application-access"))
                .await
                .status,
            202
        );
        assert_eq!(api.get("/readyz").await.status, 200);
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(
        process.run(std::future::pending(), Duration::from_secs(30)),
        calls
    );
    ended.unwrap();
}

/// Redis in the state in which it accepts connections and answers nothing.
struct Hanging;

#[async_trait::async_trait]
impl Broker for Hanging {
    async fn push(&self, _: &Lane, _: &[Doorbell]) -> Result<(), BrokerError> {
        std::future::pending().await
    }

    async fn pop(&self, _: &[Lane], _: usize, _: Duration) -> Result<Vec<Popped>, BrokerError> {
        std::future::pending().await
    }

    async fn push_front(&self, _: &Lane, _: &[Doorbell]) -> Result<(), BrokerError> {
        std::future::pending().await
    }

    async fn depth(&self, _: &[Lane]) -> Result<Vec<(Lane, u64)>, BrokerError> {
        std::future::pending().await
    }

    async fn health(&self) -> Result<BrokerHealth, BrokerError> {
        Err(BrokerError::Slow {
            server: "redis.example.com:6379".to_owned(),
            after: Duration::from_secs(5),
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_broker_that_hangs_keeps_no_caller_waiting_and_loses_nothing() {
    let bridge = Bridge::start(Flavour::Sqlite).await;
    let listener = scheduler::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let hanging = Arc::new(scheduler::Scheduler::new(
        bridge.store().clone(),
        Arc::new(Hanging),
        Arc::clone(&bridge.scheduler.routes),
        Arc::clone(&bridge.scheduler.settings),
        bridge.clock.clone(),
        stop.clone(),
    ));
    let limits = hanging
        .settings
        .server
        .limits(hanging.settings.worker.drain());
    let serving = server::serve(listener, scheduler::router(hanging), limits, stop);
    let calls = async {
        let api = bridge.api("idm").await.at(&url);
        let request = asked("R1", "application-access");
        let sent = api.post("/v1/requests", &request);
        let taken = tokio::time::timeout(Duration::from_secs(3), sent).await;
        assert_eq!(taken.expect("the call waits for the broker").status, 202);
        let ready = api.get("/readyz").await;
        assert_eq!(ready.status, 200, "requests can be taken in all the same");
        let broker = ready.body["checks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["name"] == "broker");
        assert_eq!(broker.unwrap()["ok"], false);
    };
    tokio::select! {
        () = serving => panic!("the server ended"),
        () = calls => {}
    }
    let stored = bridge.api("idm").await.get("/v1/requests").await;
    assert_eq!(
        stored.body["items"].as_array().map(Vec::len),
        Some(1),
        "what was answered with 202 is stored"
    );
}
