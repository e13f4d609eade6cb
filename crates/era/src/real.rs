//! The element types of the slices: `f32` and `f64`, always computed in `f64`.

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// An element of a slice: `f32` or `f64`.
///
/// Every formula of this crate runs in `f64` whatever it reads and writes: the differences of distribution functions in a truncated
/// normal lose half of an `f32`'s digits.
pub trait Real: sealed::Sealed + Copy {
    /// The value in `f64`, exactly.
    fn to_f64(self) -> f64;
    /// The nearest value of this type.
    fn from_f64(value: f64) -> Self;
}

impl Real for f32 {
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }
}

impl Real for f64 {
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }
}
