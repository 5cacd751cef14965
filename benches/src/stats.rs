//! What several rounds come to.

/// Their median; none of no values.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// The distance between the extremes, in units of the median.
pub(crate) fn spread(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let (first, last) = (sorted.first()?, sorted.last()?);
    let median = median(values)?;
    Some(match median {
        0.0 => 0.0,
        median => (last - first) / median,
    })
}

/// The quotients of the rounds in which there are both.
pub(crate) fn quotients(of: &[Option<f64>], by: &[Option<f64>]) -> Vec<f64> {
    let pairs = of.iter().zip(by);
    pairs
        .filter_map(|(of, by)| Some((*of)? / (*by)?))
        .filter(|quotient| quotient.is_finite())
        .collect()
}

/// An interval that holds the true median with a confidence of 95 % at least, whatever the distribution: between two
/// of the values, by their ranks (the sign test). None of fewer than six values, which no such interval has.
pub(crate) fn median_interval(values: &[f64]) -> Option<[f64; 2]> {
    const TAIL: f64 = 0.025;
    let sorted = sorted(values);
    let n = sorted.len();
    // How likely it is that so many, or fewer, of n values lie below the median: of a fair coin.
    let mut chance = 0.5_f64.powi(i32::try_from(n).ok()?);
    let (mut below, mut rank) = (chance, 0);
    while below <= TAIL {
        rank += 1;
        chance *= (n - rank + 1) as f64 / rank as f64;
        below += chance;
    }
    (rank > 0).then(|| [sorted[rank - 1], sorted[n - rank]])
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn the_spread_is_in_units_of_the_median() {
        assert_eq!(spread(&[10.0, 8.0, 13.0]), Some(0.5));
        assert_eq!(spread(&[0.0, 0.0]), Some(0.0));
    }

    #[test]
    fn quotients_are_of_pairs() {
        let (of, by) = ([Some(2.0), None, Some(6.0)], [Some(1.0), Some(1.0), None]);
        assert_eq!(quotients(&of, &by), [2.0]);
        assert!(quotients(&[Some(1.0)], &[Some(0.0)]).is_empty());
    }

    #[test]
    fn the_interval_of_a_median_has_the_ranks_of_the_sign_test() {
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        assert_eq!(median_interval(&values), Some([2.0, 9.0]));
        assert_eq!(median_interval(&values[..6]), Some([1.0, 6.0]));
        assert_eq!(median_interval(&values[..5]), None);
        let values: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(median_interval(&values), Some([6.0, 15.0]));
    }
}
