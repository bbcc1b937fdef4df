//! Bodies that a source sends.

use scheduler::bodies;
use serde_json::Value;
use shared::request::Asked;

/// Items of a batch that are taken here.
const MOST: usize = 8;

/// Reads the bytes as a request, as a batch and as a change. What is taken means the same when it is stored and when
/// it is sent again; what is refused says why.
pub fn intake_json(body: &[u8]) {
    let alone = bodies::request(body);
    match &alone {
        Ok(asked) => keeps_its_meaning(asked),
        Err(problem) => says_why(problem),
    }
    match bodies::batch(body, MOST) {
        Ok(items) => {
            assert!(!items.is_empty() && items.len() <= MOST);
            for item in &items {
                match item {
                    Ok(asked) => keeps_its_meaning(asked),
                    Err(problem) => says_why(problem),
                }
            }
        }
        Err(problem) => says_why(&problem),
    }
    in_a_batch_it_is_the_same(body, &alone);
    if let Err(problem) = bodies::status_change(body) {
        says_why(&problem);
    }
}

fn keeps_its_meaning(asked: &Asked) {
    let written = serde_json::to_vec(asked).expect("what was read can be written");
    let stored: Asked = serde_json::from_slice(&written).expect("what was stored can be read");
    assert_eq!(&stored, asked, "stored and read back");
    assert_eq!(
        bodies::request(&written).as_ref(),
        Ok(asked),
        "sent a second time"
    );
}

fn in_a_batch_it_is_the_same(body: &[u8], alone: &Result<Asked, Value>) {
    let batch = [b"{\"items\":[", body, b"]}"].concat();
    // Several values in a row, or what is no JSON, or too deep with two levels more.
    let Ok(items) = bodies::batch(&batch, MOST) else {
        return;
    };
    if let [item] = &items[..] {
        assert_eq!(item.as_ref().ok(), alone.as_ref().ok());
    }
}

fn says_why(problem: &Value) {
    assert!(
        matches!(problem["status"].as_u64(), Some(400 | 422)),
        "{problem}"
    );
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{problem}"
    );
    let Some(errors) = problem["errors"].as_array() else {
        assert_eq!(problem["status"], 400, "{problem}");
        return;
    };
    for error in errors {
        let text = |name: &str| error[name].as_str().unwrap_or_default();
        assert!(
            text("field").is_empty() || text("field").starts_with('/'),
            "{error}"
        );
        assert!(
            !text("problem").is_empty() && !text("fix").is_empty(),
            "{error}"
        );
        // The pointer names the field as it was sent; words are for people.
        assert!(!text("problem").chars().any(char::is_control), "{error}");
    }
}
