//! Random graphs of authorities with random faults: what validators are compared on.

use super::issue::{CLIENT_AUTH, Key, Parts, SERVER_AUTH, Template};

/// A generator of small numbers: the same graphs each time.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.roll(n) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len() as u64) as usize]
    }
}

pub struct Graph {
    /// The end entity's.
    pub names: Vec<String>,
    pub roots: Vec<Vec<u8>>,
    /// The end entity first.
    pub chain: Vec<Vec<u8>>,
    /// The name that is asked for.
    pub asked: &'static str,
}

const AUTHORITIES: [&str; 4] = ["Authority A", "Authority B", "Authority C", "Authority D"];
const NAMES: [&str; 6] = ["a.test", "b.a.test", "*.a.test", "a.example", "c.b.a.test", "*.test"];
const SUBTREES: [&str; 5] = ["a.test", "test", "b.a.test", "example", "x.a.test"];

fn faults(template: &mut Template<'_>, dice: &mut Dice) {
    if dice.one_in(25) {
        template.years = dice.pick(&[(2020, 2025), (2035, 2040)]);
    }
    if dice.one_in(50) {
        template.others.push((&[0x2a, 3, 4], true, vec![5, 0]));
    }
    if dice.one_in(6) {
        let all: [Vec<&'static [u8]>; 3] =
            [vec![SERVER_AUTH], vec![CLIENT_AUTH], vec![CLIENT_AUTH, SERVER_AUTH]];
        template.purposes = all[dice.roll(3) as usize].clone();
    }
}

impl Graph {
    /// Names are shared among keys and keys among names, so that there are loops, twins and dead ends; without key identifiers
    /// only signatures tell twins apart.
    pub fn random(keys: &[Key], dice: &mut Dice, key_identifiers: bool) -> Self {
        let mut root = Template::new("Root", &keys[0]);
        root.ca = Some(None);
        let roots = vec![root.issue("Root", &keys[0])];
        let mut chain = Vec::new();
        let mut leaf = Template::new("leaf", &keys[7]);
        leaf.names = (0..1 + dice.roll(3)).map(|_| dice.pick(&NAMES).to_owned()).collect();
        faults(&mut leaf, dice);
        leaf.serial = 1 + dice.roll(2) as u8;
        leaf.key_identifiers = key_identifiers;
        let names = leaf.names.clone();
        chain.push(leaf.issue(AUTHORITIES[0], &keys[1 + dice.roll(2) as usize]));
        for _ in 0..2 + dice.roll(6) {
            let subject = dice.roll(4) as usize;
            let mut authority =
                Template::new(AUTHORITIES[subject], &keys[1 + dice.roll(2) as usize + subject]);
            authority.ca = Some(if dice.one_in(3) { Some(dice.roll(3) as u8) } else { None });
            authority.key_identifiers = key_identifiers;
            if dice.one_in(15) {
                authority.ca = None;
            }
            faults(&mut authority, dice);
            if dice.one_in(6) && authority.ca.is_some() {
                let subtree = vec![dice.pick(&SUBTREES).to_owned()];
                *(if dice.one_in(2) { &mut authority.permitted } else { &mut authority.excluded }) = subtree;
            }
            let issuer = dice.roll(5) as usize;
            if dice.one_in(2) || issuer == subject {
                chain.push(authority.issue("Root", &keys[0]));
            } else {
                let issuer = issuer % 4;
                // Self-issued intermediates are among the explained differences; graphs are easier to judge without them.
                if issuer != subject {
                    chain.push(
                        authority.issue(AUTHORITIES[issuer], &keys[1 + dice.roll(2) as usize + issuer]),
                    );
                }
            }
        }
        let asked = dice.pick(&["a.test", "b.a.test", "c.b.a.test", "a.example"]);
        Self { names, roots, chain, asked }
    }
}

/// A sound chain of three in which one thing is changed before it is signed.
pub fn mutated(keys: &[Key], dice: &mut Dice) -> Graph {
    let mut root = Template::new("Root", &keys[0]);
    root.ca = Some(None);
    let mut authority = Template::new(AUTHORITIES[0], &keys[1]);
    authority.ca = Some(Some(1));
    authority.permitted = vec!["test".into()];
    authority.purposes = vec![SERVER_AUTH, CLIENT_AUTH];
    let mut leaf = Template::new("leaf", &keys[7]);
    leaf.names = vec!["a.test".into(), "*.b.test".into()];
    leaf.purposes = vec![SERVER_AUTH];
    let names = leaf.names.clone();
    let of_leaf = dice.one_in(2);
    let mut edit = |parts: &mut Parts| mutate(parts, dice);
    let chain = if of_leaf {
        vec![leaf.issue_edited(AUTHORITIES[0], &keys[1], &mut edit), authority.issue("Root", &keys[0])]
    } else {
        vec![leaf.issue(AUTHORITIES[0], &keys[1]), authority.issue_edited("Root", &keys[0], &mut edit)]
    };
    let asked = dice.pick(&["a.test", "x.b.test", "a.test", "b.test"]);
    Graph { names, roots: vec![root.issue("Root", &keys[0])], chain, asked }
}

/// Changes a bit of a field, or leaves an extension out, or repeats it, or drops its end.
fn mutate(parts: &mut Parts, dice: &mut Dice) {
    let number = dice.roll(parts.extensions.len() as u64) as usize;
    let Parts { version, serial, signature, validity, subject, spki, algorithm, extensions, .. } = parts;
    match dice.roll(6) {
        0 => drop(extensions.remove(number)),
        1 => extensions.push(extensions[number].clone()),
        2 => drop(extensions[number].pop()),
        3 => {
            let fields = [version, serial, signature, validity, subject, spki, algorithm];
            flip(fields.into_iter().nth(dice.roll(7) as usize).expect("one of seven"), dice);
        }
        _ => flip(&mut extensions[number], dice),
    }
}

fn flip(field: &mut [u8], dice: &mut Dice) {
    let index = dice.roll(field.len() as u64) as usize;
    field[index] ^= 1 << dice.roll(8);
}
