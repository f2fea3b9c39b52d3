//! A small set of cells that has every pair of values of two axes in some cell.

use std::collections::BTreeSet;

/// One value's index for each axis.
pub(super) type Point<const N: usize> = [usize; N];

/// Chooses from all points that can be: every pair of values that any of them has is in a chosen one. The choice
/// is the same for the same points: always the first of those that bring most pairs not had yet.
pub(super) fn choose<const N: usize>(points: &[Point<N>]) -> Vec<Point<N>> {
    let mut missing: BTreeSet<_> = points.iter().flat_map(pairs).collect();
    let mut chosen = Vec::new();
    while !missing.is_empty() {
        let news = |point: &Point<N>| pairs(point).filter(|pair| missing.contains(pair)).count();
        // `max_by_key` gives the last of several, `rev` makes it the first.
        let Some(best) = points.iter().rev().max_by_key(|point| news(point)) else { break };
        for pair in pairs(best) {
            missing.remove(&pair);
        }
        chosen.push(*best);
    }
    chosen
}

/// A value: its axis and its index there.
type Value = (usize, usize);

/// All pairs of values of a point.
fn pairs<const N: usize>(point: &Point<N>) -> impl Iterator<Item = (Value, Value)> {
    let values = point.iter().copied().enumerate();
    values.clone().flat_map(move |one| {
        values.clone().filter(move |other| one.0 < other.0).map(move |other| (one, other))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Point<4>> {
        let three = || 0..3;
        three()
            .flat_map(|a| {
                three().flat_map(move |b| three().flat_map(move |c| three().map(move |d| [a, b, c, d])))
            })
            .collect()
    }

    fn covered(points: &[Point<4>]) -> BTreeSet<(Value, Value)> {
        points.iter().flat_map(pairs).collect()
    }

    #[test]
    fn a_point_has_a_pair_for_any_two_axes() {
        let of: Vec<_> = pairs(&[7, 8, 9]).collect();
        assert_eq!(of, [((0, 7), (1, 8)), ((0, 7), (2, 9)), ((1, 8), (2, 9))]);
    }

    #[test]
    fn every_pair_is_chosen_in_few_points() {
        let points = all();
        let chosen = choose(&points);
        assert_eq!(covered(&chosen), covered(&points));
        assert_eq!(covered(&chosen).len(), 6 * 9);
        // Nine would be the least for four axes of three values.
        assert!((9..=12).contains(&chosen.len()), "{}", chosen.len());
        assert_eq!(choose(&points), chosen);
    }

    #[test]
    fn what_cannot_be_is_not_asked_for() {
        let points: Vec<_> = all().into_iter().filter(|[a, b, ..]| (*a, *b) != (1, 2)).collect();
        let chosen = choose(&points);
        assert!(chosen.iter().all(|point| points.contains(point)));
        assert_eq!(covered(&chosen), covered(&points));
        assert!(!covered(&chosen).contains(&((0, 1), (1, 2))));
        assert!(choose::<4>(&[]).is_empty());
    }
}
