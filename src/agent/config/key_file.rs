//! A GLib key file: its lines, and the kinds of values in it.

pub(super) enum Line<'a> {
    Nothing,
    Section(&'a str),
    Setting(&'a str, &'a str),
}

pub(super) fn read_line(text: &str) -> Result<Line<'_>, String> {
    if text.is_empty() || text.starts_with('#') {
        return Ok(Line::Nothing);
    }
    if let Some(name) = text.strip_prefix('[') {
        return name
            .strip_suffix(']')
            .map(Line::Section)
            .ok_or_else(|| format!("{text:?} has no closing bracket"));
    }
    let (key, value) =
        text.split_once('=').ok_or_else(|| format!("{text:?} is neither a [section] nor key=value"))?;
    Ok(Line::Setting(key.trim_end(), value.trim_start()))
}

pub(super) fn number(key: &str, value: &str) -> Result<u32, String> {
    value.parse().map_err(|_| format!("{key} takes a number, not {value:?}"))
}

pub(super) fn boolean(key: &str, value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| format!("{key} is true or false, not {value:?}"))
}

/// A list separated by semicolons, the last of which may be missing.
pub(super) fn list(value: &str) -> Vec<String> {
    value.split(';').map(str::trim).filter(|entry| !entry.is_empty()).map(Into::into).collect()
}

/// The escapes of a GLib key file: `\s \n \t \r \\`.
pub(super) fn unescape(value: &str) -> Result<String, String> {
    let mut text = String::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '\\' => match characters.next() {
                Some('s') => ' ',
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('\\') => '\\',
                Some(';') => ';',
                _ => return Err(format!("{value:?} has an unknown escape")),
            },
            character => character,
        });
    }
    Ok(text)
}
