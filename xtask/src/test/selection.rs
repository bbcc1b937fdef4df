//! What the arguments of `cargo xtask test` choose, as far as this task has to know it.

/// Options of cargo that name packages or targets, with a value of their own or joined by `=`.
const PACKAGES: [&str; 4] = ["-p", "--package", "--workspace", "--all"];
const TARGETS: [&str; 10] = [
    "--all-targets",
    "--lib",
    "--bin",
    "--bins",
    "--test",
    "--tests",
    "--example",
    "--examples",
    "--bench",
    "--benches",
];

/// The arguments for the runner and what they leave open.
pub(crate) struct Selection<'a> {
    arguments: &'a [String],
}

impl<'a> Selection<'a> {
    pub(crate) fn of(arguments: &'a [String]) -> Self {
        Self { arguments }
    }

    /// Nothing was chosen: the whole suite runs, documentation tests included.
    pub(crate) fn is_everything(&self) -> bool {
        self.arguments.is_empty()
    }

    /// The arguments for `cargo nextest run`, completed where they choose nothing themselves.
    pub(crate) fn for_nextest(&self) -> Vec<&'a str> {
        let mut words = self.packages();
        if !self.mentions(&TARGETS) {
            words.push("--all-targets");
        }
        words.extend(self.arguments.iter().map(String::as_str));
        words
    }

    /// The arguments for `cargo test`. No `--all-targets`: it would leave out documentation tests.
    pub(crate) fn for_cargo_test(&self) -> Vec<&'a str> {
        let mut words = self.packages();
        if !self.mentions(&["--no-fail-fast"]) {
            words.push("--no-fail-fast");
        }
        words.extend(self.arguments.iter().map(String::as_str));
        words
    }

    /// The arguments for building the program under test. For the whole suite it is built with
    /// all the rest: alone, its dependencies would get other features and be compiled twice.
    pub(crate) fn for_build(&self) -> &'static [&'static str] {
        if self.is_everything() {
            &["--workspace", "--all-targets"]
        } else {
            &["--package", "ticketbridge"]
        }
    }

    fn packages(&self) -> Vec<&'a str> {
        if self.mentions(&PACKAGES) {
            Vec::new()
        } else {
            vec!["--workspace"]
        }
    }

    fn mentions(&self, options: &[&str]) -> bool {
        self.arguments
            .iter()
            .take_while(|word| *word != "--")
            .any(|word| options.contains(&word.split('=').next().unwrap_or(word)))
    }
}

#[cfg(test)]
mod tests {
    use super::Selection;

    fn nextest(line: &str) -> String {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Selection::of(&words).for_nextest().join(" ")
    }

    #[test]
    fn what_is_left_open_means_everything() {
        assert_eq!(nextest(""), "--workspace --all-targets");
        assert_eq!(nextest("retry"), "--workspace --all-targets retry");
        assert_eq!(nextest("-p shared"), "--all-targets -p shared");
        assert_eq!(nextest("--package=shared --lib"), "--package=shared --lib");
        assert_eq!(
            nextest("--test demo -- -p"),
            "--workspace --test demo -- -p"
        );
    }

    #[test]
    fn cargo_test_always_runs_to_the_end() {
        let words = ["-p".to_owned(), "shared".to_owned()];
        assert_eq!(
            Selection::of(&words).for_cargo_test().join(" "),
            "--no-fail-fast -p shared"
        );
    }
}
