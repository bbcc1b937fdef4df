//! Ordering, and finding an order again.

use servicenow_client::{
    Error, Fields, FoundOrder, GarbageKind, InvalidKind, Order, UntrustworthyReason,
};

use crate::responder::{Responder, json, json_with};

fn order() -> Order {
    Order {
        quantity: 1,
        requested_for: Some("62826b".to_owned()),
        variables: Fields::new()
            .with("access_role", "reader")
            .with("bridge_ref", "tb-1"),
    }
}

#[tokio::test]
async fn an_order_names_its_request() {
    let body = r#"{"result":{"sys_id":"req1","number":"REQ0010012","request_number":"REQ0010012","request_id":"req1","parent_id":null,"parent_table":"task","table":"sc_request"}}"#;
    let responder = Responder::always(json(200, body));
    let ordered = responder
        .client()
        .catalog()
        .order_now("item1", &order())
        .await
        .expect("an order")
        .value;
    assert_eq!(ordered.request_sys_id, "req1");
    assert_eq!(ordered.request_number, "REQ0010012");
    let seen = &responder.seen()[0];
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        ("POST", "/api/sn_sc/servicecatalog/items/item1/order_now")
    );
    let sent: serde_json::Value = serde_json::from_str(&seen.body).expect("JSON");
    assert_eq!(
        sent,
        serde_json::json!({
            "sysparm_quantity": "1", "sysparm_requested_for": "62826b",
            "variables": {"access_role": "reader", "bridge_ref": "tb-1"},
        })
    );
}

#[tokio::test]
async fn an_order_that_is_refused_was_not_made() {
    let body = r#"{"error":{"message":"Mandatory Variables are required","detail":""},"status":"failure"}"#;
    let responder = Responder::always(json(400, body));
    let error = responder
        .client()
        .catalog()
        .order_now("item1", &order())
        .await
        .expect_err("an error");
    assert!(matches!(
        error,
        Error::Invalid {
            kind: InvalidKind::Request,
            ..
        }
    ));
    assert!(error.is_definitely_not_executed());
}

#[tokio::test]
async fn an_order_without_a_name_is_in_doubt() {
    for body in [
        r#"{"result":{}}"#,
        r#"{"result":{"request_id":"req1","request_number":""}}"#,
        r#"{"result":[]}"#,
    ] {
        let responder = Responder::always(json(200, body));
        let error = responder
            .client()
            .catalog()
            .order_now("item1", &order())
            .await
            .expect_err("an error");
        assert!(
            matches!(
                error,
                Error::Garbage {
                    kind: GarbageKind::WrongShape,
                    ..
                }
            ),
            "{body}"
        );
        assert!(error.may_have_committed());
    }
}

#[tokio::test]
async fn an_item_shows_its_variables() {
    let body = r#"{"result":{"sys_id":"item1","name":"Ledger access","type":"catalog_item","variables":[{"name":"access_role","type":5,"mandatory":true}]}}"#;
    let responder = Responder::always(json(200, body));
    let item = responder
        .client()
        .catalog()
        .item("item1")
        .await
        .expect("an item")
        .value;
    assert_eq!(item.name, "Ledger access");
    assert!(item.variables[0].mandatory);
    assert_eq!(
        responder.seen()[0].path,
        "/api/sn_sc/servicecatalog/items/item1"
    );
}

#[tokio::test]
async fn the_items_of_a_request_are_listed_and_checked() {
    let mine = r#"{"result":[{"sys_id":"ritm1","request":"req1","state":"1"}]}"#;
    let responder = Responder::always(json(200, mine));
    let rows = responder
        .client()
        .catalog()
        .items_of_request("req1")
        .await
        .expect("rows")
        .value;
    assert_eq!(rows[0].sys_id(), Some("ritm1"));
    let query = responder.seen()[0].param("sysparm_query");
    assert_eq!(query.as_deref(), Some("request=req1^ORDERBYsys_id"));

    let other = r#"{"result":[{"sys_id":"ritm9","request":"req9","state":"1"}]}"#;
    let responder = Responder::always(json(200, other));
    let error = responder
        .client()
        .catalog()
        .items_of_request("req1")
        .await
        .expect_err("an error");
    assert_eq!(error.class_name(), "untrustworthy");
}

#[tokio::test]
async fn an_order_is_found_by_the_token_it_carries() {
    let row = |value: &str| {
        format!(
            r#"{{"request_item":"ritm1","request_item.request":"req1","request_item.request.number":"REQ0010012","sc_item_option.item_option_new.name":"bridge_ref","sc_item_option.value":"{value}"}}"#
        )
    };
    let found = FoundOrder {
        request_sys_id: "req1".to_owned(),
        request_number: Some("REQ0010012".to_owned()),
        item_sys_id: Some("ritm1".to_owned()),
    };
    // The same option can be linked twice.
    let responder = Responder::always(json(200, &format!("{{\"result\":[{0},{0}]}}", row("tb-1"))));
    let orders = responder
        .client()
        .catalog()
        .find_orders_by_variable("bridge_ref", "tb-1")
        .await;
    assert_eq!(orders.expect("orders").value, [found]);
    let seen = &responder.seen()[0];
    assert_eq!(seen.path, "/api/now/table/sc_item_option_mtom");
    assert_eq!(
        seen.param("sysparm_query").as_deref(),
        Some("sc_item_option.item_option_new.name=bridge_ref^sc_item_option.value=tb-1")
    );

    let responder = Responder::always(json(200, &format!("{{\"result\":[{}]}}", row("tb-2"))));
    let error = responder
        .client()
        .catalog()
        .find_orders_by_variable("bridge_ref", "tb-1")
        .await
        .expect_err("an error");
    assert!(matches!(
        error,
        Error::Untrustworthy {
            reason: UntrustworthyReason::FilterIgnored { .. },
            ..
        }
    ));

    let responder = Responder::always(json_with(
        200,
        &[("X-Total-Count", "5000")],
        r#"{"result":[]}"#,
    ));
    let error = responder
        .client()
        .catalog()
        .find_orders_by_variable("bridge_ref", "tb-1")
        .await
        .expect_err("an error");
    assert!(matches!(
        error,
        Error::Untrustworthy {
            reason: UntrustworthyReason::TooManyRows,
            ..
        }
    ));
}

#[tokio::test]
async fn an_order_is_found_by_its_instructions() {
    let body = r#"{"result":[{"sys_id":"req1","number":"REQ0010012","special_instructions":"Please. [ref:tb-1]"}]}"#;
    let responder = Responder::always(json(200, body));
    let orders = responder
        .client()
        .catalog()
        .find_orders_by_instructions("[ref:tb-1]")
        .await
        .expect("orders")
        .value;
    assert_eq!(orders[0].request_sys_id, "req1");
    assert_eq!(orders[0].item_sys_id, None);
    let responder = Responder::always(json(200, r#"{"result":[]}"#));
    let none = responder
        .client()
        .catalog()
        .find_orders_by_instructions("[ref:tb-1]")
        .await
        .expect("orders");
    assert!(none.value.is_empty());
}
