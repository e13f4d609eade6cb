//! What all functions here ask of a tensor.

use tch::{Kind, TchError, Tensor};

/// The type that a tensor is computed in. `who` begins the message.
///
/// # Errors
/// A tensor that holds nothing, or no numbers of a floating point type.
pub(super) fn working_kind(who: &str, tensor: &Tensor) -> Result<Kind, TchError> {
    if !tensor.defined() {
        return Err(TchError::Kind(format!("{who}: the tensor is undefined")));
    }
    match tensor.f_kind()? {
        kind @ (Kind::Float | Kind::Double) => Ok(kind),
        Kind::Half | Kind::BFloat16 => Ok(Kind::Float),
        other => Err(TchError::Kind(format!(
            "{who}: the tensor has kind {other:?}, it must have Half, BFloat16, Float or Double"
        ))),
    }
}

/// The same for a tensor whose last dimension must have `width` columns, one for each `column`.
pub(super) fn check_rows(
    who: &str,
    tensor: &Tensor,
    width: usize,
    column: &str,
) -> Result<Kind, TchError> {
    let kind = working_kind(who, tensor)?;
    let size = tensor.size();
    if size.last().map(|last| usize::try_from(*last)) == Some(Ok(width)) {
        return Ok(kind);
    }
    Err(TchError::Shape(format!(
        "{who}: the last dimension must be {width}, one for each {column}, but the shape is {size:?}"
    )))
}

/// What the twin without `f_` does with an error.
#[track_caller]
pub(super) fn or_panic<T>(result: Result<T, TchError>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
