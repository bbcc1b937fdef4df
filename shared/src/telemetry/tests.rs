use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tracing::{dispatcher::with_default, info, info_span, warn};

use super::*;

/// What was logged.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn json(&self) -> Vec<Value> {
        self.text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn settings(format: LogFormat, filter: &str) -> TelemetrySettings {
    TelemetrySettings {
        format,
        filter: filter.to_owned(),
        otlp_endpoint: String::new(),
    }
}

/// Runs `body` under the subscriber of these settings, and gives what it logged.
fn logged(settings: &TelemetrySettings, body: impl FnOnce()) -> Captured {
    let captured = Captured::default();
    let writer = captured.clone();
    let (dispatch, _provider) = build(settings, false, move || writer.clone()).unwrap();
    with_default(&dispatch, body);
    captured
}

#[test]
fn one_trace_id_links_intake_job_and_call_without_any_exporter() {
    let logged = logged(&settings(LogFormat::Auto, "info"), || {
        let stored = info_span!("intake", source = "idm").in_scope(|| {
            info!("taken in");
            current_traceparent()
        });
        // Another process, later: only the stored text is left.
        let job = info_span!("job", kind = "create_ticket.v1");
        continue_trace(&job, stored.as_deref());
        job.in_scope(|| {
            info_span!("call", method = "POST").in_scope(|| info!(status = 201, "answered"));
        });
    });
    let lines = logged.json();
    assert_eq!(lines.len(), 2);
    let ids: Vec<&str> = lines
        .iter()
        .map(|line| line["trace.id"].as_str().unwrap())
        .collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[0].len(), 32);
    let times = lines.iter().map(|line| line["timestamp"].as_str().unwrap());
    let shown = times.fold(logged.text().replace(ids[0], "(trace)"), |text, time| {
        text.replace(time, "(time)")
    });
    insta::assert_snapshot!(shown);
}

#[test]
fn ids_do_not_depend_on_how_much_is_logged() {
    let lines = logged(&settings(LogFormat::Json, "warn"), || {
        info_span!("intake").in_scope(|| {
            info!("not wanted");
            let traceparent = current_traceparent().unwrap();
            warn!(traceparent, "wanted");
        });
        warn!("outside of any span");
        assert_eq!(current_traceparent(), None);
    })
    .json();
    assert_eq!(lines.len(), 2);
    let traceparent: Vec<&str> = lines[0]["traceparent"]
        .as_str()
        .unwrap()
        .split('-')
        .collect();
    assert_eq!(
        traceparent[..2],
        ["00", lines[0]["trace.id"].as_str().unwrap()]
    );
    assert_eq!(
        (traceparent[2].len(), traceparent[3]),
        (16, "00"),
        "not sampled: nothing is exported"
    );
    assert_eq!(lines[1].get("trace.id"), None);
}

#[test]
fn a_traceparent_that_cannot_be_read_begins_a_new_trace() {
    logged(&settings(LogFormat::Json, "info"), || {
        for odd in [
            "",
            "00-zz-1-01",
            "00-00000000000000000000000000000000-0000000000000000-00",
            "hello",
        ] {
            let span = info_span!("job");
            continue_trace(&span, Some(odd));
            assert!(span.in_scope(current_traceparent).is_some(), "{odd}");
        }
        let span = info_span!("job");
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        continue_trace(&span, Some(given));
        let own = span.in_scope(current_traceparent).unwrap();
        assert_eq!(own[..36], given[..36]);
        assert_ne!(own[36..52], given[36..52], "the span has an id of its own");
    });
}

#[test]
fn the_pretty_line_carries_the_trace_id_too() {
    let text = logged(&settings(LogFormat::Pretty, "info"), || {
        info_span!("intake", source = "idm").in_scope(|| info!("taken in"));
        info!("started");
    })
    .text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    let (line, id) = lines[0].split_once(" trace.id=").unwrap();
    assert!(
        line.ends_with("intake{source=\"idm\"}: shared::telemetry::tests: taken in"),
        "{line}"
    );
    assert_eq!(id.len(), 32);
    assert!(
        lines[1].ends_with("INFO shared::telemetry::tests: started"),
        "{}",
        lines[1]
    );
}

#[test]
fn automatic_is_pretty_on_a_terminal() {
    let captured = Captured::default();
    let writer = captured.clone();
    let (dispatch, _provider) = build(&settings(LogFormat::Auto, "info"), true, move || {
        writer.clone()
    })
    .unwrap();
    with_default(&dispatch, || info!("started"));
    assert!(
        captured.text().contains("\u{1b}["),
        "coloured: {}",
        captured.text()
    );
}

#[test]
fn metrics_are_described_and_rendered() {
    let installed = Metrics::install().unwrap();
    let metrics = Metrics::install().unwrap();
    ::metrics::counter!(names::JOBS_TOTAL, "kind" => "create_ticket.v1", "outcome" => "done")
        .increment(2);
    ::metrics::histogram!(names::SERVICENOW_CALL_SECONDS, "connection" => "main").record(0.3);
    let text = metrics.render();
    for line in [
        "# HELP ticketbridge_jobs_total Runs of jobs that ended",
        "ticketbridge_jobs_total{kind=\"create_ticket.v1\",outcome=\"done\"} 2",
        "ticketbridge_servicenow_call_seconds_bucket{connection=\"main\",le=\"0.25\"} 0",
        "ticketbridge_servicenow_call_seconds_bucket{connection=\"main\",le=\"0.5\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    assert_eq!(installed.render(), text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_are_sent_to_the_collector_before_the_process_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let otlp_endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let settings = TelemetrySettings {
        otlp_endpoint,
        ..settings(LogFormat::Json, "off")
    };
    let (dispatch, provider) = build(&settings, false, io::sink).unwrap();
    let traceparent = with_default(&dispatch, || {
        info_span!("fictional intake").in_scope(current_traceparent)
    })
    .unwrap();
    assert!(traceparent.ends_with("-01"), "sampled: {traceparent}");

    let (request, ()) = tokio::join!(received(listener), Guard { provider }.finish());
    let head = String::from_utf8_lossy(&request);
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(
        head.to_lowercase()
            .contains("content-type: application/x-protobuf"),
        "{head}"
    );
    assert!(
        request.windows(16).any(|part| part == b"fictional intake"),
        "{head}"
    );
}

/// One request, answered 200.
async fn received(listener: TcpListener) -> Vec<u8> {
    let (mut peer, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    loop {
        peer.read_buf(&mut request).await.unwrap();
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let Some((head, _)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.lines().next())
            .unwrap();
        if request.len() >= head.len() + 4 + length.parse::<usize>().unwrap() {
            break;
        }
    }
    peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .await
        .unwrap();
    request
}

/// The database driver asks whether a statement would be logged without logging it. That must not hide the next span.
#[test]
fn a_question_about_a_level_hides_no_span() {
    use tracing::{
        Level, callsite, callsite::Callsite as _, dispatcher::get_default, metadata::Kind,
    };
    let asked = callsite! { name: "asked", kind: Kind::EVENT, level: Level::DEBUG, fields: };
    let lines = logged(&settings(LogFormat::Json, "info"), || {
        for attempt in 0..3 {
            get_default(|dispatch| dispatch.enabled(asked.metadata()));
            info_span!("job", attempt).in_scope(|| info!("job ended"));
        }
    })
    .json();
    for (attempt, line) in lines.iter().enumerate() {
        assert_eq!(line["attempt"], attempt, "{line}");
        assert!(line["trace.id"].is_string(), "{line}");
    }
    assert_eq!(lines.len(), 3);
}
