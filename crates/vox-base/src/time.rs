//! Moments as integer milliseconds since the Unix epoch, UTC, and the two things cores may not reach for themselves.

use std::fmt;
use std::str::FromStr;

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// Tells the time. The real one lives in vox-host; tests bring their own.
pub trait Clock: Send + Sync {
    /// Returns the present moment.
    fn now(&self) -> Timestamp;
}

/// Gives random bytes. The real one lives in vox-host; tests bring a seeded one.
pub trait Entropy: Send + Sync {
    /// Fills the slice with bytes nobody can predict.
    fn fill(&self, bytes: &mut [u8]);
}

/// The text is not a moment.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a UTC time such as `2026-11-21T12:00:00Z` or a date such as `2026-11-21`")]
pub struct InvalidTime;

const DAY_MS: i64 = 86_400_000;

impl Timestamp {
    /// Returns the moment this many milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Returns this moment moved by some milliseconds, which may be negative.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Returns the first moment of this UTC day.
    #[must_use]
    pub const fn start_of_day(self) -> Self {
        Self(self.0.div_euclid(DAY_MS) * DAY_MS)
    }

    /// Returns the first moment of this ISO week, a Monday.
    #[must_use]
    pub const fn start_of_week(self) -> Self {
        let day = self.0.div_euclid(DAY_MS);
        Self((day - (day + 3).rem_euclid(7)) * DAY_MS)
    }

    /// Returns the first moment of this UTC month.
    #[must_use]
    pub fn start_of_month(self) -> Self {
        let (year, month, _) = civil(self.0.div_euclid(DAY_MS));
        Self(days_from_civil(year, month, 1) * DAY_MS)
    }

    /// Returns the first moment of the UTC month after this one.
    #[must_use]
    pub fn start_of_next_month(self) -> Self {
        let (year, month, _) = civil(self.0.div_euclid(DAY_MS));
        let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        Self(days_from_civil(year, month, 1) * DAY_MS)
    }

    /// Returns the UTC day as `YYYY-MM-DD`.
    #[must_use]
    pub fn day(self) -> String {
        let (year, month, day) = civil(self.0.div_euclid(DAY_MS));
        format!("{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Display for Timestamp {
    /// Writes RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = self.0.rem_euclid(DAY_MS);
        let (hour, minute, second, millis) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000);
        write!(f, "{}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z", self.day())
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
        let mut parts = date.split('-').map(number);
        let (Some(Ok(year)), Some(Ok(month)), Some(Ok(day)), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(InvalidTime);
        };
        let midnight = days_from_civil(year, month, day);
        if civil(midnight) != (year, month, day) {
            return Err(InvalidTime);
        }
        Ok(Self(midnight * DAY_MS + time.map_or(Ok(0), millis_of_day)?))
    }
}

fn millis_of_day(time: &str) -> Result<i64, InvalidTime> {
    let time = time.strip_suffix('Z').ok_or(InvalidTime)?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = clock.split(':').map(number);
    let (Some(Ok(hour)), Some(Ok(minute)), Some(Ok(second)), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(InvalidTime);
    };
    if hour > 23 || minute > 59 || second > 59 || fraction.is_empty() || fraction.len() > 9 {
        return Err(InvalidTime);
    }
    let millis = number(&format!("{fraction:0<3}")[..3])?;
    Ok(((hour * 60 + minute) * 60 + second) * 1000 + millis)
}

fn number(digits: &str) -> Result<i64, InvalidTime> {
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(InvalidTime);
    }
    digits.parse().map_err(|_| InvalidTime)
}

/// Returns the year, month and day of a day counted from the epoch, in the proleptic Gregorian calendar.
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests;
