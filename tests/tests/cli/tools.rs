//! The tools for developers say who they are.

use std::process::Command;

#[test]
fn each_tool_begins_its_lines_with_its_own_name() {
    for (tool, program, options, said) in [
        (
            "bench",
            env!("CARGO_BIN_EXE_bench"),
            &["--requests", "1"][..],
            "bench: at least 1000 requests",
        ),
        (
            "chaos",
            env!("CARGO_BIN_EXE_chaos"),
            &["soak", "--requests", "1"][..],
            "chaos: at least 5000 requests",
        ),
    ] {
        let ran = Command::new(program).args(options).output();
        let ran = ran.expect("the program of the harness starts");
        let told = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(told.trim_end(), said, "{tool}");
        assert_eq!(ran.status.code(), Some(1), "{tool}");
    }
}
