//! `handclasp verify` as a script sees it: exit codes, and what goes to which stream.
#![cfg(feature = "agent")]

use std::{
    path::Path,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

fn vector(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/x509").join(name).display().to_string()
}

/// Runs it; a word with `.pem` at its end is one of our vectors.
fn verify(line: &str) -> (Option<i32>, String, String) {
    let words = line.split_whitespace();
    let words = words.map(|word| if word.ends_with(".pem") { vector(word) } else { word.to_owned() });
    let output = Command::new(env!("CARGO_BIN_EXE_handclasp")).arg("verify").args(words).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

const IN_2030: &str = "--time 2030-01-01T00:00:00Z --cafile";

#[test]
fn prints_the_path() {
    let path = "CN=server\nO=Lab, CN=Intermediate\n".to_owned();
    let line =
        format!("{IN_2030} intermediate.pem --host server.test --host other.test --purpose client leaf.pem");
    assert_eq!(verify(&line), (Some(0), path, String::new()));
}

#[test]
fn tells_why_not() {
    let (code, out, error) = verify(&format!("{IN_2030} other.pem leaf.pem"));
    assert_eq!((code, out.as_str()), (Some(1), ""));
    let reason =
        "server certificate 'CN=server': its issuer 'O=Lab, CN=Intermediate' is neither sent nor trusted";
    assert_eq!(error, format!("handclasp: {reason}\n"));
    let revoked = verify(&format!("{IN_2030} intermediate.pem --crl crl-revoked.pem leaf.pem"));
    assert!(revoked.0 == Some(1) && revoked.2.contains("'CN=server': revoked at "), "{revoked:?}");
    let uncovered = verify(&format!("{IN_2030} root.pem --crl-required end-entity root.pem"));
    assert!(uncovered.2.contains("keyUsage lacks digitalSignature"), "{uncovered:?}");
}

/// Runs it with `DIR` for a directory that holds copies of some vectors, and some other files.
fn verify_in(vectors: &[&str], others: &[(&str, &str)], line: &str) -> (Option<i32>, String, String) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let directory = std::env::temp_dir().join(format!("handclasp-verify-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    for name in vectors {
        std::fs::copy(vector(name), directory.join(name)).unwrap();
    }
    for (name, text) in others {
        std::fs::write(directory.join(name), text).unwrap();
    }
    let found = verify(&line.replace("DIR", &directory.display().to_string()));
    std::fs::remove_dir_all(&directory).unwrap();
    found
}

/// What has no anchor and no CRL, though it looks a little like it.
const OTHER_FILES: [(&str, &str); 3] = [
    ("README", "A CERTIFICATE-----"),
    ("trusted", "-----BEGIN TRUSTED CERTIFICATE-----\nAA==\n-----END TRUSTED CERTIFICATE-----\n"),
    ("request", "-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n"),
];

#[test]
fn takes_directories() {
    let line = format!("{IN_2030} DIR leaf.pem");
    let found = verify_in(&["other.pem", "intermediate.pem"], &OTHER_FILES, &line);
    assert_eq!(found.0, Some(0), "{found:?}");
    let line = format!("{IN_2030} intermediate.pem --crl DIR leaf.pem");
    let found = verify_in(&["crl-revoked.pem"], &OTHER_FILES, &line);
    assert!(found.2.contains("'CN=server': revoked at "), "{found:?}");
}

#[test]
fn a_directory_that_gives_nothing_is_refused() {
    let found = verify_in(&["crl-revoked.pem"], &OTHER_FILES, &format!("{IN_2030} DIR leaf.pem"));
    assert!(found.0 == Some(1) && found.2.contains(": no certificate in any file of it"), "{found:?}");
    let line = format!("{IN_2030} intermediate.pem --crl DIR leaf.pem");
    let found = verify_in(&["intermediate.pem"], &OTHER_FILES, &line);
    assert!(found.0 == Some(1) && found.2.contains(": no CRL in any file of it"), "{found:?}");
}

#[test]
fn a_damaged_file_of_a_directory_is_not_passed_over() {
    for text in ["", "-----BEGIN X509 CRL----\nAA==\n-----END X509 CRL----\n"] {
        let line = format!("{IN_2030} intermediate.pem --crl DIR leaf.pem");
        let found = verify_in(&["crl-revoked.pem"], &[("damaged", text)], &line);
        assert!(found.0 == Some(1) && found.2.contains("/damaged: "), "{found:?}");
    }
}

#[test]
fn usage_errors_are_told_apart() {
    for line in ["", "leaf.pem", "--cafile root.pem", "--cafile root.pem --purpose x leaf.pem", "--nonsense"]
    {
        let (code, out, error) = verify(line);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{line}: {error}");
    }
    let (code, _, error) = verify("--cafile missing.pem leaf.pem");
    assert!(code == Some(1) && error.contains("missing.pem: No such file"), "{error}");
    assert_eq!(verify("--help").0, Some(0));
}

#[test]
fn rules_for_issuers_are_waived_as_the_agent_waives_them() {
    for chain in ["leaf-no-ids.pem intermediate.pem", "leaf.pem intermediate-lax.pem"] {
        let bundle = std::env::temp_dir().join(format!("handclasp-chain-{}", std::process::id()));
        let texts = chain.split(' ').map(|name| std::fs::read_to_string(vector(name)).unwrap());
        std::fs::write(&bundle, texts.collect::<String>()).unwrap();
        let line = format!("{IN_2030} root.pem {}", bundle.display());
        assert!(verify(&line).2.contains("breaks RFC 5280"), "{chain}");
        assert_eq!(verify(&format!("--as-agent {line}")).0, Some(0), "{chain}");
    }
}
