//! A GLib key file: its groups and their settings, and the kinds of values in it.

use std::path::Path;

/// What is wrong, and in which line.
pub(super) type Problem = (usize, String);

/// A group: `[name]` and what follows. One that stands twice is one.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    pub(super) line: usize,
    pub(super) settings: Vec<Setting<'a>>,
}

/// `key=value`
#[derive(Debug)]
pub(super) struct Setting<'a> {
    pub(super) key: &'a str,
    pub(super) value: String,
    pub(super) line: usize,
}

/// Reads a file's groups, in the order in which they begin.
pub(super) fn read(text: &str) -> Result<Vec<Group<'_>>, Problem> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut current = None;
    for (line, text) in text.lines().enumerate().map(|(index, text)| (index + 1, text.trim())) {
        let error = |problem| (line, problem);
        match read_line(text).map_err(error)? {
            Line::Nothing => {}
            Line::Group(name) => {
                current = Some(groups.iter().position(|group| group.name == name).unwrap_or_else(|| {
                    groups.push(Group { name, line, settings: Vec::new() });
                    groups.len() - 1
                }));
            }
            Line::Setting(key, value) => {
                let group = current.and_then(|index| groups.get_mut(index));
                let group = group.ok_or_else(|| error(format!("{key} stands before any [section]")))?;
                if group.settings.iter().any(|setting| setting.key == key) {
                    return Err(error(format!("{key} is set a second time in [{}]", group.name)));
                }
                group.settings.push(Setting { key, value: unescape(value).map_err(error)?, line });
            }
        }
    }
    Ok(groups)
}

enum Line<'a> {
    Nothing,
    Group(&'a str),
    Setting(&'a str, &'a str),
}

fn read_line(text: &str) -> Result<Line<'_>, String> {
    if text.is_empty() || text.starts_with('#') {
        return Ok(Line::Nothing);
    }
    if let Some(name) = text.strip_prefix('[') {
        return name
            .strip_suffix(']')
            .map(Line::Group)
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

/// A list of names of these things, however they are capitalised, each named once.
pub(super) fn named<T: Copy + PartialEq>(
    key: &str,
    value: &str,
    all: &[T],
    name_of: fn(T) -> &'static str,
) -> Result<Vec<T>, String> {
    let mut found = Vec::new();
    let names = list(value);
    if names.is_empty() {
        return Err(format!("{key} is empty"));
    }
    for name in names {
        let thing = all.iter().copied().find(|thing| name_of(*thing).eq_ignore_ascii_case(&name));
        let thing = thing.ok_or_else(|| {
            let names = words(all.iter().map(|thing| name_of(*thing)));
            format!("{key} takes a list of {names}, not {name:?}")
        })?;
        if found.contains(&thing) {
            return Err(format!("{key} names {name:?} twice"));
        }
        found.push(thing);
    }
    Ok(found)
}

/// One of several words.
pub(super) fn choice<T: Copy>(key: &str, value: &str, choices: &[(&'static str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(word, _)| *word == value).map(|(_, meaning)| *meaning);
    let words = || words(choices.iter().map(|(word, _)| *word));
    found.ok_or_else(|| format!("{key} is {}, not {value:?}", words()))
}

/// "a, b or c"
fn words(words: impl Iterator<Item = &'static str>) -> String {
    let words: Vec<_> = words.collect();
    let (last, others) = words.split_last().unwrap_or((&"", &[]));
    format!("{} or {last}", others.join(", "))
}

/// A path, which is to be one from the root: where a service starts is nobody's choice.
pub(super) fn path<'a>(key: &str, value: &'a str) -> Result<&'a Path, String> {
    let path = Some(Path::new(value)).filter(|path| path.is_absolute());
    path.ok_or_else(|| format!("{key} takes a path from the root, not {value:?}"))
}

/// A list separated by semicolons, the last of which may be missing.
pub(super) fn list(value: &str) -> Vec<String> {
    value.split(';').map(str::trim).filter(|entry| !entry.is_empty()).map(Into::into).collect()
}

/// The escapes of a GLib key file: `\s \n \t \r \\`; not `\;`: an entry of a list
/// with a semicolon in it cannot be written, and is not to become two.
fn unescape(value: &str) -> Result<String, String> {
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
                _ => return Err(format!("{value:?} has an unknown escape")),
            },
            character => character,
        });
    }
    Ok(text)
}
