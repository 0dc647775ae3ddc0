use crate::{EVENT, SECRET, file, output_of, program, run, signature};

/// Returns the signature of the empty body with the timestamp 1.
fn signed() -> String {
    signature(SECRET.as_bytes(), b"1.")
}

#[test]
fn secret_is_read_from_each_source() {
    let empty = file("secrets-empty", "");
    let sources = [
        ("lf", format!("{SECRET}\n")),
        ("crlf", format!("{SECRET}\r\n")),
        ("none", SECRET.to_owned()),
    ];
    for (label, content) in sources {
        let secret = file(&format!("secrets-{label}"), &content);
        let arguments = [
            "sign",
            "--at",
            "1",
            empty.to_str().unwrap(),
            "--secret-file",
        ];
        let ran = run(&[&arguments[..], &[secret.to_str().unwrap()]].concat()).exits(0);
        assert!(ran.stdout.contains(&signed()), "{label}: {ran:?}");
        let mut command = program(&[&arguments[..], &["-"]].concat());
        let ran = output_of(
            command.env_remove("SCRUPP_WEBHOOK_SECRET"),
            content.as_bytes(),
        );
        assert!(ran.exits(0).stdout.contains(&signed()), "{label}");
    }
    let mut command = program(&["sign", "--at", "1", "--secret-env", "OTHER"]);
    command
        .env("OTHER", SECRET)
        .env("SCRUPP_WEBHOOK_SECRET", "another");
    assert!(
        output_of(&mut command, b"")
            .exits(0)
            .stdout
            .contains(&signed())
    );
}

#[test]
fn previous_secret_verifies_but_does_not_sign() {
    let mut command = program(&[
        "verify",
        "--now",
        "1",
        "--timestamp",
        "1",
        "--signature",
        &signed(),
    ]);
    command
        .env("SCRUPP_WEBHOOK_SECRET", "newer")
        .env("SCRUPP_WEBHOOK_SECRET_PREVIOUS", SECRET);
    output_of(&mut command, b"").exits(0);
    let mut command = program(&["sign", "--at", "1"]);
    command
        .env("SCRUPP_WEBHOOK_SECRET", "newer")
        .env("SCRUPP_WEBHOOK_SECRET_PREVIOUS", SECRET);
    let expected = signature(b"newer", b"1.");
    assert!(
        output_of(&mut command, b"")
            .exits(0)
            .stdout
            .contains(&expected)
    );
}

/// A secret that the user passes in the wrong place must not be printed.
#[test]
fn secret_in_arguments_is_rejected_and_not_repeated() {
    let equals = format!("--secret={SECRET}");
    for secret in [&["--secret", SECRET][..], &[&equals], &["--secret"]] {
        for command in [
            &["sign"][..],
            &["verify"],
            &["send", "http://127.0.0.1:9"],
            &["listen"],
            &["replay", "-", "http://127.0.0.1:9"],
            &["gateway", "--forward-to-env", "FORWARD_TO"],
            &["explain", "too_old"],
            &["completions", "bash"],
            &[],
        ] {
            let ran = run(&[command, secret].concat()).exits(2);
            assert!(
                ran.stderr.contains("any process on this machine"),
                "{ran:?}"
            );
        }
    }
    run(&["sign", "--secret-env", SECRET]).exits(2);
    run(&["sign", "--secret-file", SECRET]).exits(3);
}

#[test]
fn unusable_secrets_are_usage_errors() {
    let secrets = [" ", "a\n", "\"a\"", "\u{feff}a"];
    for secret in secrets {
        let mut command = program(&["sign"]);
        let ran = output_of(command.env("SCRUPP_WEBHOOK_SECRET", secret), b"").exits(2);
        assert!(ran.stderr.contains("secret"), "{ran:?}");
    }
    let mut without = program(&["sign"]);
    without.env_remove("SCRUPP_WEBHOOK_SECRET");
    let mut empty = program(&["sign"]);
    empty.env("SCRUPP_WEBHOOK_SECRET", "");
    for mut command in [without, empty] {
        let ran = output_of(&mut command, b"").exits(2);
        assert!(
            ran.stderr.contains("SCRUPP_WEBHOOK_SECRET is not set"),
            "{ran:?}"
        );
    }
    let mut command = program(&["sign", "--secret-file", "-", "-"]);
    output_of(&mut command, SECRET.as_bytes()).exits(2);
}

#[test]
fn error_names_the_source_of_an_unusable_secret() {
    let custom = ["--secret-env", "OTHER"];
    let variables: [(&[&str], &str, &str); 4] = [
        (&[], "SCRUPP_WEBHOOK_SECRET", "SCRUPP_WEBHOOK_SECRET: "),
        (
            &[],
            "SCRUPP_WEBHOOK_SECRET_PREVIOUS",
            "SCRUPP_WEBHOOK_SECRET_PREVIOUS: ",
        ),
        (&custom, "OTHER", "the variable of --secret-env: "),
        (
            &custom,
            "OTHER_PREVIOUS",
            "the _PREVIOUS variable of --secret-env: ",
        ),
    ];
    for (arguments, name, message) in variables {
        for command in ["listen", "verify"] {
            let mut command = program(&[&[command][..], arguments].concat());
            command.env("OTHER", SECRET).env(name, "\"old\"");
            let ran = output_of(&mut command, b"");
            assert!(ran.stderr.contains(message), "{name}: {ran:?}");
        }
    }
    let file = file("secrets-quoted", "\"old\"\n");
    let ran = run(&["sign", "--secret-file", file.to_str().unwrap()]).exits(2);
    assert!(ran.stderr.contains("--secret-file: "), "{ran:?}");
}

/// The error contains only the quote character.
#[test]
fn secret_in_quotes_is_not_repeated() {
    let quoted = format!("'{SECRET}'");
    for arguments in [&["sign"][..], &["listen"], &["verify", "--timestamp", "1"]] {
        let mut command = program(arguments);
        let ran = output_of(
            command.env("SCRUPP_WEBHOOK_SECRET", &quoted),
            EVENT.as_bytes(),
        );
        assert!(ran.stderr.contains("quotes (')"), "{ran:?}");
    }
}
