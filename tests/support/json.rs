//! Just enough JSON to read test vectors: malformed text is a panic.

use std::{collections::HashMap, str::Chars};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(f64),
    String(String),
    Array(Vec<Json>),
    Object(HashMap<String, Json>),
}

static NULL: Json = Json::Null;

impl Json {
    pub fn parse(text: &str) -> Self {
        let mut chars = text.chars();
        let value = parse_value(&mut chars);
        assert_eq!(chars.as_str().trim(), "", "text after the JSON value");
        value
    }

    /// A member of an object; null if there is none.
    pub fn get(&self, key: &str) -> &Json {
        match self {
            Self::Object(members) => members.get(key).unwrap_or(&NULL),
            _ => &NULL,
        }
    }

    /// The elements of an array; none for anything else.
    pub fn items(&self) -> &[Json] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

fn next_token(chars: &mut Chars<'_>) -> char {
    chars.find(|c| !c.is_ascii_whitespace()).expect("more JSON")
}

fn peek_token(chars: &mut Chars<'_>) -> char {
    *chars = chars.as_str().trim_start().chars();
    chars.clone().next().expect("more JSON")
}

fn parse_value(chars: &mut Chars<'_>) -> Json {
    match peek_token(chars) {
        '{' => Json::Object(parse_list(chars, '}', |chars| {
            let key = parse_string(chars);
            assert_eq!(next_token(chars), ':');
            (key, parse_value(chars))
        })),
        '[' => Json::Array(parse_list(chars, ']', parse_value)),
        '"' => Json::String(parse_string(chars)),
        _ => parse_word(chars),
    }
}

fn parse_list<T, C: FromIterator<T>>(
    chars: &mut Chars<'_>,
    end: char,
    item: impl Fn(&mut Chars<'_>) -> T,
) -> C {
    let mut items = Vec::new();
    next_token(chars);
    if peek_token(chars) == end {
        next_token(chars);
        return items.into_iter().collect();
    }
    loop {
        items.push(item(chars));
        match next_token(chars) {
            ',' => {}
            c => {
                assert_eq!(c, end);
                return items.into_iter().collect();
            }
        }
    }
}

fn parse_word(chars: &mut Chars<'_>) -> Json {
    let text = chars.as_str();
    let end = text.find([',', ']', '}', '\n', ' ']).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    *chars = rest.chars();
    match word {
        "null" => Json::Null,
        "true" => Json::Bool(true),
        "false" => Json::Bool(false),
        number => Json::Number(number.parse().expect("a JSON number")),
    }
}

fn parse_string(chars: &mut Chars<'_>) -> String {
    assert_eq!(next_token(chars), '"');
    let mut text = String::new();
    loop {
        match chars.next().expect("the string's end") {
            '"' => return text,
            '\\' => text.push(parse_escape(chars)),
            c => text.push(c),
        }
    }
}

fn parse_escape(chars: &mut Chars<'_>) -> char {
    match chars.next().expect("an escape") {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'u' => match parse_unit(chars) {
            high @ 0xd800..0xdc00 => {
                assert_eq!((chars.next(), chars.next()), (Some('\\'), Some('u')));
                let low = parse_unit(chars);
                char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).expect("a surrogate pair")
            }
            unit => char::from_u32(unit).expect("a character"),
        },
        c => c,
    }
}

fn parse_unit(chars: &mut Chars<'_>) -> u32 {
    let digits: String = chars.take(4).collect();
    u32::from_str_radix(&digits, 16).expect("four hex digits")
}
