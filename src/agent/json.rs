//! Writes JSON (RFC 8259), for the log and for `handclasp status --json`: objects without a space, on one line.

use std::fmt::{self, Display, Write};

use crate::crypto::x509::distinguished_name::shown;

/// An object on its way, as text.
pub(super) struct Object(String);

impl Object {
    pub(super) fn new() -> Self {
        Self(String::from("{"))
    }

    /// A member whose value is a string; characters that a terminal acts on are replaced.
    pub(super) fn string(&mut self, name: &str, value: impl Display) {
        self.name(name);
        self.0.push('"');
        // Writing to a string does not fail.
        let _ = write!(Escaped { text: &mut self.0, left: LONGEST }, "{value}");
        self.0.push('"');
    }

    pub(super) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        self.0.push_str(&value.to_string());
    }

    pub(super) fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        self.0.push_str(if value { "true" } else { "false" });
    }

    /// A member whose value is a list of objects.
    pub(super) fn list(&mut self, name: &str, values: impl IntoIterator<Item = Self>) {
        self.name(name);
        let values: Vec<String> = values.into_iter().map(Self::finish).collect();
        self.0.push_str(&format!("[{}]", values.join(",")));
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    /// Names are ours, and need no escape.
    fn name(&mut self, name: &str) {
        if !self.0.ends_with('{') {
            self.0.push(',');
        }
        self.0.push_str(&format!("\"{name}\":"));
    }
}

/// The longest string, in characters: no line of a log is without end.
const LONGEST: usize = 1000;

/// Writes what is given to it as the inside of a string.
struct Escaped<'a> {
    text: &'a mut String,
    left: usize,
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, value: &str) -> fmt::Result {
        for character in value.chars() {
            let Some(left) = self.left.checked_sub(1) else { break };
            self.left = left;
            match character {
                '"' | '\\' => self.text.extend(['\\', character]),
                _ => self.text.push(shown(character)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_json() {
        let mut inner = Object::new();
        inner.flag("yes", true);
        let mut object = Object::new();
        object.number("n", u64::MAX);
        object.string("s", "a\"b\\c\nd\u{202e}é");
        object.list("l", [inner, Object::new()]);
        object.list("none", []);
        assert_eq!(
            object.finish(),
            r#"{"n":18446744073709551615,"s":"a\"b\\c�d�é","l":[{"yes":true},{}],"none":[]}"#
        );
    }

    #[test]
    fn strings_have_an_end() {
        let mut object = Object::new();
        object.string("s", format_args!("{}{}", "x".repeat(2000), "y"));
        assert_eq!(object.finish(), format!("{{\"s\":\"{}\"}}", "x".repeat(1000)));
    }
}
