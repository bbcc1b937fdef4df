/// The word of `known` that `found` was probably meant to be: the same but for case and separators, or at most a third of
/// its letters away.
pub(crate) fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain_found = plain(found);
    known
        .iter()
        .map(|&word| (distance(&plain_found, &plain(word)), word))
        .filter(|&(away, word)| away * 3 <= word.chars().count())
        .min_by_key(|&(away, _)| away)
        .map(|(_, word)| word)
}

fn plain(word: &str) -> Vec<char> {
    word.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        // A field name of thousands of letters is no typing error, and comparing it would cost their square.
        .take(64)
        .collect()
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &to) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(from != to);
            let mut fewest = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && from == b[j - 1] && a[i - 1] == to {
                fewest = fewest.min(before_last[j - 1] + 1);
            }
            row.push(fewest);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["external_id", "requested_for", "requester", "priority"];

    #[test]
    fn typing_errors_and_other_spellings_are_recognised() {
        for (found, meant) in [
            ("externalId", "external_id"),
            ("EXTERNAL-ID", "external_id"),
            ("priorty", "priority"),
            ("prioirty", "priority"),
            ("requestor", "requester"),
            ("requestedFor", "requested_for"),
        ] {
            assert_eq!(nearest(found, &KNOWN), Some(meant), "{found}");
        }
    }

    #[test]
    fn another_word_is_not_guessed_at() {
        for found in ["", "colour", "x", &"priority".repeat(500)] {
            assert_eq!(nearest(found, &KNOWN), None, "{found}");
        }
    }
}
