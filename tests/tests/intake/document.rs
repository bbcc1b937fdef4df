//! The OpenAPI document, as whole as the API.

use serde_json::Value;
use tests::bridge::Bridge;
use tests::databases::Flavour;

fn document() -> Value {
    serde_json::to_value(scheduler::openapi()).unwrap()
}

#[tokio::test]
async fn the_document_is_served_as_it_is_made() {
    let bridge = Bridge::start(Flavour::Sqlite).await;
    let answer = bridge.stranger().get("/v1/openapi.json").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, document());
}

#[test]
fn every_operation_is_described_whole() {
    let document = document();
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = format!("{method} {path}");
            assert!(
                operation["summary"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{name} has no summary"
            );
            assert!(
                operation["description"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{name} has no description"
            );
            let responses = operation["responses"].as_object().unwrap();
            if operation.get("security").is_some() {
                for status in ["401", "500", "503"] {
                    let content = &responses[status]["content"]["application/problem+json"];
                    assert_eq!(
                        content["schema"]["$ref"], "#/components/schemas/Problem",
                        "{name} {status}"
                    );
                    assert!(
                        content["examples"].is_object(),
                        "{name} {status} has no example"
                    );
                }
            }
            operations += 1;
        }
    }
    assert_eq!(operations, 55);
    assert_eq!(
        document["components"]["securitySchemes"]["token"]["scheme"],
        "bearer"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(
                fields
                    .get("$ref")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            );
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}
