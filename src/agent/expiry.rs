//! How long the configured certificates are still valid.

use std::{
    collections::BTreeSet,
    fmt,
    time::{Duration, Instant},
};

use super::{
    log,
    material::{Choice, Settings},
};
use crate::crypto::{
    certificate::UnixTime,
    x509::{self, time::Rfc3339},
};

/// How long before its end a certificate is worth a warning, in seconds.
pub(super) const WARNING: u64 = 14 * 24 * 60 * 60;
/// How often the warning is repeated.
const INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// A configured certificate chain, and when the first of it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lifetime {
    /// The section of the configuration that names it.
    pub(super) section: String,
    /// The file.
    pub(super) path: String,
    pub(super) not_after: UnixTime,
}

/// The lifetimes of the configured certificates, and when to speak of them again.
#[derive(Debug)]
pub(super) struct Calendar {
    pub(super) lifetimes: Vec<Lifetime>,
    due: Instant,
}

impl Calendar {
    /// Looks at settings that were just loaded.
    pub(super) fn new(settings: &Settings) -> Self {
        let mut lifetimes: Vec<Lifetime> = settings.choices().filter_map(lifetime).collect();
        // A profile may have its side's.
        let mut seen = BTreeSet::new();
        lifetimes.retain(|lifetime| seen.insert(lifetime.path.clone()));
        Self { lifetimes, due: Instant::now() }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.due
    }

    /// Once a day, warns of what expires.
    pub(super) fn warn_if_due(&mut self, now: UnixTime) {
        if self.due <= Instant::now() {
            self.due = Instant::now() + INTERVAL;
            let soon = self.lifetimes.iter().filter(|lifetime| lifetime.not_after.0 <= now.0 + WARNING);
            soon.for_each(|lifetime| log::warning(format_args!("{}", Warning { lifetime, now })));
        }
    }
}

fn lifetime(choice: Choice<'_>) -> Option<Lifetime> {
    let chain = &choice.side.identity.as_ref()?.credential.chain;
    let ends = chain.iter().filter_map(|certificate| x509::validity(certificate).ok());
    let path = choice.section.certificate.as_ref()?.path.display().to_string();
    let not_after = ends.map(|validity| validity.not_after).min()?;
    Some(Lifetime { section: choice.name.into(), path, not_after })
}

struct Warning<'a> {
    lifetime: &'a Lifetime,
    now: UnixTime,
}

impl fmt::Display for Warning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lifetime: Lifetime { section, path, not_after }, now } = self;
        let end = Rfc3339(*not_after);
        match not_after.0.checked_sub(now.0) {
            None => {
                write!(f, "{path}: the certificate of [{section}] has expired, at {end}: peers refuse it")
            }
            Some(left) => {
                write!(
                    f,
                    "{path}: the certificate of [{section}] expires in {} days, at {end}",
                    left / 86_400
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::material::tests::settings;

    #[test]
    fn a_warning_says_how_much_time_is_left() {
        let lifetime =
            Lifetime { section: "s".into(), path: "/s.pem".into(), not_after: UnixTime(1_709_251_199) };
        let warning = |now| Warning { lifetime: &lifetime, now: UnixTime(now) }.to_string();
        assert_eq!(
            warning(1_709_251_199 - 86_400),
            "/s.pem: the certificate of [s] expires in 1 days, at 2024-02-29T23:59:59Z"
        );
        assert!(warning(1_709_251_200).contains("has expired, at 2024-02-29"));
    }

    #[test]
    fn the_first_of_a_chain_to_expire_counts() {
        let mut calendar = Calendar::new(&settings(
            "[authenticate.server]\nx509.certificate=DIR/server.pem\nx509.private_key=DIR/server.key\n\
             [authenticate.server.other]\nmatch.local_port=1\n",
        ));
        let [Lifetime { section, path, not_after }] = &calendar.lifetimes[..] else { panic!("one") };
        assert_eq!(section, "authenticate.server");
        // openssl x509 -enddate -noout
        assert_eq!(
            (path.ends_with("/server.pem"), Rfc3339(*not_after).to_string()),
            (true, NOT_AFTER.into())
        );
        let due = calendar.deadline();
        calendar.warn_if_due(UnixTime(0));
        assert!(calendar.deadline() >= due + INTERVAL);
    }

    const NOT_AFTER: &str = "2126-07-22T02:21:07Z";
}
