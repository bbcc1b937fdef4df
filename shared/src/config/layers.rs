use std::path::{Path, PathBuf};

use config::{Config, ConfigError, FileFormat, Format as _, Map, Source, Value, ValueKind};

use super::{
    DEFAULTS,
    problem::{Problem, Problems},
};

/// Variables of the bridge start with this; two underscores stand between the parts of a key.
const PREFIX: &str = "TICKETBRIDGE__";

/// The file that is read when none is named, if it is there.
const USUAL_FILE: &str = "ticketbridge.toml";

pub(super) const FROM_DEFAULTS: &str = "defaults";
const FROM_PRESET: &str = "built in";
const FROM_COMMAND_LINE: &str = "command line";

/// Where settings come from; later ones win. No `Debug`: the environment holds secrets.
#[derive(Clone, Default)]
pub struct Layers {
    /// TOML of the program's own above the defaults, such as the connection and the routes of the demo.
    pub preset: Option<String>,
    /// The operator's file.
    pub file: Option<PathBuf>,
    /// Variables and values; those that do not start with `TICKETBRIDGE__` are ignored.
    pub environment: Vec<(String, String)>,
    /// Keys and values from the command line: `("server.listen", "0.0.0.0:8080")`.
    pub overrides: Vec<(String, String)>,
}

/// The environment of this process.
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .collect()
}

impl Layers {
    /// The layers of a process: `file` or else `ticketbridge.toml` of the working folder when it exists, the environment,
    /// and what the command line says.
    pub fn of_process(file: Option<PathBuf>, overrides: Vec<(String, String)>) -> Self {
        let usual = || {
            Path::new(USUAL_FILE)
                .is_file()
                .then(|| PathBuf::from(USUAL_FILE))
        };
        Self {
            preset: None,
            file: file.or_else(usual),
            environment: environment(),
            overrides,
        }
    }

    /// The merged tree; each value knows its origin. Fails only for files that cannot be read or are no TOML.
    pub(super) fn merge(&self) -> Result<Map<String, Value>, Problems> {
        let mut builder = Config::builder().add_source(Layer(defaults()?));
        if let Some(preset) = &self.preset {
            builder = builder.add_source(Layer(parse(FROM_PRESET, preset)?));
        }
        if let Some(file) = &self.file {
            builder = builder.add_source(Layer(read(file)?));
        }
        let merged = builder
            .add_source(Layer(from_environment(&self.environment)))
            .add_source(Layer(from_overrides(&self.overrides)))
            .build();
        // The sources were read already, and tables merge: there is nothing left that could fail.
        merged
            .and_then(|merged| merged.collect())
            .map_err(|error| whole(FROM_DEFAULTS, &error.to_string(), "report this as a bug"))
    }
}

/// Whether values of this origin are text, whatever is expected.
pub(super) fn is_text(origin: Option<&str>) -> bool {
    origin.is_some_and(|origin| origin == FROM_COMMAND_LINE || origin.starts_with(PREFIX))
}

/// The compiled-in layer.
pub(super) fn defaults() -> Result<Map<String, Value>, Problems> {
    parse(FROM_DEFAULTS, DEFAULTS)
}

fn read(file: &Path) -> Result<Map<String, Value>, Problems> {
    let at = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        whole(
            &at,
            &format!("cannot be read: {error}"),
            "check the path, and that this user may read it",
        )
    })?;
    parse(&at, &text)
}

fn parse(at: &str, text: &str) -> Result<Map<String, Value>, Problems> {
    FileFormat::Toml
        .parse(Some(&at.to_owned()), text)
        .map_err(|error| {
            whole(
                at,
                &without_source(&error.to_string()),
                "correct the line; texts need quotes, and each key may be set once",
            )
        })
}

/// What a TOML error says without the line it quotes, which may hold a secret.
fn without_source(error: &str) -> String {
    let quoted = |line: &&str| {
        line.trim_start()
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .trim_start()
            .starts_with('|')
    };
    error
        .lines()
        .filter(|line| !quoted(line))
        .collect::<Vec<_>>()
        .join(": ")
}

fn whole(at: &str, problem: &str, fix: &str) -> Problems {
    Problems(vec![Problem {
        at: at.to_owned(),
        key: String::new(),
        problem: problem.to_owned(),
        fix: fix.to_owned(),
    }])
}

fn from_environment(environment: &[(String, String)]) -> Map<String, Value> {
    let mut tree = Map::new();
    for (name, value) in environment {
        if let Some(key) = name.strip_prefix(PREFIX) {
            let key = key.to_lowercase();
            insert(&mut tree, &key.split("__").collect::<Vec<_>>(), name, value);
        }
    }
    tree
}

fn from_overrides(overrides: &[(String, String)]) -> Map<String, Value> {
    let mut tree = Map::new();
    for (key, value) in overrides {
        insert(
            &mut tree,
            &key.split('.').collect::<Vec<_>>(),
            FROM_COMMAND_LINE,
            value,
        );
    }
    tree
}

fn insert(tree: &mut Map<String, Value>, path: &[&str], origin: &str, value: &str) {
    let origin = origin.to_owned();
    let [key, rest @ ..] = path else { return };
    if rest.is_empty() {
        tree.insert((*key).to_owned(), Value::new(Some(&origin), value));
        return;
    }
    let table = tree
        .entry((*key).to_owned())
        .or_insert_with(|| Value::new(Some(&origin), Map::<String, Value>::new()));
    if !matches!(table.kind, ValueKind::Table(_)) {
        *table = Value::new(Some(&origin), Map::<String, Value>::new());
    }
    if let ValueKind::Table(inner) = &mut table.kind {
        insert(inner, rest, &origin, value);
    }
}

/// A layer that has been read.
#[derive(Debug, Clone)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}
