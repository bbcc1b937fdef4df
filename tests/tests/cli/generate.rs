use std::path::Path;

use tests::binary::Home;

#[test]
fn the_documents_in_the_repository_are_what_the_program_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let home = Home::new();
    for (subject, file) in [
        ("openapi", "docs/openapi.json"),
        ("config-schema", "docs/config.schema.json"),
    ] {
        let printed = home.run(&format!("generate {subject}")).with_code(0);
        let kept = std::fs::read_to_string(root.join(file)).unwrap();
        assert!(
            kept == printed.stdout,
            "{file} is old: run `cargo xtask generate` and look at the difference"
        );
    }
}
