//! `generate`: documents made from the code, kept in `docs/` and compared by `cargo xtask check`.

use anyhow::Context as _;

use crate::args::Document;
use crate::exit::Failure;

pub(crate) fn run(document: Document) -> Result<(), Failure> {
    let json = match document {
        Document::Openapi => {
            serde_json::to_value(scheduler::openapi()).context("the OpenAPI document is no JSON")?
        }
        Document::ConfigSchema => shared::config::json_schema(),
    };
    let text = serde_json::to_string_pretty(&json).context("the document is no JSON")?;
    anstream::println!("{text}");
    Ok(())
}
