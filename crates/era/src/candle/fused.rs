//! A function of rows as one node of candle's graph, computed by the reference.

use crate::real::Real;
use crate::simd::vectorised;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, DType, Error, Layout, Result, Shape, Tensor, WithDType, bail,
};

/// What the reference computes on slices of whole rows. Both functions are to be `inline(always)`, see [`vectorised`].
pub(super) trait Rows: Clone + Send + Sync + 'static {
    /// The operation's name in candle's messages.
    const NAME: &'static str;

    /// The shape of the output.
    fn shape(&self, raw: &Shape) -> Shape;

    /// The function of `raw`, into `out`.
    fn forward<T: Real>(&self, raw: &[T], out: &mut [T]);

    /// The gradient with respect to `raw` from that with respect to the output.
    fn vjp<T: Real>(&self, raw: &[T], upstream: &[T], grad_raw: &mut [T]);
}

/// The function of `raw`, in `f32` or `f64` as `raw` is: one node on the CPU, `composed` on other devices. Halves are computed in, and come
/// out as, `f32`.
pub(super) fn apply<R: Rows>(
    rows: &R,
    raw: &Tensor,
    composed: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let raw = match raw.dtype() {
        DType::F32 | DType::F64 => raw.clone(),
        DType::F16 | DType::BF16 => raw.to_dtype(DType::F32)?,
        other => bail!(
            "apply {}: its input has type {other:?}, it must have f16, bf16, f32 or f64",
            R::NAME
        ),
    };
    if raw.device().is_cpu() {
        raw.contiguous()?.apply_op1(Forward(rows.clone()))
    } else {
        composed(&raw)
    }
}

/// The length of the last dimension is checked to be `width`; `column` says what stands there.
pub(super) fn check_rows<R: Rows>(raw: &Tensor, width: usize, column: &str) -> Result<()> {
    if raw.dims().last() != Some(&width) {
        bail!(
            "apply {}: the last dimension of its input must be {width}, one for each {column}, but the shape is {:?}",
            R::NAME,
            raw.dims()
        );
    }
    Ok(())
}

struct Forward<R>(R);

impl<R: Rows> CustomOp1 for Forward<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let shape = self.0.shape(layout.shape());
        let len = shape.elem_count();
        let storage = match storage {
            CpuStorage::F32(raw) => {
                CpuStorage::F32(forward(&self.0, contiguous(raw, layout)?, len))
            }
            CpuStorage::F64(raw) => {
                CpuStorage::F64(forward(&self.0, contiguous(raw, layout)?, len))
            }
            other => return Err(unsupported::<R>(other)),
        };
        Ok((storage, shape))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad_res: &Tensor) -> Result<Option<Tensor>> {
        // A tracked operation, though it has no backward pass: a second derivative is then refused, and not silently taken for zero.
        let pullback = Pullback(self.0.clone());
        let grad = arg
            .contiguous()?
            .apply_op2(&grad_res.contiguous()?, pullback)?;
        Ok(Some(grad))
    }
}

/// The vector-Jacobian product of (raw, upstream).
struct Pullback<R>(R);

impl<R: Rows> CustomOp2 for Pullback<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn cpu_fwd(
        &self,
        raw: &CpuStorage,
        layout: &Layout,
        upstream: &CpuStorage,
        upstream_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let storage = match (raw, upstream) {
            (CpuStorage::F32(raw), CpuStorage::F32(upstream)) => {
                let upstream = contiguous(upstream, upstream_layout)?;
                CpuStorage::F32(vjp(&self.0, contiguous(raw, layout)?, upstream))
            }
            (CpuStorage::F64(raw), CpuStorage::F64(upstream)) => {
                let upstream = contiguous(upstream, upstream_layout)?;
                CpuStorage::F64(vjp(&self.0, contiguous(raw, layout)?, upstream))
            }
            (_, other) => return Err(unsupported::<R>(other)),
        };
        Ok((storage, layout.shape().clone()))
    }
}

fn forward<R: Rows, T: Real>(rows: &R, raw: &[T], len: usize) -> Vec<T> {
    let mut out = vec![T::from_f64(0.0); len];
    vectorised(
        #[inline(always)]
        || rows.forward(raw, &mut out),
    );
    out
}

fn vjp<R: Rows, T: Real>(rows: &R, raw: &[T], upstream: &[T]) -> Vec<T> {
    let mut grad_raw = vec![T::from_f64(0.0); raw.len()];
    vectorised(
        #[inline(always)]
        || rows.vjp(raw, upstream, &mut grad_raw),
    );
    grad_raw
}

/// The part of a storage that a contiguous layout names.
pub(super) fn contiguous<'a, T: WithDType>(values: &'a [T], layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => bail!(
            "read a tensor's rows: its strides are {:?}, it must be contiguous",
            layout.stride()
        ),
    }
}

fn unsupported<R: Rows>(storage: &CpuStorage) -> Error {
    use candle_core::backend::BackendStorage;
    Error::UnsupportedDTypeForOp(storage.dtype(), R::NAME).bt()
}
