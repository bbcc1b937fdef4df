//! The corpus of the fuzz targets: what was written by hand, and what once broke something.

use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

use tests::fuzz::TARGETS;

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus")).join(target)
}

#[test]
fn every_input_of_the_corpus_passes() {
    for (name, target) in TARGETS {
        let mut files: Vec<PathBuf> = fs::read_dir(corpus(name))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert!(files.len() >= 10, "{name}: {} inputs", files.len());
        for file in files {
            let bytes = fs::read(&file).unwrap();
            assert!(
                catch_unwind(|| target(&bytes)).is_ok(),
                "{}",
                file.display()
            );
        }
    }
}

#[test]
fn each_corpus_has_its_target() {
    let folders = fs::read_dir(corpus("")).unwrap();
    let mut found: Vec<String> = folders
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, TARGETS.map(|(name, _)| name));
}
