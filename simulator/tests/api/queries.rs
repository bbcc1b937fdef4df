//! The query language over the stock data and rows of our own.

use serde_json::json;

use crate::client::Instance;

/// How many incidents match, and that they are what the table says.
async fn count(instance: &Instance, table: &str, query: &str) -> usize {
    let reply = instance
        .list(table, query, &[("sysparm_fields", "sys_id")])
        .await;
    assert_eq!(reply.status.as_u16(), 200, "{query}: {}", reply.text);
    reply.result().as_array().unwrap().len()
}

#[tokio::test]
async fn terms_bind_as_the_grammar_says() {
    let instance = Instance::start().await;
    for (text, priority) in [("qa", "1"), ("qb", "2"), ("qb", "3"), ("qc", "2")] {
        instance
            .post(
                "incident",
                json!({"short_description": text, "impact": priority, "urgency": "1"}),
            )
            .await;
    }
    let q = "short_descriptionSTARTSWITHq";
    for (query, expected) in [
        (
            format!("{q}^short_description=qa^ORshort_description=qb"),
            3,
        ),
        (
            "short_description=qa^ORshort_description=qb^impact=2".to_owned(),
            1,
        ),
        (
            "short_description=qa^NQshort_description=qb^impact=2".to_owned(),
            2,
        ),
        (format!("{q}^impactIN1,3"), 2),
        (format!("{q}^impactNOT IN1,3"), 2),
        (format!("{q}^impact!=1^EQ"), 3),
        (format!("{q}^impact>1^impact<3"), 2),
        (format!("{q}^impactBETWEEN2@3"), 3),
        (format!("{q}^impactSAMEASurgency"), 1),
        (format!("{q}^impactNSAMEASurgency"), 3),
        (format!("{q}^impactGT_FIELDurgency"), 3),
        (format!("{q}^impactLT_OR_EQUALS_FIELDurgency"), 1),
        (format!("{q}^assigned_toISEMPTY"), 4),
        (format!("{q}^assigned_toISNOTEMPTY"), 0),
        (format!("{q}^assigned_toANYTHING"), 4),
        ("short_descriptionENDSWITHa^numberLIKEINC001".to_owned(), 1),
        ("short_description%a^number*INC001".to_owned(), 1),
        ("numberLIKEINC001^short_descriptionNOT LIKEb".to_owned(), 2),
        ("numberLIKEINC001^short_description!*b".to_owned(), 2),
        ("short_description=QA".to_owned(), 1),
        (
            "short_descriptionLIKEQ^numberSTARTSWITHinc001".to_owned(),
            4,
        ),
    ] {
        assert_eq!(
            count(&instance, "incident", &query).await,
            expected,
            "{query}"
        );
    }
}

#[tokio::test]
async fn bad_terms_behave_as_measured_on_an_instance() {
    let instance = Instance::start().await;
    for (query, expected) in [
        ("no_such_field=banana", 60),
        ("^^^", 60),
        ("state=NOT_A_NUMBER", 0),
        ("state==1", 0),
        ("state=Closed", 0),
        ("state=7", 6),
        ("orderbynumber", 60),
        ("active!=true", 12),
    ] {
        assert_eq!(
            count(&instance, "incident", query).await,
            expected,
            "{query}"
        );
    }
}

#[tokio::test]
async fn references_compare_by_key_and_search_by_name() {
    let instance = Instance::start().await;
    let fern = instance
        .sim
        .row("sys_user", "user_name=fern.example")
        .unwrap()["sys_id"]
        .clone();
    for (query, expected) in [
        (format!("caller_id={fern}"), 15),
        ("caller_id=Fern Example".to_owned(), 0),
        ("caller_idLIKEfern".to_owned(), 15),
        ("caller_idSTARTSWITHFern".to_owned(), 15),
        ("caller_id.email=fern.example@example.com".to_owned(), 15),
        ("caller_id.department.name=Finance".to_owned(), 30),
        ("caller_id.no_such_column=x".to_owned(), 60),
        (
            "assignment_group.name=Service Desk^caller_id.user_nameINfern.example,otto.sample"
                .to_owned(),
            30,
        ),
    ] {
        assert_eq!(
            count(&instance, "incident", &query).await,
            expected,
            "{query}"
        );
    }
    let order = instance
        .list(
            "incident",
            "ORDERBYcaller_id^ORDERBYDESCnumber",
            &[("sysparm_limit", "1"), ("sysparm_fields", "number")],
        )
        .await;
    assert_eq!(
        order.result()[0]["number"],
        "INC0000057",
        "references sort by what they display"
    );
}

#[tokio::test]
async fn plain_parameters_take_labels_and_names() {
    let instance = Instance::start().await;
    for (parameters, expected) in [
        ("state=closed", 6),
        ("state=7", 6),
        ("caller_id=fern.example", 15),
        ("caller_id=Fern Example&active=true", 12),
        ("unknown=parameter", 60),
        ("sysparm_unknown=1", 60),
    ] {
        let reply = instance
            .get(&format!("/api/now/table/incident?{parameters}"))
            .await;
        assert_eq!(
            reply.result().as_array().unwrap().len(),
            expected,
            "{parameters}"
        );
    }
}

#[tokio::test]
async fn dates_compare_by_instant_day_and_distance() {
    let instance = Instance::start().await;
    instance
        .post(
            "incident",
            json!({"due_date": "2026-11-23 12:00:00", "short_description": "dated"}),
        )
        .await;
    for (query, expected) in [
        (
            "sys_created_onONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()",
            1,
        ),
        (
            "sys_created_onNOTONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()",
            60,
        ),
        (
            "due_dateONTomorrow@javascript:gs.beginningOfTomorrow()@javascript:gs.endOfTomorrow()",
            1,
        ),
        ("sys_created_on>=javascript:gs.minutesAgoStart(1)", 1),
        ("sys_created_on<javascript:gs.daysAgoStart(29)", 60),
        ("sys_created_on<javascript:gs.daysAgoEnd(31)", 0),
        ("sys_created_onRELATIVEGT@hour@ago@1", 1),
        ("sys_created_onRELATIVELT@dayofweek@ago@2", 60),
        ("due_dateRELATIVEGT@hour@ahead@25", 1),
        ("due_dateRELATIVEGT@hour@ahead@27", 0),
        ("due_dateRELATIVEEE@dayofweek@ahead@1", 1),
        ("opened_atMORETHANdue_date@day@before@1", 1),
        ("opened_atLESSTHANdue_date@day@before@1", 0),
        ("opened_atLESSTHANdue_date@day@before@2", 1),
        (
            "due_dateDATEPARTMonday@javascript:gs.datePart('dayofweek','monday','EE')",
            1,
        ),
        (
            "due_dateBETWEENjavascript:gs.dateGenerate('2026-11-23','start')@javascript:gs.dateGenerate('2026-11-23','end')",
            1,
        ),
        ("due_dateSAMEASsys_created_on@day", 0),
        ("opened_atSAMEASsys_created_on@day^due_dateISNOTEMPTY", 1),
        ("due_date>2026-11-23", 1),
    ] {
        assert_eq!(
            count(&instance, "incident", query).await,
            expected,
            "{query}"
        );
    }
}

#[tokio::test]
async fn scripts_know_the_caller() {
    let instance = Instance::start().await;
    assert_eq!(
        count(
            &instance,
            "sys_user",
            "user_name=javascript:gs.getUserName()"
        )
        .await,
        1
    );
    assert_eq!(
        count(&instance, "sys_user", "sys_id=javascript:gs.getUserID()").await,
        1
    );
    instance.post("incident", json!({})).await;
    assert_eq!(
        count(
            &instance,
            "incident",
            "opened_byDYNAMIC90d1921e5f510100a9ad2572f2b477fe"
        )
        .await,
        1
    );
    assert_eq!(
        count(
            &instance,
            "sys_user",
            "user_name=javascript:gs.anythingElse()"
        )
        .await,
        0
    );
}

#[tokio::test]
async fn classes_words_and_related_rows() {
    let instance = Instance::start().await;
    for (table, query, expected) in [
        ("task", "sys_class_name=incident", 60),
        (
            "task",
            "sys_class_nameINSTANCEOFtask^numberSTARTSWITHCHG",
            3,
        ),
        ("task", "caller_idISNOTEMPTY", 78),
        ("cmdb_ci", "sys_class_name=cmdb_ci_server", 2),
        ("incident", "123TEXTQUERY321=wireless wing", 6),
        (
            "sys_user_group",
            "RLQUERYsys_group_has_role.group,>0,m2m^role.nameLIKEitil^ENDRLQUERY",
            4,
        ),
        (
            "sys_user_group",
            "RLQUERYsys_user_grmember.group,>=2^ENDRLQUERY",
            2,
        ),
        (
            "sys_user_group",
            "RLQUERYsys_user_grmember.group,=0^ENDRLQUERY",
            1,
        ),
        (
            "sys_user",
            "JOINsys_user.sys_id=sys_user_group.manager!active=true",
            2,
        ),
    ] {
        assert_eq!(
            count(&instance, table, query).await,
            expected,
            "{table}: {query}"
        );
    }
}
