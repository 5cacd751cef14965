//! Numbers for people.

/// With three significant digits, thousands and millions in words: `0.452`, `12.3`, `4.05 M`.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        millions if millions >= 1e6 => format!("{} M", digits(value / 1e6)),
        thousands if thousands >= 1e4 => format!("{} k", digits(value / 1e3)),
        _ => digits(value),
    }
}

fn digits(value: f64) -> String {
    let before_the_point = value.abs().log10().floor() as i32 + 1;
    let after = usize::try_from(3 - before_the_point).unwrap_or(0);
    format!("{value:.after$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_count() {
        for (value, text) in [
            (0.0, "0"),
            (0.0452, "0.0452"),
            (0.452, "0.452"),
            (12.34, "12.3"),
            (1_234.0, "1234"),
            (12_345.0, "12.3 k"),
            (4_050_000.0, "4.05 M"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
