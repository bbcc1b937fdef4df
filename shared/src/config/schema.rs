use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::{Settings, layers, report::Report, shape};

/// The JSON schema of the configuration file, for editors and for `ticketbridge check`. Defaults stand beside their keys;
/// only what has none is required.
pub fn json_schema() -> Value {
    let mut schema = raw();
    describe(&mut schema, defaults());
    schema
}

/// The schema as derived: the shape that [`shape::read`] checks.
pub(super) fn raw() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Settings>();
    schema.insert("title".to_owned(), "ticketbridge.toml".into());
    schema.to_value()
}

/// The compiled-in defaults.
pub(super) fn defaults() -> &'static Value {
    static DEFAULTS: OnceLock<Value> = OnceLock::new();
    DEFAULTS.get_or_init(|| {
        let mut report = Report::new(None);
        let tree = layers::defaults().unwrap_or_default();
        shape::read(tree, &raw(), &Value::Null, &mut report)
    })
}

/// Writes the defaults into the schema of the sections that have them.
fn describe(schema: &mut Value, defaults: &Value) {
    let Some(defaults) = defaults.as_object() else {
        return;
    };
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    schema.remove("required");
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for (key, default) in defaults {
        let Some(property) = properties.get_mut(key).and_then(Value::as_object_mut) else {
            continue;
        };
        if default.is_object() {
            let mut section = Value::Object(Map::clone(property));
            describe(&mut section, default);
            properties.insert(key.clone(), section);
        } else {
            property.insert("default".to_owned(), default.clone());
        }
    }
}
