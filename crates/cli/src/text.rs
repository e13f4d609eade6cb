//! Times, sizes and numbers as people read them.

/// Seconds in the two largest units that matter: `0.4s`, `42s`, `1m20s`, `3h05m`, `2d04h`.
pub(crate) fn time(seconds: f64) -> String {
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
pub(crate) fn bytes(bytes: u64) -> String {
    const MIB: f64 = 1_048_576.0;
    match bytes as f64 / MIB {
        mib if mib < 1024.0 => format!("{mib:.0} MiB"),
        mib => format!("{:.1} GiB", mib / 1024.0),
    }
}

/// About four digits: what a progress bar has room for.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{value:.2e}"),
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        size if size >= 0.01 => format!("{value:.2}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.1e}"),
    }
}

/// `1 cell`, `2 cells`.
pub(crate) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_show_two_units() {
        for (seconds, text) in [
            (0.04, "0.0s"),
            (9.94, "9.9s"),
            (9.96, "10s"),
            (59.4, "59s"),
            (59.6, "1m00s"),
            (3599.6, "1h00m"),
            (90_061.0, "1d01h"),
        ] {
            assert_eq!(time(seconds), text);
        }
    }

    #[test]
    fn numbers_keep_about_four_digits() {
        for (value, text) in [
            (-4321.4, "-4321"),
            (123.45, "123.5"),
            (1.005, "1.00"),
            (0.0, "0"),
            (-0.00012, "-1.2e-4"),
            (12_345_678.0, "1.23e7"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(bytes(3 << 29), "1.5 GiB");
    }
}
