//! In which row and in which order the steps of a region stand, so that arrows
//! go down and few of them cross.

/// How often the order of the rows is gone over.
const SWEEPS: usize = 4;

/// Something in a row: a step, or a place that a long arrow goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Step(usize),
    /// Of the arrow with this number.
    Bend(usize),
}

/// The rows, and of each arrow the items that it goes through from its
/// beginning to its end, by row and place.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) rows: Vec<Vec<Item>>,
    /// From which step to which.
    pub(super) arrows: Vec<(usize, usize)>,
}

/// `needs`: what each step waits for, of those before it.
pub(super) fn layers(needs: &[Vec<usize>]) -> Layers {
    let mut rank: Vec<usize> = Vec::with_capacity(needs.len());
    for (step, needs) in needs.iter().enumerate() {
        let below = needs.iter().filter(|need| **need < step).map(|need| rank[*need] + 1);
        rank.push(below.max().unwrap_or(0));
    }
    let height = rank.iter().max().map_or(0, |last| last + 1);
    let mut rows = vec![Vec::new(); height];
    for (step, rank) in rank.iter().enumerate() {
        rows[*rank].push(Item::Step(step));
    }
    let mut arrows = Vec::new();
    for (step, needs) in needs.iter().enumerate() {
        for need in needs.iter().filter(|need| **need < step) {
            for row in &mut rows[rank[*need] + 1..rank[step]] {
                row.push(Item::Bend(arrows.len()));
            }
            arrows.push((*need, step));
        }
    }
    let mut layers = Layers { rows, arrows };
    for _ in 0..SWEEPS {
        (1..height).for_each(|row| layers.order(row, row - 1));
        (0..height.saturating_sub(1)).rev().for_each(|row| layers.order(row, row + 1));
    }
    layers
}

impl Layers {
    /// Orders a row by where what it is tied to stands in another one.
    fn order(&mut self, row: usize, by: usize) {
        let place = |item: Item| self.rows[by].iter().position(|other| *other == item);
        let mut placed: Vec<(f64, usize, Item)> = Vec::new();
        for (own, item) in self.rows[row].iter().enumerate() {
            let tied: Vec<usize> = self.tied(*item).filter_map(place).collect();
            #[expect(clippy::cast_precision_loss, reason = "rows are short")]
            let middle = match tied.len() {
                // What is tied to nothing stays where it is.
                0 => own as f64,
                count => tied.iter().sum::<usize>() as f64 / count as f64,
            };
            placed.push((middle, own, *item));
        }
        placed.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        self.rows[row] = placed.into_iter().map(|(_, _, item)| item).collect();
    }

    /// What an item may be tied to in a row beside its own.
    fn tied(&self, item: Item) -> impl Iterator<Item = Item> + '_ {
        let arrows = self.arrows.iter().enumerate();
        arrows
            .flat_map(move |(number, (from, to))| match item {
                Item::Step(step) if step == *from => [Some(Item::Step(*to)), Some(Item::Bend(number))],
                Item::Step(step) if step == *to => [Some(Item::Step(*from)), Some(Item::Bend(number))],
                Item::Bend(own) if own == number => {
                    // Its neighbours are its own bends, or the ends of the arrow.
                    [Some(Item::Bend(number)), None]
                }
                _ => [None, None],
            })
            .flatten()
            .chain(match item {
                Item::Bend(number) => {
                    let (from, to) = self.arrows[number];
                    vec![Item::Step(from), Item::Step(to)]
                }
                Item::Step(_) => Vec::new(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_step_waits_for_stands_above_it() {
        let layers = layers(&[vec![], vec![], vec![0, 1], vec![0, 2]]);
        let row = |step| layers.rows.iter().position(|row| row.contains(&Item::Step(step))).unwrap();
        assert_eq!([row(0), row(1), row(2), row(3)], [0, 0, 1, 2]);
        assert!(layers.arrows.iter().all(|(from, to)| row(*from) < row(*to)));
        // The arrow from the first to the last goes through the row between.
        let long = layers.arrows.iter().position(|arrow| *arrow == (0, 3)).unwrap();
        assert!(layers.rows[1].contains(&Item::Bend(long)));
    }

    #[test]
    fn arrows_that_need_not_cross_do_not() {
        // Two pairs, written crosswise.
        let layers = layers(&[vec![], vec![], vec![1], vec![0]]);
        let place =
            |row: usize, step| layers.rows[row].iter().position(|item| *item == Item::Step(step)).unwrap();
        assert_eq!(place(0, 0) < place(0, 1), place(1, 3) < place(1, 2));
    }

    #[test]
    fn there_may_be_nothing() {
        assert!(layers(&[]).rows.is_empty());
    }
}
