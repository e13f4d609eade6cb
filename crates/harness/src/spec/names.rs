//! Hints: the valid name nearest to a wrong one.

/// How many valid names a hint lists.
const LISTED: usize = 12;

/// "did you mean `x`?" where one of `valid` is near enough to `name`, with the list of what is valid.
pub fn hint(what: &str, name: &str, valid: &[&str]) -> String {
    let mut list = valid
        .iter()
        .take(LISTED)
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if valid.len() > LISTED {
        list = format!("{list} and {} more", valid.len() - LISTED);
    }
    match (nearest(name, valid), valid.is_empty()) {
        (_, true) => format!("there is no valid {what} here"),
        (Some(near), _) => format!("did you mean `{near}`? (valid: {list})"),
        (None, _) => format!("valid: {list}"),
    }
}

/// The valid name with the fewest edits from `name`, if those are at most a third of its letters (two for short names).
pub(super) fn nearest<'a>(name: &str, valid: &[&'a str]) -> Option<&'a str> {
    let name = name.to_lowercase();
    let limit = (name.chars().count() / 3).max(2);
    valid
        .iter()
        .map(|valid| (strsim::osa_distance(&name, &valid.to_lowercase()), *valid))
        .filter(|(distance, valid)| *distance <= limit && *distance < valid.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, valid)| valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_far_ones_are_not_offered() {
        let methods = ["sac", "sac-era", "sac-no-entropy", "sac-fixed-sigma"];
        assert_eq!(nearest("sac-ear", &methods), Some("sac-era"));
        assert_eq!(nearest("SAC", &methods), Some("sac"));
        assert_eq!(nearest("sac_no_entropy", &methods), Some("sac-no-entropy"));
        assert_eq!(nearest("trpo", &methods), None);
        assert_eq!(
            nearest("x", &["y"]),
            None,
            "one letter for another is no hint"
        );
    }
}
