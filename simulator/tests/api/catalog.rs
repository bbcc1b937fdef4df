//! Ordering from the catalog and what becomes of an order (wire contract 3.8 and 4).

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulator::{AgentAction, CallFilter, Fault, Knobs, Options, RowMap};

use crate::client::{Instance, Reply, send};

const BASE: &str = "/api/sn_sc/servicecatalog";
const FERN: (&str, &str) = ("fern.example", "fern-example-password");

impl Instance {
    async fn catalog(&self, method: Method, path: &str, body: Value) -> Reply {
        send(self.request(method, &format!("{BASE}{path}")).json(&body)).await
    }

    async fn catalog_get(&self, path: &str) -> Reply {
        self.get(&format!("{BASE}{path}")).await
    }

    fn id_of(&self, table: &str, query: &str) -> String {
        self.sim.row(table, query).unwrap()["sys_id"].clone()
    }

    fn item(&self, name: &str) -> String {
        self.id_of("sc_cat_item", &format!("name={name}"))
    }

    async fn order(&self, item: &str, body: Value) -> Reply {
        let id = self.item(item);
        self.catalog(Method::POST, &format!("/items/{id}/order_now"), body)
            .await
    }

    /// Orders application access; gives the request's id.
    async fn ordered(&self) -> String {
        let body = json!({"sysparm_quantity": "1", "variables": {"access_role": "reader", "justification": "Audit"}});
        let reply = self.order("Application access", body).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        reply.result()["sys_id"].as_str().unwrap().to_owned()
    }

    fn by_request(&self, table: &str, request: &str) -> Vec<RowMap> {
        self.sim.rows(table, &format!("request={request}"))
    }

    fn request_row(&self, request: &str) -> RowMap {
        self.sim
            .row("sc_request", &format!("sys_id={request}"))
            .unwrap()
    }

    fn act(&self, ticket: &str, action: &AgentAction) {
        self.sim.agent("tomas.agent", ticket, action).unwrap();
    }
}

fn flow_ran(instance: &Instance) {
    instance.sim.advance(Duration::from_millis(300));
}

#[tokio::test]
async fn an_order_names_its_request_only_and_makes_item_variables_and_task() {
    let instance = Instance::start().await;
    let fern = instance.id_of("sys_user", "user_name=fern.example");
    let reply = instance
        .order(
            "Application access",
            json!({"sysparm_quantity": 1, "sysparm_requested_for": fern, "special_instructions": "ref-77",
                "variables": {"access_role": "reader", "justification": "Audit", "bridge_ref": "r-1", "no_such": "x"}}),
        )
        .await;
    assert_eq!(reply.status, StatusCode::OK);
    let result = reply.result();
    let request = result["request_id"].as_str().unwrap();
    assert_eq!(result["table"], "sc_request");
    assert_eq!(result["number"], "REQ0010001");
    assert_eq!(result["request_number"], result["number"]);
    assert!(
        result.get("items").is_none(),
        "the item has to be looked up"
    );

    let row = instance.request_row(request);
    assert_eq!(row["requested_for"], fern);
    assert_eq!(row["special_instructions"], "ref-77");
    assert_eq!(row["request_state"], "requested");
    assert_eq!(row["sys_created_by"], "ticketbridge.integration");
    let items = instance.by_request("sc_req_item", request);
    let [item] = items.as_slice() else {
        panic!("{items:?}")
    };
    assert_eq!(item["stage"], "waiting_for_approval");
    assert_eq!(item["quantity"], "1");
    assert!(
        instance.by_request("sc_task", request).is_empty(),
        "tasks come later"
    );

    let variables = instance
        .list(
            "sc_item_option_mtom",
            &format!("request_item={}", item["sys_id"]),
            &[(
                "sysparm_fields",
                "sc_item_option.item_option_new.name,sc_item_option.value",
            )],
        )
        .await
        .result();
    let mut pairs: Vec<(&str, &str)> = variables
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["sc_item_option.item_option_new.name"].as_str().unwrap(),
                row["sc_item_option.value"].as_str().unwrap(),
            )
        })
        .collect();
    pairs.sort_unstable();
    assert_eq!(
        pairs,
        [
            ("access_role", "reader"),
            ("bridge_ref", "r-1"),
            ("justification", "Audit")
        ]
    );
    let by_token = instance
        .list(
            "sc_item_option_mtom",
            "sc_item_option.item_option_new.name=bridge_ref^sc_item_option.value=r-1",
            &[("sysparm_fields", "request_item.request")],
        )
        .await;
    assert_eq!(
        by_token.result()[0]["request_item.request"]["value"],
        request
    );

    instance.sim.advance(Duration::from_millis(299));
    assert!(instance.by_request("sc_task", request).is_empty());
    instance.sim.advance(Duration::from_millis(1));
    let tasks = instance.by_request("sc_task", request);
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0]["request_item"], item["sys_id"]);
    assert!(tasks[0]["number"].starts_with("SCTASK"));
    let item = &instance.by_request("sc_req_item", request)[0];
    assert_eq!(
        (&*item["stage"], &*item["approval"]),
        ("fulfillment", "approved")
    );
    assert_eq!(instance.request_row(request)["request_state"], "in_process");
}

#[tokio::test]
async fn ordering_twice_is_two_orders_and_both_are_logged() {
    let instance = Instance::start().await;
    let (first, second) = (instance.ordered().await, instance.ordered().await);
    assert_ne!(first, second);
    assert_eq!(
        instance.sim.count(&CallFilter::kind("catalog.order_now")),
        2
    );
    assert_eq!(instance.sim.rows("sc_request", "").len(), 2);
}

#[tokio::test]
async fn the_documented_causes_of_400() {
    let instance = Instance::start().await;
    let full = json!({"access_role": "reader", "justification": "x"});
    let cases = [
        (
            "Application access",
            json!({"variables": full}),
            "Invalid quantity value",
        ),
        (
            "Application access",
            json!({"sysparm_quantity": "0", "variables": full}),
            "Invalid quantity value",
        ),
        (
            "Application access",
            json!({"sysparm_quantity": "two", "variables": full}),
            "Invalid quantity value",
        ),
        (
            "Application access",
            json!({"sysparm_quantity": "1"}),
            "Mandatory Variables are required",
        ),
        (
            "Team share",
            json!({"sysparm_quantity": "1", "variables": {"terms": "false"}}),
            "Mandatory Variables are required",
        ),
        (
            "Fax line",
            json!({"sysparm_quantity": "1"}),
            "Security constraints prevent ordering of Item",
        ),
        (
            "Administrator account",
            json!({"sysparm_quantity": "1"}),
            "Security constraints prevent ordering of Item",
        ),
        (
            "Report an incident",
            json!({"sysparm_quantity": "1"}),
            "Security constraints prevent ordering of Item",
        ),
        (
            "New colleague",
            json!({"sysparm_quantity": "1"}),
            "Security constraints prevent ordering of Item",
        ),
        (
            "Application access",
            json!({"sysparm_quantity": "1", "sysparm_requested_for": "nobody", "variables": full}),
            "Invalid requested for user",
        ),
        (
            "Application access",
            json!({"sysparm_quantity": "1", "sysparm_also_request_for": "x", "variables": full}),
            "Invalid value for sysparm_also_request_for",
        ),
    ];
    for (item, body, message) in cases {
        let reply = instance.order(item, body.clone()).await;
        assert_eq!(
            (reply.status.as_u16(), reply.error().0.as_str()),
            (400, message),
            "{item} {body}"
        );
    }
    let unknown = instance
        .catalog(
            Method::POST,
            "/items/ffff/order_now",
            json!({"sysparm_quantity": "1"}),
        )
        .await;
    assert_eq!(
        unknown.error().0,
        "Security constraints prevent ordering of Item"
    );
    let item = instance.item("Application access");
    let broken = instance
        .request(Method::POST, &format!("{BASE}/items/{item}/order_now"))
        .header("Content-Type", "application/json")
        .body("{'a'");
    assert_eq!(send(broken).await.status, StatusCode::BAD_REQUEST);
    assert!(
        instance.sim.rows("sc_request", "").is_empty(),
        "nothing was ordered"
    );
}

#[tokio::test]
async fn one_order_for_several_people_has_an_item_each() {
    let instance = Instance::start().await;
    let user = |name: &str| instance.id_of("sys_user", &format!("user_name={name}"));
    let (fern, otto) = (user("fern.example"), user("otto.sample"));
    let others = format!("{otto},{}", user("mira.specimen"));
    let body = |others: &str| json!({"sysparm_quantity": "2", "sysparm_requested_for": fern, "sysparm_also_request_for": others, "variables": {"terms": "true"}});
    let refused = instance
        .order("Team share", body(&format!("{otto},nobody")))
        .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "all or nobody");
    let request = instance.order("Team share", body(&others)).await.result()["sys_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let items = instance.by_request("sc_req_item", &request);
    assert_eq!(items.len(), 3);
    assert!(items.iter().all(|item| item["quantity"] == "2"));
    assert_eq!(instance.request_row(&request)["requested_for"], fern);
}

#[tokio::test]
async fn closing_the_tasks_rolls_up_to_item_and_request() {
    for (state, item_state, request_state) in [
        ("3", "3", "closed_complete"),
        ("4", "4", "closed_incomplete"),
        ("7", "7", "closed_skipped"),
    ] {
        let instance = Instance::start().await;
        let request = instance.ordered().await;
        flow_ran(&instance);
        let item = instance.by_request("sc_req_item", &request)[0]["sys_id"].clone();
        instance
            .sim
            .insert(
                None,
                "sc_task",
                &[("request_item", &item), ("request", &request)],
            )
            .unwrap();
        let tasks = instance.by_request("sc_task", &request);
        let close = |task: &RowMap| {
            let id = task["sys_id"].clone();
            let instance = &instance;
            async move {
                instance
                    .patch("sc_task", &id, json!({"state": state}))
                    .await
            }
        };
        close(&tasks[0]).await;
        assert_eq!(
            instance.by_request("sc_req_item", &request)[0]["state"],
            "1",
            "one task is still open"
        );
        close(&tasks[1]).await;
        let item = &instance.by_request("sc_req_item", &request)[0];
        let row = instance.request_row(&request);
        assert_eq!((&*item["state"], &*item["active"]), (item_state, "false"));
        assert_eq!(row["request_state"], request_state);
        assert_eq!(row["active"], "false");
    }
}

#[tokio::test]
async fn a_rejected_item_closes_with_its_tasks_and_its_request() {
    let instance = Instance::start().await;
    let request = instance.ordered().await;
    flow_ran(&instance);
    let number = instance.by_request("sc_req_item", &request)[0]["number"].clone();
    instance.act(
        &number,
        &AgentAction::Reject {
            comment: Some("Not entitled".into()),
        },
    );
    let item = &instance.by_request("sc_req_item", &request)[0];
    assert_eq!(
        (
            &*item["state"],
            &*item["approval"],
            &*item["stage"],
            &*item["active"]
        ),
        ("4", "rejected", "Request Cancelled", "false")
    );
    assert_eq!(instance.by_request("sc_task", &request)[0]["state"], "4");
    assert_eq!(
        instance.request_row(&request)["request_state"],
        "closed_rejected"
    );
}

#[tokio::test]
async fn a_rejection_before_the_flow_leaves_no_task_behind() {
    let instance = Instance::start().await;
    let request = instance.ordered().await;
    let item = instance.by_request("sc_req_item", &request)[0]["sys_id"].clone();
    let rejected = instance
        .patch("sc_req_item", &item, json!({"approval": "rejected"}))
        .await;
    assert_eq!(rejected.result()["state"], "4");
    flow_ran(&instance);
    assert!(instance.by_request("sc_task", &request).is_empty());
}

#[tokio::test]
async fn an_approvers_verdict_reaches_the_item() {
    let instance = Instance::start().await;
    let request = instance.ordered().await;
    let item = instance.by_request("sc_req_item", &request)[0]["sys_id"].clone();
    let ask = |state: &str| {
        let values = [("sysapproval", item.as_str()), ("state", state)];
        instance
            .sim
            .insert(None, "sysapproval_approver", &values)
            .unwrap()
    };
    let (first, second) = (ask("requested"), ask("requested"));
    let decide = async |id: &str, state: &str| {
        instance
            .patch("sysapproval_approver", id, json!({"state": state}))
            .await;
        instance.by_request("sc_req_item", &request)[0]["approval"].clone()
    };
    assert_eq!(decide(&first, "approved").await, "requested");
    assert_eq!(decide(&second, "approved").await, "approved");
    assert_eq!(decide(&first, "rejected").await, "rejected");
    assert_eq!(instance.request_row(&request)["active"], "false");
}

#[tokio::test]
async fn a_rejected_request_rejects_its_items() {
    let instance = Instance::start().await;
    let request = instance.ordered().await;
    instance
        .sim
        .agent(
            "tomas.agent",
            &request,
            &AgentAction::Reject { comment: None },
        )
        .unwrap();
    let item = &instance.by_request("sc_req_item", &request)[0];
    assert_eq!((&*item["approval"], &*item["state"]), ("rejected", "4"));
    assert_eq!(
        instance.request_row(&request)["request_state"],
        "closed_rejected"
    );
}

#[tokio::test]
async fn everybody_may_order_and_sees_the_own_order() {
    let instance = Instance::with(Options {
        knobs: Knobs {
            basic_restriction: simulator::BasicRestriction::Off,
            ..Knobs::default()
        },
        ..Options::for_tests()
    })
    .await;
    let item = instance.item("Standard laptop");
    let order = instance
        .as_user(
            FERN,
            Method::POST,
            &format!("{BASE}/v1/items/{item}/order_now"),
        )
        .json(&json!({"sysparm_quantity": "1"}));
    let wrong_place = send(order).await;
    assert_eq!(
        wrong_place.status,
        StatusCode::BAD_REQUEST,
        "the version comes after the namespace"
    );
    let order = instance
        .as_user(
            FERN,
            Method::POST,
            &format!("/api/sn_sc/v1/servicecatalog/items/{item}/order_now"),
        )
        .json(&json!({"sysparm_quantity": "1"}));
    assert_eq!(send(order).await.status, StatusCode::OK);
    let own = instance.as_user(FERN, Method::GET, "/api/now/table/sc_request");
    let own = send(own).await.result();
    assert_eq!(own[0]["price"], "1200.00");
    let fern = instance.id_of("sys_user", "user_name=fern.example");
    assert_eq!(own[0]["opened_by"]["value"], fern);
}

#[tokio::test]
async fn an_order_can_commit_unseen() {
    let instance = Instance::start().await;
    let drop = json!({"connection_drop": {"when": "after_commit"}});
    instance
        .sim
        .add_fault(Fault {
            path: Some(BASE.into()),
            times: Some(1),
            set: drop.as_object().cloned().unwrap(),
            ..Fault::default()
        })
        .unwrap();
    let item = instance.item("Standard laptop");
    let lost = instance
        .request(Method::POST, &format!("{BASE}/items/{item}/order_now"))
        .json(&json!({"sysparm_quantity": "1"}))
        .send()
        .await;
    assert!(lost.is_err());
    assert_eq!(instance.sim.rows("sc_request", "").len(), 1);
}

#[tokio::test]
async fn items_are_listed_searched_and_shown_with_their_variables() {
    let instance = Instance::start().await;
    let names = async |query: &str| -> Vec<String> {
        let items = instance
            .catalog_get(&format!("/items?{query}"))
            .await
            .result();
        let items = items.as_array().unwrap().iter();
        items
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names("").await,
        [
            "Application access",
            "New colleague",
            "Report an incident",
            "Standard laptop",
            "Team share"
        ],
        "neither inactive items nor those of other roles"
    );
    assert_eq!(names("sysparm_text=LAPTOP").await, ["Standard laptop"]);
    assert_eq!(
        names("sysparm_limit=1&sysparm_offset=1").await,
        ["New colleague"]
    );
    assert_eq!(
        names("sysparm_type=Record Producer").await,
        ["Report an incident"]
    );
    let access = instance.id_of("sc_category", "title=Access");
    assert_eq!(
        names(&format!("sysparm_category={access}")).await,
        ["Application access", "Team share"]
    );

    let laptop = instance.item("Standard laptop");
    let item = instance
        .catalog_get(&format!("/items/{laptop}"))
        .await
        .result();
    assert_eq!(item["price"], "$1,200.00");
    assert_eq!(item["show_price"], true);
    assert_eq!(item["order"], 0);
    assert_eq!(item["catalogs"][0]["title"], "Service Catalog");
    assert_eq!(item["variables"][2]["type"], 5);
    assert_eq!(
        item["variables"][2]["choices"][1],
        json!({"label": "UK", "value": "uk", "index": 1})
    );
    let variables = instance
        .catalog_get(&format!("/items/{laptop}/variables"))
        .await
        .result();
    assert_eq!(variables, item["variables"]);
    let missing = instance.catalog_get("/items/nonsense").await;
    assert_eq!(missing.status, StatusCode::BAD_REQUEST);
    let label = instance
        .catalog(
            Method::POST,
            &format!(
                "/variables/{}/display_value",
                item["variables"][2]["id"].as_str().unwrap()
            ),
            json!({"value": "uk"}),
        )
        .await;
    assert_eq!(label.result(), "UK");
}

#[tokio::test]
async fn catalogs_and_categories() {
    let instance = Instance::start().await;
    let catalogs = instance.catalog_get("/catalogs").await.result();
    assert_eq!(catalogs[0]["has_items"], true);
    let id = catalogs[0]["sys_id"].as_str().unwrap();
    let one = instance
        .catalog_get(&format!("/catalogs/{id}"))
        .await
        .result();
    assert_eq!(one["categories"][0]["title"], "Access");
    let categories = instance
        .catalog_get(&format!(
            "/catalogs/{id}/categories?sysparm_top_level_only=true"
        ))
        .await
        .result();
    assert_eq!(categories[2]["title"], "Help");
    let hardware = categories[1]["sys_id"].as_str().unwrap();
    let category = instance
        .catalog_get(&format!("/categories/{hardware}"))
        .await
        .result();
    assert_eq!(category["count"], 2);
    assert_eq!(
        instance.catalog_get("/categories/x").await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        instance.catalog_get("/catalogs/x").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn the_cart_belongs_to_the_user_and_becomes_one_order() {
    let instance = Instance::start().await;
    let laptop = instance.item("Standard laptop");
    let add = json!({"sysparm_quantity": "2", "variables": {"keyboard": "uk"}});
    let cart = instance
        .catalog(
            Method::POST,
            &format!("/items/{laptop}/add_to_cart"),
            add.clone(),
        )
        .await
        .result();
    assert_eq!(cart["subtotal"], "$2,400.00");
    let cart = instance
        .catalog(Method::POST, &format!("/items/{laptop}/add_to_cart"), add)
        .await
        .result();
    assert_eq!(
        cart["items"].as_array().unwrap().len(),
        2,
        "calls of one user mix"
    );
    let admins = instance.as_user(crate::client::ADMIN, Method::GET, &format!("{BASE}/cart"));
    assert_eq!(send(admins).await.result()["items"], json!([]));

    let (first, second) = (
        cart["items"][0]["cart_item_id"].as_str().unwrap(),
        cart["items"][1]["cart_item_id"].as_str().unwrap(),
    );
    let removed = instance
        .catalog(Method::DELETE, &format!("/cart/{first}"), json!({}))
        .await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    let again = instance
        .catalog(Method::DELETE, &format!("/cart/{first}"), json!({}))
        .await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    let changed = instance
        .catalog(
            Method::PUT,
            &format!("/cart/{second}"),
            json!({"sysparm_quantity": "3", "variables": {"keyboard": "us"}}),
        )
        .await
        .result();
    assert_eq!(changed["items"][0]["quantity"], "3");

    let placed = instance
        .catalog(
            Method::POST,
            "/cart/submit_order",
            json!({"special_instructions": "Leave at the desk"}),
        )
        .await
        .result();
    let request = placed["request_id"].as_str().unwrap();
    assert_eq!(
        instance.request_row(request)["special_instructions"],
        "Leave at the desk"
    );
    let items = instance.by_request("sc_req_item", request);
    assert_eq!((items.len(), &*items[0]["quantity"]), (1, "3"));
    let option = instance.sim.rows("sc_item_option", "value=us");
    assert_eq!(option.len(), 1, "the cart's own options are gone");
    let empty = instance
        .catalog(Method::POST, "/cart/submit_order", json!({}))
        .await;
    assert_eq!(empty.status, StatusCode::BAD_REQUEST);
    let other = instance
        .catalog(Method::DELETE, "/cart/x/empty", json!({}))
        .await;
    assert_eq!(other.status, StatusCode::BAD_REQUEST);
    let cart = changed["cart_id"].as_str().unwrap();
    let emptied = instance
        .catalog(Method::DELETE, &format!("/cart/{cart}/empty"), json!({}))
        .await;
    assert_eq!(emptied.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_record_producer_makes_its_row() {
    let instance = Instance::start().await;
    let producer = instance.item("Report an incident");
    let submit = async |id: &str, variables: Value| {
        instance
            .catalog(
                Method::POST,
                &format!("/items/{id}/submit_producer"),
                json!({"variables": variables}),
            )
            .await
    };
    let made = submit(
        &producer,
        json!({"short_description": "Screen is dark", "urgency": "1", "state": "7"}),
    )
    .await
    .result();
    let row = instance
        .sim
        .row(
            "incident",
            &format!("sys_id={}", made["sys_id"].as_str().unwrap()),
        )
        .unwrap();
    assert_eq!(
        (&*row["short_description"], &*row["urgency"], &*row["state"]),
        ("Screen is dark", "1", "1")
    );
    assert_eq!(made["number"], row["number"]);
    assert_eq!(
        made["record"],
        format!("api/now/table/incident/{}", row["sys_id"])
    );
    assert_eq!(
        submit(&producer, json!({})).await.error().0,
        "Mandatory Variables are required"
    );
    let laptop = instance.item("Standard laptop");
    assert_eq!(
        submit(&laptop, json!({})).await.status,
        StatusCode::NOT_FOUND
    );
}
