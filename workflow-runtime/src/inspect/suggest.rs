//! Names that the user may have meant.

/// The known name that is most like this one, if any is much like it.
pub(crate) fn similar<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = name.chars().count() / 3 + 1;
    let close = known.into_iter().map(|known| (distance(name, known), known));
    close.filter(|(distance, _)| *distance <= most).min().map(|(_, known)| known)
}

/// How many letters have to be changed, added, removed or swapped with their
/// neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let changed = last[j] + usize::from(a[i] != b[j]);
            let mut cost = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_found() {
        let known = ["nightly", "weekly", "import"];
        assert_eq!(similar("nigthly", known), Some("nightly"));
        assert_eq!(similar("weekl", known), Some("weekly"));
        assert_eq!(similar("backup", known), None);
        assert_eq!(similar("", known), None);
    }
}
