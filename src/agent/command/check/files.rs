//! Whether the agent finds its files under its unit, which hides folders from it and leaves root no rights but an owner's.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::Finding;
use crate::agent::{
    config::{self, Config},
    trust_store,
};

/// What ProtectHome= and InaccessiblePaths= of dist/handclasp.service hide.
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];
const READ: u32 = 0o4;
const WRITE: u32 = 0o2;
const SEARCH: u32 = 0o1;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    // A draft of a configuration may be anywhere.
    let own = Some(&config.path).filter(|path| config::candidates(None).contains(&path.as_path()));
    let named = config.files().map(|file| &file.path).chain(own).cloned();
    let mut paths: Vec<PathBuf> = named.filter(|path| path.exists()).collect();
    let within: Vec<_> = paths.iter().flat_map(|path| trust_store::files(path).unwrap_or_default()).collect();
    paths.extend(within);
    paths.sort();
    paths.dedup();
    let unread = paths.iter().filter_map(|path| Some(Finding::warn("files", problem(path)?)));
    unread.chain(config.textfile.iter().filter_map(|path| textfile(path))).collect()
}

/// Why the agent cannot read a file under its unit, if it cannot.
fn problem(path: &Path) -> Option<String> {
    let real = path.canonicalize().ok()?;
    if let Some(folder) =
        HIDDEN.iter().find(|hidden| [path, &real].iter().any(|path| path.starts_with(hidden)))
    {
        let path = path.display();
        return Some(format!(
            "{path}: the agent's unit hides {folder} from it: keep it below /etc/handclasp"
        ));
    }
    let shut = real.ancestors().find(|part| fs::metadata(part).is_ok_and(|part| !is_open(&part)))?;
    let (path, shut) = (path.display(), shut.display());
    Some(format!(
        "{path}: under its unit the agent is root without CAP_DAC_OVERRIDE, and {shut} is shut to it: \
         make that root's (chown root), readable for its owner"
    ))
}

fn is_open(metadata: &fs::Metadata) -> bool {
    grants(metadata, if metadata.is_dir() { SEARCH } else { READ })
}

fn grants(metadata: &fs::Metadata, needed: u32) -> bool {
    rights_of_root(metadata.uid(), metadata.gid(), metadata.mode()) & needed == needed
}

/// The bits of a file's mode that count for uid and gid 0 (path_resolution(7)).
fn rights_of_root(uid: u32, gid: u32, mode: u32) -> u32 {
    let shift = match (uid, gid) {
        (0, _) => 6,
        (_, 0) => 3,
        _ => 0,
    };
    mode >> shift & 0o7
}

fn textfile(path: &Path) -> Option<Finding> {
    let folder = path.parent()?;
    let text = match fs::metadata(folder).ok().filter(fs::Metadata::is_dir) {
        None => "is not there, so textfile cannot be written: make it, or install the collector",
        Some(metadata) if !grants(&metadata, WRITE | SEARCH) => {
            "is shut to root without CAP_DAC_OVERRIDE, which the agent is under its unit, so textfile cannot be written: \
             make it root's (chown root)"
        }
        Some(_) => return None,
    };
    Some(Finding::warn("metrics", format!("{} {text}", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let config = Config::parse(Path::new("/etc/passwd"), text).unwrap();
        check(&config).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_unit_hides_is_told() {
        let path = Path::new("/tmp").join(format!("handclasp-files-{}", std::process::id()));
        fs::write(&path, "").unwrap();
        let text =
            format!("[authenticate.client]\nx509.truststore={}\nx509.crl=/etc/passwd\n", path.display());
        let [line] = &found(&text)[..] else { panic!("one line") };
        assert!(line.starts_with("WARN  files"), "{line}");
        assert!(line.contains("the agent's unit hides /tmp from it"), "{line}");
        let link =
            format!("[authenticate.client]\nx509.truststore={}\n", path.with_extension("link").display());
        std::os::unix::fs::symlink("/etc/passwd", path.with_extension("link")).unwrap();
        assert_eq!(found(&link).len(), 1, "the link is hidden, whatever it leads to");
        fs::remove_file(path.with_extension("link")).unwrap();
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn root_without_capabilities_has_the_rights_of_the_file() {
        assert_eq!(rights_of_root(0, 7, 0o640), 6);
        assert_eq!(rights_of_root(7, 0, 0o640), 4);
        assert_eq!(rights_of_root(7, 7, 0o640), 0);
        let folder = Path::new("/dev/shm").join(format!("handclasp-files-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("key.pem");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o0)).unwrap();
        let told = problem(&path).unwrap();
        assert!(told.contains(&format!("{} is shut to it", path.display())), "{told}");
        fs::remove_dir_all(folder).unwrap();
        assert_eq!(problem(Path::new("/etc/passwd")), None);
    }

    #[test]
    fn a_folder_for_the_textfile_that_is_missing_is_told() {
        let [line] = &found("[metrics]\ntextfile=/nowhere/handclasp.prom\n")[..] else { panic!("one line") };
        assert!(line.contains("metrics") && line.contains("/nowhere is not there"), "{line}");
        assert!(found("[metrics]\ntextfile=/etc/handclasp.prom\n").is_empty());
    }
}
