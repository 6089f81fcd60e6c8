//! What a process remembers of ML-KEM's secrets once they are dropped: nothing, although libcrux wipes nothing.
//!
//! A program of its own, so that the bytes looked for are nowhere in it but where the library put them; they are held masked.
#![cfg(all(target_os = "linux", feature = "pq"))]

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
};

use handclasp::crypto::{
    kx::{KeyExchangeError, KeyShare, NamedGroup, hybrid},
    random::{Random, SystemRandom},
};

const MASK: u8 = 0xa5;
const KEY_PAIRS: &str = include_str!("vectors/wycheproof/mlkem_768_keygen_seed.txt");
const DECAPSULATIONS: &str = include_str!("vectors/wycheproof/mlkem_768.txt");
const ENCAPSULATIONS: &str = include_str!("vectors/wycheproof/mlkem_768_encaps.txt");

/// The fields of the first vector of a file.
fn first(text: &'static str) -> Vec<&'static str> {
    text.lines().find(|line| line.contains(" valid ")).unwrap().split(' ').skip(2).collect()
}

/// Bytes from hexadecimal digits, each masked.
fn bytes(hex: &str, mask: u8) -> impl Iterator<Item = u8> {
    (0..hex.len()).step_by(2).map(move |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap() ^ mask)
}

/// Gives a vector's bytes where ML-KEM asks for randomness.
struct Chosen(&'static str);

impl Random for Chosen {
    fn fill(&mut self, to: &mut [u8]) -> Result<(), KeyExchangeError> {
        assert_eq!(self.0.len(), 2 * to.len());
        to.iter_mut().zip(bytes(self.0, 0)).for_each(|(to, byte)| *to = byte);
        Ok(())
    }

    fn key_share(&mut self, group: NamedGroup) -> Result<Box<dyn KeyShare>, KeyExchangeError> {
        SystemRandom.key_share(group)
    }
}

/// How many of the masked needles occur in our writable memory.
fn found(needles: &[Vec<u8>]) -> Vec<bool> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let mut found = vec![false; needles.len()];
    let mut page = vec![0; (1 << 16) + 16];
    for line in maps.lines().filter(|line| line.split(' ').nth(1).unwrap().starts_with("rw")) {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        for at in (start..end).step_by(1 << 16) {
            // The last bytes of a mapping are read with what follows it, if there is something.
            let length = page.len().min((end - at) as usize);
            memory.read_exact_at(&mut page[..length], at).unwrap();
            for (needle, found) in needles.iter().zip(&mut found) {
                let is_it = |window: &[u8]| window.iter().zip(needle).all(|(a, b)| a ^ MASK == *b);
                *found |= page[..length].windows(16).any(is_it);
            }
        }
        page.fill(0);
    }
    found
}

#[test]
fn nothing_of_ml_kem_stays_in_memory() {
    let [seed, _, private] = first(KEY_PAIRS)[..] else { panic!() };
    let [of_sent, ciphertext, shared] = first(DECAPSULATIONS)[..] else { panic!() };
    let [public, message, _, kept] = first(ENCAPSULATIONS)[..] else { panic!() };
    let needles: Vec<Vec<u8>> = [&seed[..64], &seed[64..], &private[..64], shared, message, kept]
        .map(|hex| bytes(hex, MASK).collect())
        .into();

    let point = SystemRandom.key_share(NamedGroup::X25519).unwrap().public().to_vec();
    let share = hybrid::generate(&mut Chosen(seed)).unwrap();
    assert_eq!(found(&needles), [false, true, true, false, false, false], "z and s are in the key");
    drop(share);
    let share = hybrid::generate(&mut Chosen(of_sent)).unwrap();
    let peer: Vec<u8> = bytes(ciphertext, 0).chain(point.iter().copied()).collect();
    let agreed = share.agree(&peer).unwrap();
    let peer: Vec<u8> = bytes(public, 0).chain(point).collect();
    let response = Chosen(message).respond(NamedGroup::X25519MlKem768, &peer).unwrap();
    assert_eq!(found(&needles), [false, false, false, true, false, true], "both shared secrets are held");
    drop((agreed, response));
    assert_eq!(found(&needles), [false; 6]);
}
