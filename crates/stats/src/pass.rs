//! pass@k: how often one of k answers to a problem is right (Chen et al. 2021, "Evaluating Large Language Models Trained on Code", arXiv
//! 2107.03374).

/// What was seen of one problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Answers that were drawn, n.
    pub drawn: u64,
    /// How many of them are right, c.
    pub right: u64,
}

/// Counts from which pass@k cannot be estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassError {
    /// More attempts than answers: what more answers would have been is not known.
    #[error("{attempts} attempts cannot be chosen from {drawn} answers")]
    TooFew {
        /// Attempts that are asked for, k.
        attempts: u64,
        /// Answers that were drawn.
        drawn: u64,
    },
    /// More answers are right than were drawn.
    #[error("{right} answers cannot be right among {drawn}")]
    TooManyRight {
        /// Right answers.
        right: u64,
        /// Answers that were drawn.
        drawn: u64,
    },
    /// A mean over no problem.
    #[error("there is no problem to take a mean over")]
    NoProblems,
}

impl Answers {
    /// 1 - C(n - c, k) / C(n, k): the probability that k of the n answers, drawn without replacement, have a right one among them. That is
    /// the unbiased estimate of pass@k, where 1 - (1 - c/n)^k is too low. In \[0, 1\]; of no attempts it is 0.
    ///
    /// verl gives 0 where k > n; here that is an error.
    ///
    /// # Errors
    /// k > n, or c > n.
    pub fn pass_at(self, attempts: u64) -> Result<f64, PassError> {
        let Self { drawn, right } = self;
        let wrong = drawn
            .checked_sub(right)
            .ok_or(PassError::TooManyRight { right, drawn })?;
        if attempts > drawn {
            return Err(PassError::TooFew { attempts, drawn });
        }
        if wrong < attempts {
            return Ok(1.0);
        }
        // The ratio is Π (1 - k / i) over the c numbers i up to n, and also Π (1 - c / i) over the last k: the shorter one. A sum of logarithms
        // keeps the digits of a small result.
        let (factors, share) = (right.min(attempts), right.max(attempts) as f64);
        let numbers = (drawn - factors..drawn).map(|below| (below + 1) as f64);
        let logarithm: f64 = numbers.map(|i| (-share / i).ln_1p()).sum();
        Ok(-logarithm.exp_m1())
    }
}

/// The mean of pass@k over problems, each of which counts the same.
///
/// # Errors
/// There is no problem, or one of them has fewer than k answers or more right ones than answers.
pub fn mean_pass_at(problems: &[Answers], attempts: u64) -> Result<f64, PassError> {
    if problems.is_empty() {
        return Err(PassError::NoProblems);
    }
    let mut sum = 0.0;
    for problem in problems {
        sum += problem.pass_at(attempts)?;
    }
    Ok(sum / problems.len() as f64)
}
