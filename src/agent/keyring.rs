//! Kernel keyrings (keyrings(7)): where PSKs, certificates and private keys are read from.

use std::{
    cell::OnceCell,
    ffi::{CStr, CString},
    fmt, fs, io,
};

use crate::crypto::secret::Secret;

use super::{log, system};

/// KEY_SPEC_THREAD_KEYRING, KEY_SPEC_PROCESS_KEYRING and KEY_SPEC_USER_KEYRING. What the agent possesses for good is linked to
/// the thread's, because the process' is where the kernel links the keyring of each request that it hands out.
const THREAD_KEYRING: KeySerial = KeySerial(-1);
const PROCESS_KEYRING: KeySerial = KeySerial(-2);
const USER_KEYRING: KeySerial = KeySerial(-4);
/// The user whose keyrings are believed to be what their names say.
const ROOT: u32 = 0;
/// What most payloads fit in, and the largest of a key (keyrings(7): 32767 for "user"; "big_key" holds 1 MiB, which no key of ours
/// needs): room for the largest takes longer to wipe than to be given the key.
const USUAL_PAYLOAD: usize = 512;
const MAX_PAYLOAD: usize = 32 * 1024;

/// The number of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeySerial(i32);

impl KeySerial {
    /// A key as the kernel names it; `None` for 0 and for the negative numbers that name no key of their own.
    pub(super) fn new(serial: i32) -> Option<Self> {
        (serial > 0).then_some(Self(serial))
    }

    /// The number to tell the kernel.
    pub(super) fn number(self) -> u32 {
        self.0.unsigned_abs()
    }
}

impl fmt::Display for KeySerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {:#x}", self.number())
    }
}

/// What a key says about itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Description {
    /// "psk", "user", "keyring", ...
    pub(super) kind: String,
    /// Whose it is.
    owner: u32,
    /// Its name; for a PSK the identity.
    pub(super) text: Vec<u8>,
}

/// Why a key cannot be used.
#[derive(Debug)]
pub(super) enum KeyError {
    Missing(KeySerial),
    Revoked(KeySerial),
    Expired(KeySerial),
    /// Not readable by us: not possessed, or its permissions forbid it.
    Forbidden(KeySerial),
    Other(KeySerial, io::Error),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(key) => write!(f, "{key} does not exist"),
            Self::Revoked(key) => write!(f, "{key} is revoked"),
            Self::Expired(key) => write!(f, "{key} is expired"),
            Self::Forbidden(key) => write!(
                f,
                "{key} may not be read by the agent: link its keyring with `keyrings=` in [authenticate], \
                 or give root the right to read it"
            ),
            Self::Other(key, error) => write!(f, "{key}: {error}"),
        }
    }
}

impl KeyError {
    fn new(key: KeySerial, error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ENOKEY) => Self::Missing(key),
            Some(libc::EKEYREVOKED) => Self::Revoked(key),
            Some(libc::EKEYEXPIRED) => Self::Expired(key),
            Some(libc::EACCES | libc::EPERM) => Self::Forbidden(key),
            _ => Self::Other(key, error),
        }
    }
}

/// Reads a key's payload; it exists nowhere but in the answer.
pub(super) fn read(key: KeySerial) -> Result<Secret, KeyError> {
    for room in [USUAL_PAYLOAD, MAX_PAYLOAD] {
        let mut buffer = Secret::zeroed(room);
        let length = system::keyctl_into(libc::KEYCTL_READ, key.0, buffer.expose_mut())
            .map_err(|error| KeyError::new(key, error))?;
        if let Some(payload) = buffer.expose().get(..length) {
            return Ok(Secret::from_slice(payload));
        }
    }
    Err(KeyError::Other(key, io::Error::other("its payload is too large")))
}

/// Tells what a key is.
pub(super) fn describe(key: KeySerial) -> Result<Description, KeyError> {
    let mut buffer = vec![0; 8192];
    let length = system::keyctl_into(libc::KEYCTL_DESCRIBE, key.0, &mut buffer)
        .map_err(|error| KeyError::new(key, error))?;
    buffer.truncate(length);
    read_description(&buffer)
        .ok_or_else(|| KeyError::Other(key, io::Error::other("its description is malformed")))
}

/// `type;uid;gid;perm;description` and a NUL; the description may hold semicolons.
fn read_description(bytes: &[u8]) -> Option<Description> {
    let mut fields = bytes.strip_suffix(&[0])?.splitn(5, |byte| *byte == b';');
    let kind = String::from_utf8(fields.next()?.into()).ok()?;
    let owner = str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    Some(Description { kind, owner, text: fields.nth(2)?.into() })
}

/// A keyring that PSKs are looked for in, as long as one client's offers are gone through.
pub(super) struct PskSearch {
    pub(super) keyring: KeySerial,
    kind: &'static CStr,
    listed: OnceCell<Vec<(KeySerial, Description)>>,
}

impl PskSearch {
    pub(super) fn new(keyring: KeySerial) -> Self {
        Self { keyring, kind: c"psk", listed: OnceCell::new() }
    }

    /// Finds the PSK of an identity in the keyring and those linked to it, by its whole description.
    ///
    /// The kernel's search compares only as far as the shorter of the two goes, so "host subsystem" may find "host subsystem2".
    /// Then the keyring's own keys are gone through one by one, which is an answer only if it is unambiguous.
    pub(super) fn find(&self, identity: &[u8]) -> io::Result<Option<KeySerial>> {
        let Ok(name) = CString::new(identity) else { return Ok(None) };
        let found = match system::keyctl_search(self.keyring.0, self.kind, &name) {
            Ok(serial) => KeySerial::new(serial),
            Err(error) if error.raw_os_error() == Some(libc::ENOKEY) => None,
            Err(error) => return Err(error),
        };
        match found {
            Some(key) if describe(key).is_ok_and(|it| self.is_psk(&it, identity)) => Ok(Some(key)),
            Some(_) => Ok(self.find_exactly(identity)),
            None => Ok(None),
        }
    }

    /// The keys are asked once for their names, for all offers: who offers dozens that begin like a key's has proved nothing yet.
    fn find_exactly(&self, identity: &[u8]) -> Option<KeySerial> {
        let listed = self.listed.get_or_init(|| described_keys_of(self.keyring));
        let mut keys = listed.iter().filter(|(_, it)| self.is_psk(it, identity)).map(|(key, _)| *key);
        let key = keys.next();
        key.filter(|_| keys.next().is_none())
    }

    fn is_psk(&self, description: &Description, identity: &[u8]) -> bool {
        description.kind.as_bytes() == self.kind.to_bytes() && description.text == identity
    }
}

fn described_keys_of(keyring: KeySerial) -> Vec<(KeySerial, Description)> {
    let keys = keys_of(keyring).unwrap_or_default().into_iter();
    keys.filter_map(|key| Some((key, describe(key).ok()?))).collect()
}

/// The keys that are linked to a keyring.
pub(super) fn keys_of(keyring: KeySerial) -> Result<Vec<KeySerial>, KeyError> {
    let links = read(keyring)?;
    let serials = links.expose().chunks_exact(4).filter_map(|chunk| chunk.try_into().ok());
    Ok(serials.filter_map(|serial| KeySerial::new(i32::from_ne_bytes(serial))).collect())
}

/// Finds root's keyring of a name among all that this process may see; `None` if there is none.
///
/// Anybody may make a keyring, call it what he likes, and let us see it. And as names go into the list as they are, a name may hold
/// what looks like a line of it: so whatever is found is asked itself.
pub(super) fn find_keyring(name: &str) -> io::Result<Option<KeySerial>> {
    let list = fs::read("/proc/keys")?;
    let found = find_in_list(&String::from_utf8_lossy(&list), name).find(|keyring| is_root_s(*keyring, name));
    Ok(found)
}

fn is_root_s(keyring: KeySerial, name: &str) -> bool {
    describe(keyring).is_ok_and(|it| it.kind == "keyring" && it.owner == ROOT && it.text == name.as_bytes())
}

/// A line of /proc/keys: `serial flags usage timeout perm uid gid type description: summary` (proc_keys(5)).
fn find_in_list(list: &str, name: &str) -> impl Iterator<Item = KeySerial> {
    list.lines().filter_map(move |line| {
        let mut fields = line.split_ascii_whitespace();
        let serial = i32::from_str_radix(fields.next()?, 16).ok()?;
        let flags = fields.next()?;
        let is_root_s = fields.nth(3)?.parse() == Ok(ROOT);
        let is_keyring = fields.nth(1)? == "keyring";
        let description = line.split_once(" keyring ")?.1.trim_start().rsplit_once(": ")?.0;
        let is_alive = flags.starts_with('I') && !flags.contains(['R', 'D']);
        (is_keyring && is_root_s && is_alive && description == name).then(|| KeySerial::new(serial))?
    })
}

/// Links a keyring to our thread keyring, so that keys which only a possessor may read are ours to read.
pub(super) fn possess(keyring: KeySerial) -> io::Result<()> {
    system::keyctl_link(keyring.0, THREAD_KEYRING.0)
}

/// A keyring that a request is served from, as long as this lives: no request is served from another one's.
pub(super) struct Loan(());

impl Loan {
    /// Whatever the kernel has linked with the request that it has just handed out.
    pub(super) fn requested() -> Self {
        Self(())
    }

    /// Links it, which takes the right to.
    pub(super) fn of(keyring: KeySerial) -> io::Result<Self> {
        system::keyctl_link(keyring.0, PROCESS_KEYRING.0).map(|()| Self(()))
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Err(error) = system::keyctl_clear(PROCESS_KEYRING.0) {
            log::warning(format_args!("the keyring of a request stays linked: {error}"));
        }
    }
}

/// The keyring of the request that was handed out last; kernels before 6.16 link it without telling its number.
pub(super) fn requested() -> Option<KeySerial> {
    keys_of(PROCESS_KEYRING).ok()?.first().copied()
}

/// Links root's user keyring: mount options name keys that an administrator put there (`keyctl padd user NAME @u`).
pub(super) fn possess_user_keyring() -> io::Result<()> {
    system::keyctl_link(USER_KEYRING.0, THREAD_KEYRING.0)
}

/// The keyrings of the configuration, found by name; they may come and go with kernel modules.
#[derive(Debug, Default)]
pub(super) struct Keyrings(Vec<(String, Option<KeySerial>)>);

impl Keyrings {
    /// The keyrings that kernel consumers keep their keys in are always looked for.
    pub(super) fn new(configured: &[String]) -> Self {
        let mut names: Vec<String> = vec![".nvme".into(), ".nfs".into()];
        for name in configured {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        Self(names.into_iter().map(|name| (name, None)).collect())
    }

    /// Finds and possesses those that were not there, or are there no more.
    pub(super) fn refresh(&mut self) {
        for (name, found) in &mut self.0 {
            if found.is_none_or(|keyring| describe(keyring).is_err()) {
                *found = find_keyring(name).ok().flatten();
                if let Some(Err(error)) = found.map(possess) {
                    log::warning(format_args!("the keyring {name} cannot be linked: {error}"));
                }
            }
        }
    }

    /// Whether this is one of those that were found, and is possessed for good.
    pub(super) fn has(&self, keyring: KeySerial) -> bool {
        self.present().any(|(_, found)| found == keyring)
    }

    /// The keyrings that were found, with their names.
    pub(super) fn present(&self) -> impl Iterator<Item = (&str, KeySerial)> {
        self.0.iter().filter_map(|(name, found)| found.map(|keyring| (name.as_str(), keyring)))
    }

    /// The names that stand for no keyring at present.
    pub(super) fn missing(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, found)| found.is_none()).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::system::tests::add_key;

    const LIST: &str = "\
5a2b3c4d I------     1 perm 1f1f0000  1000     0 keyring   .nvme: 2
0b5c1fbc I------     1 perm 1f1f0000     0     0 keyring   .nvme: 2
1a2b3c4d I--Q---    12 perm 3f030000  1000  1000 keyring   _ses: 1
2a2b3c4d IR-----     0 perm 1f1f0000     0     0 keyring   gone: empty
3a2b3c4d I------     1  58m 3b010000     0     0 psk       NVMe1R01 nqn.host nqn.sub keyring : 32
4a2b3c4d I------     1 perm 1f1f0000     0     0 keyring   with space: empty
6a2b3c4d I------     1 perm 3f3f3f3f  1000  1000 keyring   storage: 1
7a2b3c4d I------     1 perm 3f3f3f3f  1000     0 keyring   storage 0 0 keyring storage: 1
";

    #[test]
    fn root_s_keyrings_are_found_by_name() {
        let found = |name| find_in_list(LIST, name).map(|keyring| keyring.0).collect::<Vec<_>>();
        assert_eq!(found(".nvme"), [0x0b5c_1fbc]);
        assert_eq!(found("with space"), [0x4a2b_3c4d]);
        for absent in ["gone", ".nvm", ".nvme2", "", "NVMe1R01 nqn.host nqn.sub keyring ", "_ses", "storage"]
        {
            assert!(found(absent).is_empty(), "{absent:?}");
        }
    }

    #[test]
    fn a_description_may_hold_semicolons() {
        let description = read_description(b"psk;0;0;3b010000;NVMe1R01 a;b c\0").unwrap();
        assert_eq!(description, Description { kind: "psk".into(), owner: 0, text: b"NVMe1R01 a;b c".into() });
        for bad in [&b"psk;0;0;3b010000;NVMe"[..], b"psk;0;0;3b010000\0", b"", b"\0"] {
            assert_eq!(read_description(bad), None);
        }
    }

    #[test]
    fn a_keyring_is_listed_once_for_all_offers() {
        let add = |kind, name, payload: &[u8], keyring: KeySerial| {
            KeySerial::new(add_key(kind, name, payload, keyring.0).unwrap()).unwrap()
        };
        let keyring = add(c"keyring", c"PSKs", &[], THREAD_KEYRING);
        let [long, short] = [c"host subsystem2", c"host subsystem"].map(|it| add(c"user", it, &[7], keyring));
        // The type "psk" comes with NVMe, which not every kernel has.
        let search = PskSearch { kind: c"user", ..PskSearch::new(keyring) };
        assert_eq!(search.find_exactly(b"host sub"), None);
        system::keyctl_clear(keyring.0).unwrap();
        assert_eq!(search.find_exactly(b"host subsystem"), Some(short));
        assert_eq!(search.find_exactly(b"host subsystem2"), Some(long));
        assert_eq!(search.find(b"host subsystem").unwrap(), None, "the kernel is asked first");
        assert_eq!(PskSearch { kind: c"psk", ..search }.find_exactly(b"host subsystem"), None);
    }

    #[test]
    fn serials_of_no_key() {
        assert_eq!((KeySerial::new(0), KeySerial::new(-3)), (None, None));
        assert_eq!(KeySerial::new(0x5678).unwrap().to_string(), "key 0x5678");
    }
}
