use scrupp_verify_core::RejectionKind;

use crate::run;

#[test]
fn explains_each_reason() {
    for kind in RejectionKind::ALL {
        let ran = run(&["explain", kind.as_str()]).exits(0);
        assert!(
            ran.stdout
                .starts_with(&format!("{}: {kind}\nstatus: ", kind.as_str())),
            "{ran:?}"
        );
        let ran = run(&["explain", kind.as_str(), "--format", "json"]).exits(0);
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(json["kind"], kind.as_str());
        assert_ne!(json["remedy"], "", "{kind:?}");
    }
    run(&["explain", "unknown"]).exits(2);
}

#[test]
fn completes_in_each_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = run(&["completions", shell]).exits(0);
        for word in ["explain", "secret-file", "forward-to"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
        assert!(
            !ran.stdout.contains("secret "),
            "{shell}: an option that does not exist"
        );
    }
    run(&["completions", "unknown"]).exits(2);
}

#[test]
fn help_has_examples_and_exit_codes() {
    let commands = [
        "sign",
        "verify",
        "send",
        "listen",
        "replay",
        "gateway",
        "explain",
        "completions",
    ];
    for command in commands {
        let ran = run(&[command, "--help"]).exits(0);
        for text in ["Examples:\n  scrupp-verify ", "  130  interrupted"] {
            assert!(ran.stdout.contains(text), "{command}: {text}");
        }
        assert!(!ran.stdout.contains("--secret "), "{command}");
    }
    assert!(
        run(&["--help"])
            .exits(0)
            .stdout
            .contains("  130  interrupted")
    );
    run(&[]).exits(2);
    run(&["unknown"]).exits(2);
}
