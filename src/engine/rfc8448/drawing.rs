//! RFC 8446, Appendix A, read from its own drawings: which state leads where on receiving what.

use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};

/// An arrow: where it begins, what stands beside it from its tail to its head, where it ends.
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) words: String,
    pub(super) to: String,
}

impl Arrow {
    /// The message that is received, be it empty or not.
    pub(super) fn receives(&self) -> Option<&str> {
        let (_, rest) = self.words.split_once("Recv ")?;
        rest.trim_start_matches("empty ").split(' ').next()
    }
}

/// Lines of text with lines of arrows in it.
struct Drawing(Vec<Vec<char>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
    Left,
    Right,
}

/// A row and a column.
type Cell = (usize, usize);

impl Drawing {
    fn at(&self, (row, column): Cell) -> char {
        self.0.get(row).and_then(|line| line.get(column)).copied().unwrap_or(' ')
    }

    /// Names of states, each with its row and the columns from its first on, to the first behind it.
    fn states(&self) -> Vec<(String, usize, usize, usize)> {
        let mut states = Vec::new();
        for (row, line) in self.0.iter().enumerate() {
            let line: String = line.iter().collect();
            for word in line.split_whitespace().filter(|word| is_state(word)) {
                let start = line.find(word).unwrap();
                states.push((word.to_string(), row, start, start + word.len()));
            }
        }
        states
    }

    /// The state at which an arrow ends that has come to this cell.
    fn state_at(&self, (row, column): Cell, slack: usize) -> Option<String> {
        let is_there = |(_, at, start, end): &(String, usize, usize, usize)| {
            *at == row && (*start..*end).any(|inside| inside.abs_diff(column) <= slack)
        };
        self.states().into_iter().find(is_there).map(|state| state.0)
    }

    /// Follows a line from a cell to every head that it has.
    fn follow(&self, cell: Cell, way: Way, words: &str, found: &mut Vec<(String, String)>) {
        let words = [words, &self.left(cell), &self.right(cell)].join(" ");
        let next = step(cell, way);
        match (self.at(cell), way) {
            ('v' | 'V', Way::Down) | ('>', Way::Right) | ('<', Way::Left) => {
                let to = self.state_at(next, 1).expect("an arrow ends at a state");
                found.push((words.split_whitespace().collect::<Vec<_>>().join(" "), to));
            }
            ('|' | 'v', Way::Up | Way::Down) | ('-', Way::Left | Way::Right) => {
                self.follow(next, way, &words, found);
            }
            ('+', _) => {
                let turns = [Way::Up, Way::Down, Way::Left, Way::Right];
                for turn in turns.into_iter().filter(|turn| *turn != back(way)) {
                    let next = step(cell, turn);
                    let goes_on = match turn {
                        Way::Up | Way::Down => "|vV+",
                        Way::Left | Way::Right => "-<>+",
                    };
                    if goes_on.contains(self.at(next)) {
                        self.follow(next, turn, &words, found);
                    }
                }
            }
            _ => {}
        }
    }

    /// What ends one space before a vertical line.
    fn raw_left(&self, (row, column): Cell) -> String {
        if !"|v".contains(self.at((row, column))) || column < 2 {
            return String::new();
        }
        let line: String = (0..column - 1).map(|at| self.at((row, at))).collect();
        let text = line.rsplit(['|', '+']).next().unwrap_or_default();
        if text.ends_with(' ') { String::new() } else { text.trim().to_string() }
    }

    /// The same, if it does not belong to the line before it.
    fn left(&self, cell @ (row, column): Cell) -> String {
        let text = self.raw_left(cell);
        let between = self.at((row, column.saturating_sub(text.len() + 3))) == '|';
        if between && self.raw_left((row - 1, column)).is_empty() { String::new() } else { text }
    }

    /// What begins one space behind a vertical line, if it does not belong to the next.
    fn right(&self, (row, column): Cell) -> String {
        if !"|v".contains(self.at((row, column))) || self.at((row, column + 2)) == ' ' {
            return String::new();
        }
        let end = (column + 1..).find(|at| self.at((row, *at)) == '|' || *at > 100).unwrap();
        let text: String = (column + 1..end).map(|at| self.at((row, at))).collect();
        let is_theirs = end <= 100 && !self.raw_left((row - 1, end)).is_empty();
        if is_theirs { String::new() } else { text.trim().to_string() }
    }
}

fn is_state(word: &str) -> bool {
    word.len() > 4 && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn step((row, column): Cell, way: Way) -> Cell {
    match way {
        Way::Up => (row - 1, column),
        Way::Down => (row + 1, column),
        Way::Left => (row, column - 1),
        Way::Right => (row, column + 1),
    }
}

fn back(way: Way) -> Way {
    match way {
        Way::Up => Way::Down,
        Way::Down => Way::Up,
        Way::Left => Way::Right,
        Way::Right => Way::Left,
    }
}

/// All arrows of one of the drawings, by its heading.
pub(super) fn arrows(heading: &str) -> Vec<Arrow> {
    let text = include_str!("../../../tests/vectors/rfc8446/appendix-A.txt");
    let (_, text) = text.split_once(heading).unwrap();
    let text = text.split("\nA.").next().unwrap();
    let drawing = Drawing(text.lines().map(|line| line.chars().collect()).collect());
    let mut arrows = Vec::new();
    for (from, row, start, end) in drawing.states() {
        let below = (start..end).filter(|column| drawing.at((row + 1, *column)) == '|');
        let mut tails: Vec<(Cell, Way)> = below.map(|column| ((row + 1, column), Way::Down)).collect();
        if drawing.at((row, end + 1)) == '-' {
            tails.push(((row, end + 1), Way::Right));
        }
        for (cell, way) in tails {
            let mut found = vec![];
            drawing.follow(cell, way, "", &mut found);
            arrows.extend(found.into_iter().map(|(words, to)| Arrow { from: from.clone(), words, to }));
        }
    }
    arrows
}

#[test]
fn the_drawings_are_read() {
    let arrows = [arrows("A.1.  Client"), arrows("A.2.  Server")];
    let is_there = |side: usize, from: &str, words: &str, to: &str| {
        arrows[side].iter().any(|a| a.from == from && a.to == to && a.words == words)
    };
    assert!(is_there(0, "WAIT_SH", "Recv HelloRetryRequest", "START"));
    assert!(is_there(0, "WAIT_EE", "Recv EncryptedExtensions Using PSK", "WAIT_FINISHED"));
    assert!(is_there(0, "WAIT_CERT_CR", "Recv Certificate", "WAIT_CV"));
    assert!(is_there(1, "WAIT_CERT", "Recv empty Certificate", "WAIT_FINISHED"));
    assert!(is_there(1, "WAIT_CV", "Recv CertificateVerify", "WAIT_FINISHED"));
    assert_eq!(arrows.map(|arrows| arrows.len()), [10, 12]);
}
