//! Money as the catalog shows it: localised text.

/// `1200` → `$1,200.00`; what is no number counts as nothing.
pub(super) fn shown(amount: f64) -> String {
    let cents = format!("{amount:.2}");
    let (whole, fraction) = cents.split_once('.').unwrap_or((&cents, "00"));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("${grouped}.{fraction}")
}

/// A stored price.
pub(super) fn read(text: &str) -> f64 {
    text.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_grouped_and_have_cents() {
        assert_eq!(shown(read("1200")), "$1,200.00");
        assert_eq!(shown(read("")), "$0.00");
        assert_eq!(shown(read("999.5")), "$999.50");
    }
}
