//! The final answer of a response.

/// Which part of a response was taken as its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The last `\boxed{…}`.
    Boxed,
    /// What follows the last "answer is", "Answer:" or "####".
    Marked,
    /// The last number.
    LastNumber,
}

/// What a response gives as its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extracted<'a> {
    /// The answer as written.
    pub text: &'a str,
    /// Where it stood.
    pub place: Place,
}

/// What comes before an answer, in lower case.
const MARKERS: [&str; 5] = ["answer is", "answer:", "answer**:", "answer are", "####"];

/// Words between a marker and its answer that say nothing.
const FILLERS: [&str; 13] = [
    "therefore",
    "thus",
    "hence",
    "simply",
    "approximately",
    "about",
    "exactly",
    "equal to",
    "given by",
    "option",
    "choice",
    "then",
    "the",
];

/// Where a marked answer ends and its explanation starts, in lower case.
const REASONS: [&str; 6] = [
    " because ",
    " since ",
    ", because",
    ", since",
    ", which",
    ", so ",
];

/// The answer of a response: the content of the last `\boxed{…}` whose braces balance and that holds anything, else what
/// follows the last "answer is", "Answer:" or "####" up to the end of its sentence or line, else the last number. `None`
/// where there is none of these. Time grows linearly with the response.
pub fn extract(response: &str) -> Option<Extracted<'_>> {
    let found = |place| move |text| Extracted { text, place };
    last_boxed(response)
        .map(found(Place::Boxed))
        .or_else(|| marked(response).map(found(Place::Marked)))
        .or_else(|| last_number(response).map(found(Place::LastNumber)))
}

/// The content of the `\boxed{…}` that ends last, the outermost if they are nested. One pass with a stack of open braces,
/// so that thousands of boxes that are never closed cost no more than other text.
fn last_boxed(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut open: Vec<(usize, bool)> = Vec::new();
    let mut last = None;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => {
                let rest = &text[at..];
                if let Some(after) = rest
                    .strip_prefix("\\boxed")
                    .or_else(|| rest.strip_prefix("\\fbox"))
                {
                    let argument = after.trim_start();
                    at = text.len() - argument.len();
                    if argument.starts_with('{') {
                        open.push((at + 1, true));
                        at += 1;
                    } else if argument.len() < after.len() {
                        let word = argument
                            .split(|c: char| c.is_whitespace() || "$}{\\".contains(c))
                            .next()
                            .unwrap_or("");
                        last = filled(word).or(last);
                        at += word.len();
                    }
                } else if rest[1..].starts_with("\\boxed") {
                    at += 1; // written with doubled backslashes
                } else {
                    at += 2; // an escaped brace is no brace
                }
                continue;
            }
            b'{' => open.push((at + 1, false)),
            b'}' => {
                if let Some((start, true)) = open.pop() {
                    last = filled(&text[start..at]).or(last);
                }
            }
            _ => {}
        }
        at += 1;
    }
    last
}

/// The text without space around it, unless nothing is left.
fn filled(text: &str) -> Option<&str> {
    let text = text.trim();
    (!text.is_empty()).then_some(text)
}

/// What follows the last marker that is followed by anything.
fn marked(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    let mut ends: Vec<(usize, bool)> = MARKERS
        .iter()
        .flat_map(|&marker| {
            lower
                .match_indices(marker)
                .map(move |(at, _)| (at + marker.len(), marker == "####"))
        })
        .collect();
    ends.sort_unstable();
    ends.into_iter().rev().find_map(|(end, hashes)| {
        let rest = text[end..].trim_start_matches(is_padding);
        // A heading of Markdown has the same marks.
        if hashes && rest.starts_with(char::is_alphabetic) {
            return None;
        }
        // Cut, so that many markers on one long line are not that line many times.
        let rest = &rest[..rest.floor_char_boundary(super::LONGEST)];
        filled(without_fillers(first_sentence(rest)).trim_matches(is_padding))
    })
}

/// Space, emphasis and colons around an answer.
fn is_padding(c: char) -> bool {
    c.is_whitespace() || matches!(c, '*' | '_' | ':' | '`' | '"')
}

/// The text up to the end of its line or sentence, or to where an explanation starts.
fn first_sentence(text: &str) -> &str {
    let line = text.lines().next().unwrap_or("");
    let stop = line
        .match_indices(". ")
        .map(|(at, _)| at)
        .next()
        .unwrap_or(line.len());
    let line = &line[..stop];
    let lower = line.to_ascii_lowercase();
    let stop = REASONS.iter().filter_map(|reason| lower.find(reason)).min();
    line[..stop.unwrap_or(line.len())].trim_end_matches('.')
}

/// The text without [`FILLERS`] at its start.
fn without_fillers(mut text: &str) -> &str {
    'again: loop {
        text = text.trim_start_matches(|c| is_padding(c) || c == ',');
        for filler in FILLERS {
            let starts = text
                .get(..filler.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(filler));
            if starts && text[filler.len()..].starts_with([' ', ',', ':']) {
                text = &text[filler.len()..];
                continue 'again;
            }
        }
        return text;
    }
}

/// The last number: digits with sign, separators, decimals, exponent, denominator and percent sign, or a `\frac` of
/// integers.
fn last_number(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut last = None;
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let end = if bytes[at] == b'\\' {
            fraction(bytes, at)
        } else {
            number(bytes, at)
        };
        let Some(end) = end else {
            at += 1;
            continue;
        };
        at = end;
        let signed =
            start > 0 && bytes[start - 1] == b'-' && (start == 1 || !is_operand(bytes[start - 2]));
        last = Some(&text[start - usize::from(signed)..end]);
    }
    last
}

/// Whether a minus behind this byte is a subtraction or a hyphen.
fn is_operand(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b')' | b'}' | b']' | b'%') || !byte.is_ascii()
}

/// The end of the digits that start at `at`.
fn digits(bytes: &[u8], at: usize) -> usize {
    let run = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit());
    at + run.count()
}

/// The end of the number that starts at `at`.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let mut end = digits(bytes, at);
    if end > at {
        while bytes.get(end) == Some(&b',') && digits(bytes, end + 1) == end + 4 {
            end += 4;
        }
    }
    if bytes.get(end) == Some(&b'.') {
        let point = digits(bytes, end + 1);
        if point > end + 1 {
            end = point;
        }
    }
    if end == at {
        return None;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        let power = digits(bytes, (end + 1 + sign).min(bytes.len()));
        if power > end + 1 + sign {
            end = power;
        }
    }
    if bytes.get(end) == Some(&b'/') {
        end = Some(digits(bytes, end + 1))
            .filter(|&denominator| denominator > end + 1)
            .unwrap_or(end);
    }
    if bytes[end..].starts_with(b"\\%") {
        end += 2;
    } else if bytes.get(end) == Some(&b'%') {
        end += 1;
    }
    Some(end)
}

/// The end of `\frac{a}{b}` with integers that starts at `at`.
fn fraction(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let name = [b"\\frac".as_slice(), b"\\dfrac", b"\\tfrac"]
        .into_iter()
        .find(|name| rest.starts_with(name))?;
    let mut end = at + name.len();
    for _ in 0..2 {
        let braced = bytes.get(end) == Some(&b'{');
        let start = end + usize::from(braced);
        let stop = if braced {
            digits(bytes, start)
        } else {
            digits(bytes, start).min(start + 1)
        };
        if stop == start || (braced && bytes.get(stop) != Some(&b'}')) {
            return None;
        }
        end = stop + usize::from(braced);
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(response: &str) -> Option<(&str, Place)> {
        extract(response).map(|found| (found.text, found.place))
    }

    #[test]
    fn the_last_balanced_box_wins() {
        let boxed = |text| Some((text, Place::Boxed));
        assert_eq!(
            of(r"\boxed{1} so \boxed{\frac{1}{2}} ok 7"),
            boxed(r"\frac{1}{2}")
        );
        assert_eq!(of(r"\boxed{3} and \boxed{4"), boxed("3"));
        assert_eq!(of(r"\boxed{4 and \boxed{3}"), boxed("3"));
        assert_eq!(of(r"\boxed{\boxed{5}}"), boxed(r"\boxed{5}"));
        assert_eq!(of(r"\boxed{\{1,2\}}"), boxed(r"\{1,2\}"));
        assert_eq!(of(r"} \fbox{6}"), boxed("6"));
        assert_eq!(of(r"\boxed 7 done"), boxed("7"));
        assert_eq!(of(r"$\boxed{8}$, as asked for in \boxed{}"), boxed("8"));
        assert_eq!(of(r"\\boxed{9}"), boxed("9"));
    }

    #[test]
    fn a_marked_answer_ends_with_its_sentence() {
        let marked = |text| Some((text, Place::Marked));
        assert_eq!(of("The answer is 42."), marked("42"));
        assert_eq!(
            of("the ANSWER IS: **3.5**. I checked 7 times."),
            marked("3.5")
        );
        assert_eq!(of("6 * 7\n#### 42"), marked("42"));
        assert_eq!(of("Answer:\n\n 1/2\nBye 3"), marked("1/2"));
        assert_eq!(of("The answer is therefore 5 because 2+3=5"), marked("5"));
        assert_eq!(of("answer is 4. No, the answer is"), marked("4"));
        assert_eq!(of("#### Step 2\nit is 8"), Some(("8", Place::LastNumber)));
    }

    #[test]
    fn the_last_number_is_taken_whole() {
        let last = |text| Some((text, Place::LastNumber));
        assert_eq!(of("costs 1,234.50 dollars."), last("1,234.50"));
        assert_eq!(of("x = -3"), last("-3"));
        assert_eq!(of("10-3"), last("3"));
        assert_eq!(of(r"so p = -\frac{3}{4}."), last(r"-\frac{3}{4}"));
        assert_eq!(of("half, 1/2, remains"), last("1/2"));
        assert_eq!(of("up by 12%!"), last("12%"));
        assert_eq!(of("about 2e-3."), last("2e-3"));
        assert_eq!(of("no number"), None);
        assert_eq!(of(""), None);
    }
}
