//! Files on records (wire contract 5).

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulator::CallFilter;

use crate::client::{ADMIN, Instance, Reply, send};

const BASE: &str = "/api/now/attachment";
const HELLO_SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

async fn incident(instance: &Instance) -> String {
    let made = instance
        .post("incident", json!({"short_description": "x"}))
        .await;
    made.result()["sys_id"].as_str().unwrap().to_owned()
}

async fn upload(instance: &Instance, query: &str, bytes: &'static [u8]) -> Reply {
    let request = instance.request(Method::POST, &format!("{BASE}/file?{query}"));
    send(request.header("Content-Type", "text/plain").body(bytes)).await
}

async fn attached(instance: &Instance, record: &str) -> Value {
    let query = format!("table_name=incident&table_sys_id={record}&file_name=a.txt");
    let reply = upload(instance, &query, b"hello").await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    reply.result()
}

#[tokio::test]
async fn a_file_goes_in_and_comes_out() {
    let instance = Instance::start().await;
    let record = incident(&instance).await;
    let query = format!("table_name=incident&table_sys_id={record}&file_name=a.txt");
    let reply = upload(&instance, &query, b"hello").await;
    let meta = reply.result();
    let id = meta["sys_id"].as_str().unwrap();
    let location = format!("{}{BASE}/{id}/file", instance.sim.base_url());
    assert_eq!(reply.header("location"), Some(location.as_str()));
    assert_eq!(meta["download_link"], location.as_str());
    assert_eq!(meta["hash"], HELLO_SHA256);
    assert_eq!(
        (&meta["size_bytes"], &meta["state"]),
        (&json!("5"), &json!("pending"))
    );
    assert_eq!(meta["created_by_name"], "TicketBridge Integration");
    instance.sim.advance(Duration::from_millis(300));
    let later = instance.get(&format!("{BASE}/{id}")).await.result();
    assert_eq!(later["state"], "available");

    let file = instance.get(&format!("{BASE}/{id}/file")).await;
    assert_eq!(file.text, "hello");
    assert_eq!(file.header("content-type"), Some("text/plain"));
    let shown: Value = serde_json::from_str(file.header("x-attachment-metadata").unwrap()).unwrap();
    assert_eq!(shown["hash"], HELLO_SHA256);
    assert_eq!(
        instance.sim.count(&CallFilter::kind("attachment.download")),
        1
    );
}

#[tokio::test]
async fn the_same_file_twice_is_two_attachments_in_one_list() {
    let instance = Instance::start().await;
    let record = incident(&instance).await;
    attached(&instance, &record).await;
    attached(&instance, &record).await;
    let list = |limit: u8| {
        let query = format!(
            "sysparm_query=table_name=incident^table_sys_id={record}&sysparm_limit={limit}"
        );
        format!("{BASE}?{query}")
    };
    let both = instance.get(&list(10)).await;
    assert_eq!(both.header("x-total-count"), Some("2"));
    assert_eq!(both.result().as_array().unwrap().len(), 2);
    assert_eq!(
        instance
            .get(&list(1))
            .await
            .result()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_form_carries_the_record_before_the_file() {
    let instance = Instance::start().await;
    let record = incident(&instance).await;
    let field = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let file = "--b\r\nContent-Disposition: form-data; name=\"uploadFile\"; filename=\"b.bin\"\r\nContent-Type: application/x-thing\r\n\r\nhello\r\n";
    let fields = format!(
        "{}{}",
        field("table_name", "incident"),
        field("table_sys_id", &record)
    );
    let post = async |body: String, kind: &'static str| {
        let request = instance.request(Method::POST, &format!("{BASE}/upload"));
        send(request.header("Content-Type", kind).body(body)).await
    };
    let kind = "multipart/form-data; boundary=b";
    let made = post(format!("{fields}{file}--b--\r\n"), kind).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let meta = made.result();
    assert_eq!(meta["file_name"], "b.bin");
    assert_eq!(meta["content_type"], "application/x-thing");
    assert_eq!(meta["hash"], HELLO_SHA256);
    let late = post(format!("{file}{fields}--b--\r\n"), kind).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST, "the file comes last");
    assert_eq!(
        post(format!("{fields}--b--\r\n"), kind).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        post("nothing".into(), kind).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        post(fields, "text/plain").await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
}

#[tokio::test]
async fn incomplete_and_misdirected_uploads_are_refused() {
    let instance = Instance::start().await;
    let record = incident(&instance).await;
    for (query, status) in [
        (format!("table_sys_id={record}&file_name=a"), 400),
        ("table_name=incident&file_name=a".to_owned(), 400),
        (format!("table_name=incident&table_sys_id={record}"), 400),
        (
            format!("table_name=no_table&table_sys_id={record}&file_name=a"),
            400,
        ),
        (
            "table_name=incident&table_sys_id=ffff&file_name=a".to_owned(),
            404,
        ),
    ] {
        assert_eq!(
            upload(&instance, &query, b"x").await.status.as_u16(),
            status,
            "{query}"
        );
    }
    let admin = |method: Method, path: &str| instance.as_user(ADMIN, method, path);
    for (name, value) in [
        ("com.glide.attachment.max_size", "0"),
        ("glide.attachment.extensions", "pdf,.doc"),
        ("glide.attachment.role", "no_such_role"),
    ] {
        let known = instance.sim.row("sys_properties", &format!("name={name}"));
        let before = known.as_ref().map(|row| row["value"].clone());
        let id = match known {
            Some(row) => row["sys_id"].clone(),
            None => instance
                .sim
                .insert(None, "sys_properties", &[("name", name)])
                .unwrap(),
        };
        let set = admin(
            Method::PATCH,
            &format!("/api/now/table/sys_properties/{id}"),
        );
        send(set.json(&json!({"value": value}))).await;
        let query = format!("table_name=incident&table_sys_id={record}&file_name=a.txt");
        let refused = upload(&instance, &query, b"x").await;
        assert!(
            matches!(refused.status.as_u16(), 400 | 403),
            "{name}: {}",
            refused.text
        );
        instance
            .sim
            .update(
                None,
                "sys_properties",
                &id,
                &[("value", &before.unwrap_or_default())],
            )
            .unwrap();
    }
    attached(&instance, &record).await;
}

#[tokio::test]
async fn an_attachment_is_renamed_and_deleted() {
    let instance = Instance::start().await;
    let record = incident(&instance).await;
    let id = attached(&instance, &record).await["sys_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("{BASE}/{id}");
    let renamed = send(
        instance
            .request(Method::PATCH, &path)
            .json(&json!({"file_name": "b.txt"})),
    )
    .await;
    assert_eq!((renamed.status.as_u16(), renamed.text.as_str()), (204, ""));
    assert_eq!(instance.get(&path).await.result()["file_name"], "b.txt");
    let nothing = send(
        instance
            .request(Method::PATCH, &path)
            .json(&json!({"hash": "x"})),
    )
    .await;
    assert_eq!(nothing.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        send(instance.request(Method::DELETE, &path)).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        send(instance.request(Method::DELETE, &path)).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(instance.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        instance.get(&format!("{path}/file")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn rights_follow_the_record() {
    let instance = Instance::start().await;
    let record = incident(&instance).await;
    let id = attached(&instance, &record).await["sys_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let least = ("least.privilege", "least-privilege-password");
    let path = format!("{BASE}/{id}/file");
    assert_eq!(
        send(instance.as_user(least, Method::GET, &path))
            .await
            .status,
        StatusCode::NOT_FOUND
    );
    let list = send(instance.as_user(least, Method::GET, BASE)).await;
    assert_eq!(list.result(), json!([]));
    let query = format!("{BASE}/file?table_name=incident&table_sys_id={record}&file_name=x");
    let request = instance.as_user(least, Method::POST, &query);
    let refused = send(request.header("Content-Type", "text/plain").body("x")).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
}
