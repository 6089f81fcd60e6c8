//! The manual, the completions and the sample configurations say what the program says: no option and no setting is in one alone.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

type Words = BTreeSet<String>;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn handclasp(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_handclasp")).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that `handclasp --help` lists.
fn commands() -> Vec<String> {
    let help = handclasp(&["--help"]);
    let listed = help.split("Commands:\n").nth(1).unwrap().lines();
    let commands: Vec<String> =
        listed.filter_map(|line| Some(line.split_whitespace().next()?.into())).collect();
    assert!(commands.len() >= 5, "{help}");
    commands
}

/// Every option in `text`: dashes, after what cannot be part of a word, and letters.
fn options(text: &str) -> Words {
    let edge = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    let is_option = |word: &&str| {
        let name = word.trim_start_matches('-');
        match word.len() - name.len() {
            1 => name.len() == 1,
            2 => name.len() > 1,
            _ => false,
        }
    };
    text.split(edge).filter(is_option).map(Into::into).collect()
}

/// The options of a command as its help lists them: at the start of an indented line.
fn in_help(command: &str) -> Words {
    let listed = |line: &str| {
        let line = line.strip_prefix("  ").filter(|line| line.starts_with('-'))?;
        Some(options(line.split("  ").next()?))
    };
    handclasp(&[command, "--help"]).lines().filter_map(listed).flatten().collect()
}

/// The options of a command in the manual: of a page of its own, or of the sections of handclasp(8) that name it.
fn in_manual(command: &str) -> Words {
    let own = format!("dist/man/handclasp-{command}.8");
    let text = if project(&own).exists() { read(&own) } else { sections_of(command) };
    let items = text.lines().filter_map(|line| line.strip_prefix(".It Fl "));
    let dashed =
        |item: &str| format!("-{}", item.replace(", Fl ", " -").replace("-Fl ", "--").replace("Fl ", "-"));
    items.flat_map(|item| options(&dashed(item))).collect()
}

fn sections_of(command: &str) -> String {
    let page = read("dist/man/handclasp.8");
    let sections = page.split("\n.S").filter_map(|section| section.strip_prefix("s "));
    let names_it = |section: &&str| section.lines().next().unwrap().split(' ').any(|word| word == command);
    sections.filter(names_it).collect()
}

#[test]
fn the_manual_has_the_options_that_the_program_has() {
    for command in commands() {
        assert_eq!(
            in_manual(&command),
            in_help(&command),
            "of {command}: left the manual, right the program"
        );
    }
}

/// What bash completes after `handclasp COMMAND -`.
fn in_bash(command: &str) -> Words {
    let script = r#"source "$1"; COMP_WORDS=(handclasp "$2" -) COMP_CWORD=2; _handclasp; printf '%s\n' "${COMPREPLY[@]}""#;
    let file = project("dist/completions/handclasp.bash");
    let mut bash = Command::new("bash");
    let output = bash.args(["-c", script, "-"]).arg(file).arg(command).output().unwrap();
    options(&String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_completions_have_the_options_that_the_program_has() {
    let mut all: Words = ["--help", "--version"].map(Into::into).into();
    for command in commands() {
        let known = in_help(&command);
        assert_eq!(in_bash(&command), known, "of {command}: left bash's completion, right the program");
        all.extend(known);
    }
    let zsh = read("dist/completions/_handclasp").replace("compadd -", "").replace("local -a", "");
    assert_eq!(options(&zsh), all, "left zsh's completion, right the program");
    let fish = read("dist/completions/handclasp.fish");
    let long = fish.split(" -l ").skip(1).filter_map(|rest| rest.split_whitespace().next());
    let long: Words = long.map(|name| format!("--{name}")).collect();
    all.retain(|option| option.starts_with("--"));
    assert_eq!(long, all, "left fish's completion, right the program");
}

#[test]
fn every_command_is_in_the_manual_and_the_completions() {
    for command in commands() {
        assert!(read("dist/man/handclasp.8").contains(&format!("\n.Cm {command}\n")), "{command}: manual");
        for file in ["handclasp.bash", "_handclasp", "handclasp.fish"] {
            assert!(read(&format!("dist/completions/{file}")).contains(&command), "{command}: {file}");
        }
    }
}

/// The settings that the reader of the configuration knows: its literals.
fn settings() -> Words {
    let files = fs::read_dir(project("src/agent/config")).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| !path.ends_with("tests.rs")).chain([project("src/crypto/x509/allow.rs")]);
    let is_setting = |text: &&str| {
        let (section, name) = text.split_once('.').unwrap_or_default();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '_';
        let sections = ["x509", "policy", "allow", "match"];
        sections.contains(&section) && !name.is_empty() && name.chars().all(plain)
    };
    let mut settings: Words =
        ["loglevel", "tls", "nl", "delay_done", "keyrings", "textfile"].map(Into::into).into();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        settings.extend(text.split('"').skip(1).step_by(2).filter(is_setting).map(String::from));
    }
    settings
}

#[test]
fn the_manual_has_the_settings_that_the_program_reads() {
    let page = read("dist/man/handclasp.conf.5");
    let items = page.lines().filter_map(|line| line.strip_prefix(".It Cm "));
    let names = items.flat_map(|item| item.split(" Ns =").next().unwrap().split(" , Cm ").map(String::from));
    assert_eq!(names.collect::<Words>(), settings(), "left the manual, right the program");
}

/// Every setting of dist/config switched on, and each sample: files that exist stand in for those that are named.
#[test]
fn the_sample_configurations_load() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("samples");
    fs::create_dir_all(&directory).unwrap();
    let files = [
        ("ca.pem", "root.pem"),
        ("clients-ca.pem", "root.pem"),
        ("crl.pem", "crl-root.pem"),
        ("clients-crl.pem", "crl-root.pem"),
        ("storage-ca.pem", "root.pem"),
    ];
    for (name, vector) in files {
        fs::copy(project("tests/vectors/x509").join(vector), directory.join(name)).unwrap();
    }
    for (name, vector) in [("client", "client"), ("server", "server"), ("storage", "server")] {
        for kind in ["pem", "key"] {
            let source = project(&format!("tests/vectors/agent/{vector}.{kind}"));
            fs::copy(source, directory.join(format!("{name}.{kind}"))).unwrap();
        }
    }
    let samples = fs::read_dir(project("dist/examples")).unwrap().map(|file| file.unwrap().path());
    let texts = samples.map(|path| fs::read_to_string(path).unwrap());
    let uncommented = read("dist/config")
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect::<String>();
    let texts: Vec<String> = texts.chain([read("dist/config"), uncommented]).collect();
    assert!(texts.len() >= 7);
    for text in texts {
        let path = directory.join("config");
        fs::write(&path, text.replace("/etc/handclasp", directory.to_str().unwrap())).unwrap();
        let report = handclasp(&["check", "--config", path.to_str().unwrap()]);
        assert!(report.contains("all files that it names are read"), "{text}\n{report}");
    }
}

#[test]
fn a_reader_that_leaves_changes_no_exit_code() {
    let code = |arguments: &[&str], stdout: Stdio| {
        let output = Command::new(env!("CARGO_BIN_EXE_handclasp")).args(arguments).stdout(stdout).output();
        output.unwrap().status.code()
    };
    let [cafile, chain] = ["ca.pem", "server.pem"].map(|name| project("tests/vectors/agent").join(name));
    let verify = ["verify", "--cafile", cafile.to_str().unwrap(), "--as-agent", chain.to_str().unwrap()];
    for arguments in [&["check"][..], &["check", "--help"], &["status", "--help"], &["--version"], &verify] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(code(arguments, writer.into()), code(arguments, Stdio::null()), "{arguments:?}");
    }
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn whatever_is_installed_can_be_uninstalled() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed");
    let _there_is_none = fs::remove_dir_all(&root);
    let make = |target: &str| {
        let mut make = Command::new("make");
        make.current_dir(project("")).args(["--silent", target, "PREFIX=/opt/handclasp"]);
        make.arg(format!("DESTDIR={}", root.display()))
            .arg(format!("BINARY={}", env!("CARGO_BIN_EXE_handclasp")));
        let output = make.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    make("install-files");
    let installed = files_below(&root);
    assert!(
        installed.len() > 12 && installed.iter().all(|path| path.starts_with(root.join("opt/handclasp")))
    );
    let unit = fs::read_to_string(root.join("opt/handclasp/lib/systemd/system/handclasp.service")).unwrap();
    assert!(unit.contains("ExecStart=/opt/handclasp/sbin/handclasp agent\n"));
    make("uninstall");
    assert_eq!(files_below(&root), [] as [PathBuf; 0]);
}
