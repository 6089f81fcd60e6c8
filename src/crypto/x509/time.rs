//! Points in time as certificates, command lines and log lines write them.

use core::{fmt, time::Duration};

use der::{DateTime, Decode, Reader, Tag, Tagged, asn1::AnyRef};

use super::problem::Problem;
use crate::crypto::{certificate::UnixTime, der_reader::DerReader};

/// The time in which a certificate is valid, both ends included (RFC 5280, Section 4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: UnixTime,
    /// The last second.
    pub not_after: UnixTime,
}

impl Validity {
    pub(super) fn read(reader: &mut DerReader<'_>) -> Result<Self, Problem> {
        reader.sequence(|r| Ok(Self { not_before: read(r)?, not_after: read(r)? }))
    }

    pub(super) fn check(&self, now: UnixTime) -> Result<(), Problem> {
        if now < self.not_before {
            return Err(Problem::NotYetValid(self.not_before));
        }
        if now > self.not_after {
            return Err(Problem::Expired(self.not_after));
        }
        Ok(())
    }
}

/// Reads a Time: UTCTime through 2049, GeneralizedTime after; to the second, in UTC, as the profile demands.
pub(super) fn read(reader: &mut DerReader<'_>) -> Result<UnixTime, Problem> {
    const MALFORMED: Problem =
        Problem::Malformed("a time is not YYMMDDHHMMSSZ (to 2049) or YYYYMMDDHHMMSSZ (after)");
    let time = AnyRef::decode(reader)?;
    let digits = time.value().strip_suffix(b"Z").ok_or(MALFORMED)?;
    //= rfc5280#section-4.1.2.5
    //# Conforming applications MUST be able to process validity dates that are encoded in either UTCTime or
    //# GeneralizedTime.
    let (year, rest) = match (time.tag(), digits.len()) {
        //= rfc5280#section-4.1.2.5
        //# CAs conforming to this profile MUST always encode certificate validity dates through the year 2049
        //# as UTCTime; certificate validity dates in 2050 or later MUST be encoded as GeneralizedTime.
        //= rfc5280#section-4.1.2.5.1
        //# UTCTime values MUST be expressed in Greenwich Mean Time (Zulu) and MUST include seconds
        (Tag::UtcTime, 12) => {
            let (year, rest) = digits.split_at(2);
            //= rfc5280#section-4.1.2.5.1
            //# Conforming systems MUST interpret the year field (YY) as follows:
            //= rfc5280#section-4.1.2.5.1
            //# Where YY is greater than or equal to 50, the year SHALL be interpreted as 19YY; and
            //= rfc5280#section-4.1.2.5.1
            //# Where YY is less than 50, the year SHALL be interpreted as 20YY.
            let year = number(year).ok_or(MALFORMED)?;
            (year.saturating_add(if year < 50 { 2000 } else { 1900 }), rest)
        }
        //= rfc5280#section-4.1.2.5.2
        //# GeneralizedTime values MUST be expressed in Greenwich Mean Time (Zulu) and MUST include seconds
        //= rfc5280#section-4.1.2.5.2
        //# GeneralizedTime values MUST NOT include fractional seconds.
        (Tag::GeneralizedTime, 14) => {
            let (year, rest) = digits.split_at(4);
            (number(year).filter(|year| *year >= 2050).ok_or(MALFORMED)?, rest)
        }
        _ => return Err(MALFORMED),
    };
    let mut fields = [0; 5];
    for (field, digits) in fields.iter_mut().zip(rest.chunks(2)) {
        *field = number(digits).ok_or(MALFORMED)?;
    }
    civil(year, fields).ok_or(MALFORMED)
}

/// Reads a time as RFC 3339, Section 5.6 writes it; a fraction of a second is dropped.
pub fn parse_rfc3339(text: &str) -> Option<UnixTime> {
    let (local, rest) = text.split_at_checked(19)?;
    let mut numbers = local.split(['-', 'T', 't', ' ', ':']);
    let year = numbers.next().filter(|year| year.len() == 4)?;
    let mut fields = [0; 5];
    for field in &mut fields {
        *field = number(numbers.next().filter(|digits| digits.len() == 2)?.as_bytes())?;
    }
    let local = civil(number(year.as_bytes())?, fields)?;
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    offset(local, zone)
}

fn offset(local: UnixTime, zone: &str) -> Option<UnixTime> {
    if matches!(zone, "Z" | "z") {
        return Some(local);
    }
    let (sign, clock) = zone.split_at_checked(1)?;
    let (hours, minutes) = clock.split_once(':').filter(|_| clock.len() == 5)?;
    let seconds = u64::from(number(hours.as_bytes())?).checked_mul(3600)?;
    let seconds = u64::from(number(minutes.as_bytes())?).checked_mul(60)?.checked_add(seconds)?;
    match sign {
        "+" => local.0.checked_sub(seconds),
        "-" => local.0.checked_add(seconds),
        _ => None,
    }
    .map(UnixTime)
}

/// What lies before 1970 becomes its first second: no clock of ours is set there.
fn civil(year: u16, [month, day, hour, minute, second]: [u16; 5]) -> Option<UnixTime> {
    /// The Gregorian calendar repeats itself after this many years.
    const CYCLE: u16 = 400;
    let small = |n: u16| u8::try_from(n).ok();
    let early = year < 1970;
    let year = if early { year.checked_add(CYCLE)? } else { year };
    let time =
        DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?).ok()?;
    Some(UnixTime(if early { 0 } else { time.unix_duration().as_secs() }))
}

fn number(digits: &[u8]) -> Option<u16> {
    digits.first()?;
    digits.iter().try_fold(0_u16, |number, digit| {
        let digit = char::from(*digit).to_digit(10).and_then(|digit| u16::try_from(digit).ok())?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Writes a time as "2024-04-01T00:00:00Z".
#[derive(Clone, Copy, Debug)]
pub struct Rfc3339(pub UnixTime);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_unix_duration(Duration::from_secs(self.0.0)) {
            Ok(time) => time.fmt(f),
            Err(_) => write!(f, "{} s after 1970", self.0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, text: &str) -> Result<UnixTime, Problem> {
        let mut bytes = vec![tag, u8::try_from(text.len()).unwrap()];
        bytes.extend(text.as_bytes());
        read(&mut DerReader::new(&bytes))
    }

    //= rfc5280#section-4.1.2.5
    //= type=test
    //# Conforming applications MUST be able to process validity dates that are encoded in either UTCTime or
    //# GeneralizedTime.
    //= rfc5280#section-4.1.2.5.1
    //= type=test
    //# Conforming systems MUST interpret the year field (YY) as follows:
    //= rfc5280#section-4.1.2.5.1
    //= type=test
    //# Where YY is greater than or equal to 50, the year SHALL be interpreted as 19YY; and
    //= rfc5280#section-4.1.2.5.1
    //= type=test
    //# Where YY is less than 50, the year SHALL be interpreted as 20YY.
    #[test]
    fn reads_both_forms_to_the_second() {
        assert_eq!(der(0x17, "700101000001Z"), Ok(UnixTime(1)));
        assert_eq!(der(0x17, "240229235959Z"), Ok(UnixTime(1_709_251_199)));
        assert_eq!(der(0x17, "500101000000Z"), Ok(UnixTime(0)));
        assert_eq!(der(0x18, "99991231235959Z"), Ok(UnixTime(253_402_300_799)));
        assert_eq!(Rfc3339(UnixTime(1_709_251_199)).to_string(), "2024-02-29T23:59:59Z");
    }

    //= rfc5280#section-4.1.2.5
    //= type=test
    //# CAs conforming to this profile MUST always encode certificate validity dates through the year 2049 as
    //# UTCTime; certificate validity dates in 2050 or later MUST be encoded as GeneralizedTime.
    //= rfc5280#section-4.1.2.5.1
    //= type=test
    //# UTCTime values MUST be expressed in Greenwich Mean Time (Zulu) and MUST include seconds
    //= rfc5280#section-4.1.2.5.2
    //= type=test
    //# GeneralizedTime values MUST be expressed in Greenwich Mean Time (Zulu) and MUST include seconds
    //= rfc5280#section-4.1.2.5.2
    //= type=test
    //# GeneralizedTime values MUST NOT include fractional seconds.
    #[test]
    fn refuses_every_other_form() {
        for utc in [
            "2401010000Z",
            "240101000000",
            "240101000000+0000",
            "230229000000Z",
            "24010100000 Z",
            "240101000060Z",
            "",
        ] {
            assert!(der(0x17, utc).is_err(), "{utc}");
        }
        for generalized in ["20240101000000Z", "20500101000000.5Z", "205001010000Z", "20500101000000"] {
            assert!(der(0x18, generalized).is_err(), "{generalized}");
        }
    }

    #[test]
    fn reads_rfc3339() {
        let expected = Some(UnixTime(1_709_251_199));
        for text in [
            "2024-02-29T23:59:59Z",
            "2024-02-29t23:59:59.005+00:00",
            "2024-03-01 01:29:59+01:30",
            "2024-02-29T22:59:59-01:00",
        ] {
            assert_eq!(parse_rfc3339(text), expected, "{text}");
        }
        for bad in [
            "",
            "2024-02-29",
            "2024-02-29T23:59:59",
            "2024-02-30T00:00:00Z",
            "2024-02-29T23:59:59+1:00",
            "2024-02-29T23:59:59.Zx",
        ] {
            assert_eq!(parse_rfc3339(bad), None, "{bad}");
        }
    }
}
