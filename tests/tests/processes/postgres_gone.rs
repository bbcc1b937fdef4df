//! The database holds the truth: without it nothing is promised, and nothing promised is lost.

use std::net::SocketAddr;

use reqwest::Method;
use tests::binary::Home;
use tests::proxy::Proxy;
use tests::redis_server::RedisServer;
use url::Url;

use crate::{Installation, asked, until};

#[test]
fn a_database_that_refuses_the_connection_ends_the_start_and_keeps_its_password() {
    let home = Home::with(
        "[queue]\nkind = \"redis\"\n[database]\nurl = \"postgres://bridge:fictional-password@127.0.0.1:1/bridge\"\n",
    );
    for process in ["scheduler", "worker", "migrate", "token list"] {
        let ended = home.run(process).with_code(5);
        assert!(
            ended.stderr.contains("127.0.0.1:1/bridge"),
            "{process} {ended}"
        );
        assert!(
            ended.stderr.to_lowercase().contains("connection refused"),
            "{process} {ended}"
        );
        assert!(
            !format!("{ended}").contains("fictional-password"),
            "{process} {ended}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_and_comes_back_stops_no_process_and_loses_no_request() {
    let redis = RedisServer::start();
    let mut proxy = None;
    let it = Installation::with(&redis.url(), |toml| {
        let (start, rest) = toml.split_once("postgres://").expect("a PostgreSQL URL");
        let (rest, end) = rest.split_once('"').expect("the end of the value");
        let mut url = Url::parse(&format!("postgres://{rest}")).expect("a URL");
        let server = format!(
            "{}:{}",
            url.host_str().expect("a host"),
            url.port().unwrap_or(5432)
        );
        let line = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(Proxy::to(server))
        });
        let SocketAddr::V4(address) = line.address() else {
            panic!("a proxy listens on IPv4")
        };
        url.set_host(Some(&address.ip().to_string()))
            .expect("a host");
        url.set_port(Some(address.port())).expect("a port");
        proxy = Some(line);
        format!("{start}{url}\"{end}")
    })
    .await;
    let proxy = proxy.expect("it was made");
    let (scheduler, worker) = (it.scheduler(), it.worker());
    for number in 0..5 {
        it.ask(&scheduler, &format!("R-{number}"), "access").await;
    }
    proxy.cut();
    let url = format!("{}/v1/requests", scheduler.url);
    until("the scheduler says that the database is gone", async || {
        let body = asked("R-refused", "access");
        let (status, problem) = it.call(Method::POST, &url, Some(&body)).await;
        // Whatever was answered 202 before must not be lost, so the same request is sent again below.
        (status == 503).then_some(problem)
    })
    .await;
    assert!(scheduler.process.is_running());
    assert!(worker.is_running());

    proxy.mend();
    until("the scheduler takes requests again", async || {
        let body = asked("R-refused", "access");
        let (status, _) = it.call(Method::POST, &url, Some(&body)).await;
        (status == 202 || status == 200).then_some(())
    })
    .await;
    let requests = it.until_each_has_its_ticket(&scheduler, 6).await;
    it.assert_one_ticket_each(&requests);
    worker.stop().with_code(0);
    scheduler.process.stop().with_code(0);
}
