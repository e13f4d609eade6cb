//! The activation for language models on tensors, and the log-probabilities of the tokens taken under it.

use super::rows::{or_panic, working_kind};
use crate::{ScaledBatch, Vocabulary};
use tch::{Device, Kind, TchError, Tensor};

/// [`crate::ResponseEra`] on the logits of a batch.
///
/// The factors that it decides are constants: no gradient goes through the entropies. They are on the host, where advantages are made;
/// [`log_probs`] brings them into the graph.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResponseEra {
    reference: crate::ResponseEra,
}

impl ResponseEra {
    /// Wraps a checked activation.
    pub fn new(reference: crate::ResponseEra) -> Self {
        Self { reference }
    }

    /// The activation on slices.
    pub fn reference(&self) -> &crate::ResponseEra {
        &self.reference
    }

    /// Scales a batch of responses as [`crate::ResponseEra::scale_batch`] does, with the entropies of the raw `logits`,
    /// `[responses, positions, vocabulary]`, in place of given ones.
    ///
    /// Response i fills the first `lengths[i]` positions of its row; `advantages`, `[responses, positions]` in row-major order, has what each
    /// token is worth. The result's `logit_factors` are those that [`log_probs`] takes, one for each position. Entropies are computed in
    /// `Double` on the CPU, in `Float` (`Double` for `Double`) on other devices, a response at a time.
    ///
    /// # Panics
    /// Where [`ResponseEra::f_scale_batch`] returns an error.
    #[track_caller]
    pub fn scale_batch(
        &self,
        lengths: &[usize],
        logits: &Tensor,
        advantages: &[f64],
    ) -> ScaledBatch {
        or_panic(self.f_scale_batch(lengths, logits, advantages))
    }

    /// [`ResponseEra::scale_batch`] that can fail.
    ///
    /// # Errors
    /// [`TchError::Shape`] when the lengths or advantages do not fit the logits' shape, there are not three dimensions or no vocabulary,
    /// [`TchError::Kind`] when the type is none of `Half`, `BFloat16`, `Float` and `Double`, and LibTorch's own.
    pub fn f_scale_batch(
        &self,
        lengths: &[usize],
        logits: &Tensor,
        advantages: &[f64],
    ) -> Result<ScaledBatch, TchError> {
        let wrong = |what: String| Err(TchError::Shape(format!("ResponseEra: {what}")));
        let kind = working_kind("ResponseEra", logits)?;
        let size = logits.size();
        let &[responses, positions, vocabulary] = size.as_slice() else {
            return wrong(format!(
                "the logits must be [responses, positions, vocabulary], but their shape is {size:?}"
            ));
        };
        let [responses, positions] = [responses, positions].map(|n| n as usize);
        if vocabulary == 0 {
            return wrong("the vocabulary must have tokens".to_owned());
        }
        if lengths.len() != responses {
            let lengths = lengths.len();
            return wrong(format!("{lengths} lengths for {responses} responses"));
        }
        if advantages.len() != responses * positions {
            return wrong(format!(
                "{} advantages for {responses} responses of {positions} positions",
                advantages.len()
            ));
        }
        if let Some(length) = lengths.iter().find(|length| **length > positions) {
            return wrong(format!(
                "a response has {length} tokens in a row of {positions}"
            ));
        }
        let entropies = entropies(lengths, logits, positions, kind)?;
        Ok(self.reference.scale_batch(lengths, &entropies, advantages))
    }
}

/// The entropy of softmax at each position of a response, in nats; 0 in padding.
fn entropies(
    lengths: &[usize],
    logits: &Tensor,
    positions: usize,
    kind: Kind,
) -> Result<Vec<f64>, TchError> {
    let _constant = tch::no_grad_guard();
    let device = logits.device();
    let kind = match device {
        Device::Cpu => Kind::Double,
        _ => kind,
    };
    let size = [lengths.len() as i64, positions as i64];
    let entropies = Tensor::f_zeros(size, (kind, device))?;
    for (i, length) in (0..).zip(lengths) {
        let row = |tensor: &Tensor| tensor.f_get(i)?.f_narrow(0, 0, *length as i64);
        // -p log p, and 0 of a share of 0.
        let terms = row(logits)?.f_softmax(-1, kind)?.f_special_entr()?;
        let sums = terms.f_sum_dim_intlist([-1_i64].as_slice(), false, kind)?;
        row(&entropies)?.f_copy_(&sums)?;
    }
    let entropies = entropies
        .f_to_device(Device::Cpu)?
        .f_to_kind(Kind::Double)?;
    let mut host = vec![0.0; lengths.len() * positions];
    entropies.f_copy_data(&mut host, lengths.len() * positions)?;
    Ok(host)
}

/// log p' of the token taken at each position, in nats, `[positions]`; differentiable in `logits`, the raw ones, `[positions, vocabulary]`.
///
/// `taken` are the tokens, `factors` what [`ResponseEra`] multiplies the logits by (1 without it), one of each for a position, and
/// `vocabulary` says over which tokens the softmax is taken. The factors are constants: the entropy that decided them has no gradient.
/// For a batch `[responses, positions, vocabulary]`, pass `logits.flatten(0, 1)`.
///
/// Computed in the logits' own type; of `Half` and `BFloat16` logits the log-probabilities are `Float`: differences of them would not survive
/// in the logits' own type.
///
/// # Panics
/// Where [`f_log_probs`] returns an error.
#[track_caller]
pub fn log_probs(
    logits: &Tensor,
    taken: &[usize],
    factors: &[f64],
    vocabulary: Vocabulary,
) -> Tensor {
    or_panic(f_log_probs(logits, taken, factors, vocabulary))
}

/// [`log_probs`] that can fail.
///
/// # Errors
/// [`TchError::Shape`] when there are not two dimensions, `taken` or `factors` are not one for each position, or a token is none of the
/// vocabulary; [`TchError::Convert`] when a factor is not positive and finite; [`TchError::Kind`] when the type is none of `Half`, `BFloat16`,
/// `Float` and `Double`; and LibTorch's own.
pub fn f_log_probs(
    logits: &Tensor,
    taken: &[usize],
    factors: &[f64],
    vocabulary: Vocabulary,
) -> Result<Tensor, TchError> {
    let kind = check(logits, taken, factors)?;
    let device = logits.device();
    let tokens: Vec<i64> = taken.iter().map(|token| *token as i64).collect();
    let tokens = Tensor::f_from_slice(&tokens)?.f_unsqueeze(-1)?;
    let tokens = tokens.f_to_device(device)?;
    let factors = Tensor::f_from_slice(factors)?.f_unsqueeze(-1)?;
    let factors = factors.f_to_kind(kind)?.f_to_device(device)?;
    // A product of half precision with the factors is `Float`.
    let value = match members(logits, vocabulary)? {
        None => {
            let scaled = logits.f_mul(&factors)?;
            scaled.f_log_softmax(-1, kind)?.f_gather(-1, &tokens, false)
        }
        Some(members) => {
            let scaled = logits.f_gather(-1, &members, false)?.f_mul(&factors)?;
            among(&scaled.f_log_softmax(-1, kind)?, &members, &tokens)
        }
    };
    value?.f_squeeze_dim(-1)
}

fn check(logits: &Tensor, taken: &[usize], factors: &[f64]) -> Result<Kind, TchError> {
    let wrong = |what: String| Err(TchError::Shape(format!("log_probs: {what}")));
    let kind = working_kind("log_probs", logits)?;
    let size = logits.size();
    let &[positions, width] = size.as_slice() else {
        return wrong(format!(
            "the logits must be [positions, vocabulary], but their shape is {size:?}"
        ));
    };
    let [positions, width] = [positions, width].map(|n| n as usize);
    if taken.len() != positions || factors.len() != positions {
        return wrong(format!(
            "{} tokens and {} factors for {positions} positions",
            taken.len(),
            factors.len()
        ));
    }
    if let Some(token) = taken.iter().find(|token| **token >= width) {
        return wrong(format!("token {token} is not in a vocabulary of {width}"));
    }
    if let Some(factor) = factors.iter().find(|f| !(**f > 0.0 && f.is_finite())) {
        return Err(TchError::Convert(format!(
            "log_probs: the factor on the logits is {factor}, it must be positive and finite"
        )));
    }
    Ok(kind)
}

/// The tokens that take part at each position, `[positions, count]`, the largest logit's first; `None` where all do.
fn members(logits: &Tensor, vocabulary: Vocabulary) -> Result<Option<Tensor>, TchError> {
    let [positions, width] = [0, 1].map(|dim| logits.size()[dim]);
    let count = match vocabulary {
        Vocabulary::Full => return Ok(None),
        Vocabulary::Largest(count) => i64::try_from(count.get()).unwrap_or(i64::MAX),
    };
    if count >= width || positions == 0 {
        return Ok(None);
    }
    let logits = logits.f_detach()?;
    let (largest, members) = logits.f_topk(count, -1, true, true)?;
    // Of equal logits at the border `topk` takes any; of those that a stable sort takes the tokens have the lower numbers.
    let least = largest.f_narrow(-1, count - 1, 1)?;
    let as_large = logits.f_ge_tensor(&least)?;
    let as_large = as_large.f_sum_dim_intlist([-1_i64].as_slice(), false, Kind::Int64)?;
    if as_large.f_max()?.f_int64_value(&[])? <= count {
        return Ok(Some(members));
    }
    let (_, order) = logits.f_sort_stable(true, -1, true)?;
    Ok(Some(order.f_narrow(-1, 0, count)?))
}

/// The log-probability of the token taken out of those of the members, or [`Vocabulary::OUTSIDE`] where it is none of them.
fn among(log_probs: &Tensor, members: &Tensor, tokens: &Tensor) -> Result<Tensor, TchError> {
    let others = members.f_ne_tensor(tokens)?;
    let own = log_probs.f_masked_fill(&others, 0.0)?;
    let own = own.f_sum_dim_intlist([-1_i64].as_slice(), true, None)?;
    // NaN where the row holds one: the largest of all, it is a member.
    let mut outside = log_probs
        .f_detach()?
        .f_narrow(-1, 0, 1)?
        .f_mul_scalar(0.0)?;
    let _ = outside.f_add_scalar_(Vocabulary::OUTSIDE)?;
    let is_outside = others.f_all_dim(-1, true)?;
    outside.f_where_self(&is_outside, &own)
}
