//! Replays the corpus, so that every test run checks all of its inputs, also without the fuzzer.

mod shapes;

use std::path::Path;

use fieldcast_fuzz::{check_envelope, check_http_call, check_rich_telemetry, check_telemetry};

type Target = (&'static str, fn(&[u8]));

#[test]
fn everything_in_the_corpus_holds() {
    let targets: [Target; 4] = [
        ("envelope", check_envelope),
        ("http-call", check_http_call),
        ("telemetry", check_telemetry),
        ("telemetry", check_rich_telemetry),
    ];
    for (target, check) in targets {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!files.is_empty(), "{} is empty", folder.display());
        for file in files {
            // Shown only when the check fails.
            println!("{}", file.display());
            check(&std::fs::read(&file).unwrap());
        }
    }
}
