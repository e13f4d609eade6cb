//! Ids of the page: each given once, of characters that a link needs not to spell out.

use std::collections::BTreeSet;

/// The ids that are taken.
pub(super) struct Ids(BTreeSet<String>);

impl Ids {
    pub(super) fn new<const N: usize>(taken: [&str; N]) -> Self {
        Self(taken.map(str::to_owned).into())
    }

    /// An id from these words: letters, digits and `-`, with a number behind it where it is taken already.
    pub(super) fn take(&mut self, words: &[&str]) -> String {
        let mut id = String::new();
        for c in words.join("-").chars() {
            match c {
                c if c.is_ascii_alphanumeric() => id.push(c.to_ascii_lowercase()),
                _ if id.ends_with('-') => {}
                _ => id.push('-'),
            }
        }
        let id = match id.trim_matches('-') {
            "" => "part",
            id => id,
        };
        let (mut free, mut number) = (id.to_owned(), 1);
        while !self.0.insert(free.clone()) {
            number += 1;
            free = format!("{id}-{number}");
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_is_given_twice() {
        let mut ids = Ids::new(["top"]);
        let taken = [
            ["control", "curves"],
            ["control-curves", ""],
            ["top", ""],
            ["<b>", "ä 'x'"],
            ["", "§"],
            ["Part", ""],
        ]
        .map(|words| ids.take(&words));
        assert_eq!(
            taken,
            [
                "control-curves",
                "control-curves-2",
                "top-2",
                "b-x",
                "part",
                "part-2"
            ]
        );
    }
}
