//! The activation for language models on tensors, and the log-probabilities of the tokens taken under it.

use super::fused::{Rows, apply, contiguous};
use super::primitives::{affine, at_least, constant, relative};
use crate::real::Real;
use crate::{ScaledBatch, Vocabulary, token_entropies};
use candle_core::{CpuStorage, D, DType, Device, Result, Shape, Storage, Tensor, bail};
use std::sync::Arc;

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
    /// `f64` on the CPU, in `f32` (`f64` for `f64`) on other devices.
    ///
    /// # Errors
    /// When the lengths or advantages do not fit the logits' shape, there are not three dimensions or no vocabulary, or the type is none of
    /// `f16`, `bf16`, `f32` and `f64`.
    pub fn scale_batch(
        &self,
        lengths: &[usize],
        logits: &Tensor,
        advantages: &[f64],
    ) -> Result<ScaledBatch> {
        let &[responses, positions, vocabulary] = logits.dims() else {
            bail!(
                "apply ResponseEra: the logits must be [responses, positions, vocabulary], but their shape is {:?}",
                logits.dims()
            )
        };
        if vocabulary == 0 {
            bail!("apply ResponseEra: the vocabulary must have tokens");
        }
        if lengths.len() != responses {
            bail!(
                "apply ResponseEra: there are {} lengths for {responses} responses",
                lengths.len()
            );
        }
        if advantages.len() != responses * positions {
            bail!(
                "apply ResponseEra: there are {} advantages for {responses} responses of {positions} positions",
                advantages.len()
            );
        }
        if let Some(length) = lengths.iter().find(|length| **length > positions) {
            bail!("apply ResponseEra: a response has {length} tokens in a row of {positions}");
        }
        let entropies = entropies(&logits.detach(), responses * positions, vocabulary)?;
        Ok(self.reference.scale_batch(lengths, &entropies, advantages))
    }
}

/// The entropy of softmax at each position, in nats.
fn entropies(logits: &Tensor, positions: usize, vocabulary: usize) -> Result<Vec<f64>> {
    let logits = match logits.dtype() {
        DType::F32 | DType::F64 => logits.contiguous()?,
        DType::F16 | DType::BF16 => logits.to_dtype(DType::F32)?.contiguous()?,
        other => bail!(
            "apply ResponseEra: the logits have type {other:?}, they must have f16, bf16, f32 or f64"
        ),
    };
    let (storage, layout) = logits.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        return composed_entropies(&logits);
    };
    let mut entropies = vec![0.0; positions];
    match storage {
        CpuStorage::F32(raw) => {
            token_entropies(contiguous(raw, layout)?, vocabulary, &mut entropies);
        }
        CpuStorage::F64(raw) => {
            token_entropies(contiguous(raw, layout)?, vocabulary, &mut entropies);
        }
        _ => bail!("apply ResponseEra: the logits must have f16, bf16, f32 or f64"),
    }
    Ok(entropies)
}

/// The entropies on the device, log S - sum e^x x / S with x relative to the row's maximum; only they are copied to the host.
pub(super) fn composed_entropies(logits: &Tensor) -> Result<Vec<f64>> {
    /// In place of -infinity, whose product with a mass of 0 would be NaN.
    const RULED_OUT: f64 = -1e30;
    let x = relative(logits)?;
    let mass = x.exp()?;
    let total = mass.sum(D::Minus1)?;
    let moment = mass.mul(&at_least(&x, RULED_OUT)?)?.sum(D::Minus1)?;
    let entropies = total.log()?.sub(&moment.div(&total)?)?;
    let entropies = entropies.flatten_all()?.to_device(&Device::Cpu)?;
    entropies.to_dtype(DType::F64)?.to_vec1()
}

/// log p' of the token taken at each position, in nats, `[positions]`; differentiable in `logits`, the raw ones, `[positions, vocabulary]`.
///
/// `taken` are the tokens, `factors` what [`ResponseEra`] multiplies the logits by (1 without it), one of each for a position, and
/// `vocabulary` says over which tokens the softmax is taken. The factors are constants: the entropy that decided them has no gradient.
/// For a batch `[responses, positions, vocabulary]`, pass `logits.flatten_to(1)`.
///
/// Computed by the `f64` reference ([`Vocabulary::log_prob`], [`Vocabulary::log_prob_vjp`]) on the CPU, values and gradients; elsewhere composed
/// of primitives, where [`Vocabulary::Largest`] copies the logits to the host to find its members. Of `f16` and `bf16` logits the
/// log-probabilities are `f32`: differences of them would not survive in the logits' own type.
///
/// # Errors
/// When there are not two dimensions, `taken` or `factors` are not one for each position, a token is none of the vocabulary, a factor is not
/// positive and finite, or the type is none of `f16`, `bf16`, `f32` and `f64`.
pub fn log_probs(
    logits: &Tensor,
    taken: &[usize],
    factors: &[f64],
    vocabulary: Vocabulary,
) -> Result<Tensor> {
    let &[positions, width] = logits.dims() else {
        bail!(
            "take log-probabilities: the logits must be [positions, vocabulary], but their shape is {:?}",
            logits.dims()
        )
    };
    if taken.len() != positions || factors.len() != positions {
        bail!(
            "take log-probabilities: there are {} tokens and {} factors for {positions} positions",
            taken.len(),
            factors.len()
        );
    }
    if let Some(token) = taken.iter().find(|token| **token >= width) {
        bail!("take log-probabilities: token {token} is not in a vocabulary of {width}");
    }
    if let Some(factor) = factors.iter().find(|f| !(**f > 0.0 && f.is_finite())) {
        bail!(
            "take log-probabilities: the factor on the logits is {factor}, it must be positive and finite"
        );
    }
    let tokens = Tokens(Arc::new(Constants {
        taken: taken.to_vec(),
        factors: factors.to_vec(),
        vocabulary,
        width,
    }));
    apply(&tokens, logits, |logits| tokens.composed(logits))
}

/// What belongs to the rows of logits.
#[derive(Clone, Debug)]
pub(super) struct Tokens(pub(super) Arc<Constants>);

#[derive(Debug)]
pub(super) struct Constants {
    pub(super) taken: Vec<usize>,
    pub(super) factors: Vec<f64>,
    pub(super) vocabulary: Vocabulary,
    pub(super) width: usize,
}

impl Tokens {
    /// The token and the factor of each position.
    fn each(&self) -> impl Iterator<Item = (usize, f64)> {
        let taken = self.0.taken.iter().copied();
        taken.zip(self.0.factors.iter().copied())
    }

    /// The formula in primitives that every device has.
    pub(super) fn composed(&self, logits: &Tensor) -> Result<Tensor> {
        let (positions, device) = (self.0.taken.len(), logits.device());
        if positions == 0 {
            return logits.sum(1);
        }
        let factors = Tensor::new(self.0.factors.as_slice(), &Device::Cpu)?
            .to_dtype(logits.dtype())?
            .reshape((positions, 1))?
            .to_device(device)?;
        let mut scaled = relative(logits)?.broadcast_mul(&factors)?;
        let members = self.members(logits)?;
        if let Some((members, _)) = &members {
            let outside = constant(&scaled, f64::NEG_INFINITY)?;
            scaled = members.where_cond(&scaled, &outside)?;
        }
        let taken: Vec<u32> = self.0.taken.iter().map(|token| *token as u32).collect();
        let taken = Tensor::from_vec(taken, (positions, 1), device)?;
        let total = scaled.exp()?.sum_keepdim(1)?.log()?;
        let own = scaled.gather(&taken, 1)?;
        let mut value = own.sub(&total)?;
        if let Some((_, inside)) = members {
            // NaN where the row holds one.
            let outside = affine(&total.detach(), 0.0, Vocabulary::OUTSIDE)?;
            value = inside.where_cond(&value, &outside)?;
        }
        value.squeeze(1)
    }

    /// Which tokens take part, `[positions, vocabulary]`, and whether the token taken does, `[positions, 1]`; `None` where all do.
    fn members(&self, logits: &Tensor) -> Result<Option<(Tensor, Tensor)>> {
        let Constants {
            taken,
            vocabulary,
            width,
            ..
        } = &*self.0;
        match vocabulary {
            Vocabulary::Largest(count) if count.get() < *width => {}
            _ => return Ok(None),
        }
        let host = logits.detach().to_device(&Device::Cpu)?;
        let host = host.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
        let mut members = vec![0_u8; host.len()];
        let mut inside = Vec::with_capacity(taken.len());
        let rows = host.chunks_exact(*width).zip(members.chunks_mut(*width));
        for ((logits, row), token) in rows.zip(taken) {
            for member in vocabulary.members(logits).into_iter().flatten() {
                row[member] = 1;
            }
            inside.push(row[*token]);
        }
        let device = logits.device();
        Ok(Some((
            Tensor::from_vec(members, (taken.len(), *width), device)?,
            Tensor::from_vec(inside, (taken.len(), 1), device)?,
        )))
    }
}

impl Rows for Tokens {
    const NAME: &'static str = "ResponseEra's log_probs";

    fn shape(&self, _raw: &Shape) -> Shape {
        Shape::from(self.0.taken.len())
    }

    #[inline(always)]
    fn forward<T: Real>(&self, raw: &[T], out: &mut [T]) {
        let rows = raw.chunks_exact(self.0.width.max(1)).zip(out);
        for ((row, out), (token, factor)) in rows.zip(self.each()) {
            *out = T::from_f64(self.0.vocabulary.log_prob(row, token, factor));
        }
    }

    #[inline(always)]
    fn vjp<T: Real>(&self, raw: &[T], upstream: &[T], grad_raw: &mut [T]) {
        let width = self.0.width.max(1);
        let rows = raw.chunks_exact(width).zip(grad_raw.chunks_mut(width));
        for (((row, grad), upstream), (token, factor)) in rows.zip(upstream).zip(self.each()) {
            self.0
                .vocabulary
                .log_prob_vjp(row, token, factor, upstream.to_f64(), grad);
        }
    }
}
