//! Medians, quartiles and when there are enough rounds. Nothing here measures anything.

/// Rounds of which medians are taken, at least.
const ENOUGH: usize = 5;
/// Rounds at most, however much they differ.
const MOST: usize = 15;
/// Quartiles that lie this far apart, as a part of the median, ask for one more round.
const SPREAD: f64 = 0.1;

/// The value below which a part `p` of the values lies, between two of them where it falls there.
/// Nothing of no values.
pub(crate) fn quantile(values: &[f64], p: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = p.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    let part = place - place.floor();
    Some(sorted[below] * (1.0 - part) + sorted[above] * part)
}

/// The value in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The median of the ratios of each round: what disturbs a round disturbs both sides of it.
pub(crate) fn ratio(values: &[f64], base: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> = values.iter().zip(base).map(|(value, base)| value / base).collect();
    median(&ratios)
}

/// Whether another round is needed, given what each system's rounds gave so far; who is not patient
/// makes do with as many as are enough.
pub(crate) fn another(systems: &[Vec<f64>], patient: bool) -> bool {
    let rounds = systems.iter().map(Vec::len).min().unwrap_or(MOST);
    rounds < ENOUGH || (patient && rounds < MOST && systems.iter().any(|values| restless(values)))
}

fn restless(values: &[f64]) -> bool {
    let at = |p| quantile(values, p).unwrap_or_default();
    at(0.75) - at(0.25) > SPREAD * at(0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_between_its_neighbours() {
        assert_eq!(quantile(&[4.0, 1.0, 3.0, 2.0], 0.5), Some(2.5));
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[7.0], 0.99), Some(7.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn a_slow_round_of_both_leaves_the_ratio_alone() {
        assert_eq!(ratio(&[50.0, 5.0, 60.0], &[100.0, 10.0, 120.0]), Some(0.5));
    }

    #[test]
    fn calm_rounds_end_early_and_restless_ones_late() {
        let calm = |count| vec![vec![100.0; count]];
        assert!(another(&calm(4), true) && !another(&calm(5), true));
        let restless = |count: usize| vec![(0..count).map(|n| 100.0 + n as f64 * 9.0).collect()];
        assert!(another(&restless(5), true) && another(&restless(14), true));
        assert!(!another(&restless(15), true));
        assert!(another(&restless(4), false) && !another(&restless(5), false));
    }

    #[test]
    fn nothing_to_measure_needs_no_round() {
        assert!(!another(&[], true));
    }
}
