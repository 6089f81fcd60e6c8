//! What messages between broker and worker are made of.

use crate::{
    crypto::certificate::UnixTime,
    engine::codec::{Malformed, Reader, Writer},
};

pub(super) fn write_time(w: &mut Writer, time: UnixTime) {
    w.bytes(&time.0.to_be_bytes());
}

pub(super) fn read_time(r: &mut Reader<'_>) -> Result<UnixTime, Malformed> {
    read_u64(r).map(UnixTime)
}

pub(super) fn read_u64(r: &mut Reader<'_>) -> Result<u64, Malformed> {
    r.array().map(|bytes| u64::from_be_bytes(*bytes))
}

/// An index into a list of at most a few: PSKs, groups.
pub(super) fn write_index(w: &mut Writer, index: usize) {
    w.u16(u16::try_from(index).unwrap_or(u16::MAX));
}

pub(super) fn read_index(r: &mut Reader<'_>) -> Result<usize, Malformed> {
    r.u16().map(usize::from)
}

pub(super) fn write_flag(w: &mut Writer, flag: bool) {
    w.u8(flag.into());
}

pub(super) fn read_flag(r: &mut Reader<'_>) -> Result<bool, Malformed> {
    match r.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed("flag")),
    }
}

pub(super) fn write_blob(w: &mut Writer, bytes: &[u8]) {
    w.vector24(|w| w.bytes(bytes));
}

pub(super) fn read_blob(r: &mut Reader<'_>) -> Result<Vec<u8>, Malformed> {
    Ok(r.vector24()?.rest().into())
}

pub(super) fn write_option<T: ?Sized>(
    w: &mut Writer,
    value: Option<&T>,
    write: impl FnOnce(&mut Writer, &T),
) {
    write_flag(w, value.is_some());
    if let Some(value) = value {
        write(w, value);
    }
}

pub(super) fn read_option<'a, T>(
    r: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Option<T>, Malformed> {
    if read_flag(r)? { read(r).map(Some) } else { Ok(None) }
}

pub(super) fn write_list<T>(w: &mut Writer, list: &[T], mut write: impl FnMut(&mut Writer, &T)) {
    w.vector24(|w| list.iter().for_each(|entry| write(w, entry)));
}

pub(super) fn read_list<'a, T>(
    r: &mut Reader<'a>,
    read: impl FnMut(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    read_all(&mut r.vector24()?, read)
}

/// Reads entries until nothing is left.
pub(super) fn read_all<'a, T>(
    r: &mut Reader<'a>,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut list = Vec::new();
    while !r.is_empty() {
        list.push(read(r)?);
    }
    Ok(list)
}

pub(super) fn write_codes(w: &mut Writer, codes: impl Iterator<Item = u16>) {
    w.vector16(|w| codes.for_each(|code| w.u16(code)));
}

pub(super) fn read_codes<T>(
    r: &mut Reader<'_>,
    from_code: impl Fn(u16) -> Option<T>,
) -> Result<Vec<T>, Malformed> {
    read_all(&mut r.vector16()?, |r| from_code(r.u16()?).ok_or(Malformed("code point")))
}
