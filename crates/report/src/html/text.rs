//! Times, sizes, dates and signs as the page shows them.

/// Seconds in the two largest units that matter, as the terminal has them: `0.4s`, `42s`, `1m20s`, `3h05m`, `2d04h`.
pub(super) fn time(seconds: f64) -> String {
    if seconds < 9.95 {
        return format!("{:.1}s", seconds.max(0.0));
    }
    let whole = seconds.round() as u64;
    let (minutes, hours) = (whole / 60, whole / 3600);
    match whole {
        0..60 => format!("{whole}s"),
        60..3600 => format!("{minutes}m{:02}s", whole % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{}d{:02}h", hours / 24, hours % 24),
    }
}

/// Bytes in MiB or GiB.
pub(super) fn bytes(bytes: u64) -> String {
    const MIB: f64 = 1_048_576.0;
    match bytes as f64 / MIB {
        mib if mib < 1024.0 => format!("{mib:.0} MiB"),
        mib => format!("{:.1} GiB", mib / 1024.0),
    }
}

/// The day of a time in RFC 3339; all of it where it is something else.
pub(super) fn day(time: &str) -> &str {
    time.split_once('T').map_or(time, |(day, _)| day)
}

/// From the first to the last day of times in RFC 3339; `None` without a time.
pub(super) fn days<'t>(times: impl Iterator<Item = &'t str> + Clone) -> Option<String> {
    let (first, last) = (day(times.clone().min()?), day(times.max()?));
    Some(if first == last {
        first.to_owned()
    } else {
        format!("{first} to {last}")
    })
}

/// `1 run`, `2 runs`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A printed number with a true minus.
pub(super) fn signed(number: &str) -> String {
    number.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_first_and_the_last_run() {
        let days = |times: &[&'static str]| days(times.iter().copied());
        assert_eq!(days(&[]), None);
        let (one, other) = ("2026-02-03T23:59:59Z", "2026-11-24T09:56:57Z");
        assert_eq!(days(&[one]).unwrap(), "2026-02-03");
        assert_eq!(days(&[other, one]).unwrap(), "2026-02-03 to 2026-11-24");
    }

    #[test]
    fn times_and_sizes_are_short() {
        assert_eq!(
            [0.04, 59.6, 7500.0, 90_061.0].map(time),
            ["0.0s", "1m00s", "2h05m", "1d01h"]
        );
        assert_eq!(
            [36_503_552, 25_276_063_744].map(bytes),
            ["35 MiB", "23.5 GiB"]
        );
        assert_eq!(signed("[-1.5, 2]"), "[\u{2212}1.5, 2]");
        assert_eq!(count(1, "run") + &count(0, "cell"), "1 run0 cells");
    }
}
