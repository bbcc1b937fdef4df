/// Names the known word that is nearest, or all of them.
pub(super) fn did_you_mean<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let nearest = known
        .iter()
        .map(|word| (strsim::osa_distance(found, word), word))
        .min()
        .filter(|(distance, word)| *distance <= found.len().max(word.len()) / 3);
    match nearest {
        Some((_, word)) => format!("did you mean `{word}`?"),
        None => format!("use one of: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_named_and_a_stranger_gets_the_list() {
        let known = ["listen", "public_url"];
        assert_eq!(did_you_mean("lisetn", known), "did you mean `listen`?");
        assert_eq!(
            did_you_mean("colour", known),
            "use one of: listen, public_url"
        );
    }
}
