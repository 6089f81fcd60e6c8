//! What is asked of issuers alone, and endangers nobody if it is not kept: rules of RFC 5280, and of the CA/Browser Forum's Baseline
//! Requirements (BR) for public authorities. [`super::Policy::issuer_profile`] waives all of it.

use super::{certificate::Certificate, distinguished_name, problem::Problem};

impl Certificate<'_> {
    /// What the certificate does that RFC 5280 asks its issuer not to do, and that endangers nobody ([`super::Policy::issuer_profile`]).
    pub(super) fn issuer_fault(&self) -> Option<Problem> {
        let extensions = &self.extensions;
        let nameless = self.subject == distinguished_name::EMPTY;
        let is_authority = extensions.basic_constraints.is_some_and(|constraints| constraints.ca);
        let rule = if extensions.subject_alt_name.is_some_and(|names| names.critical != nameless) {
            "subjectAltName is critical when the subject is empty, and only then (Section 4.2.1.6)"
        } else if is_authority
            && extensions.basic_constraints.is_some_and(|constraints| !constraints.critical)
        {
            "a CA's basicConstraints must be critical (Section 4.2.1.9)"
        } else if is_authority && extensions.subject_key_identifier.is_none() {
            "a CA must have a subjectKeyIdentifier (Section 4.2.1.2)"
        } else {
            return None;
        };
        Some(Problem::Profile(rule))
    }
}
