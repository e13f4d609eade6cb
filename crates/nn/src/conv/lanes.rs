//! Sixteen numbers side by side: one AVX-512 register, or whatever the compiler makes of an array elsewhere.

/// Samples that are computed side by side.
pub const LANES: usize = 16;
/// One number of each of sixteen samples.
pub(crate) type Lane = [f32; LANES];

/// Arithmetic on sixteen numbers.
pub(crate) trait Vectors: Copy {
    /// Sixteen numbers.
    type V: Copy;
    /// Columns of outputs that a kernel keeps in registers.
    const COLUMNS: usize;
    /// Rows of a product, of 32 columns each, that a kernel keeps in registers.
    const ROWS: usize;
    /// Sixteen times the same.
    fn splat(self, x: f32) -> Self::V;
    /// From memory.
    fn load(self, x: &Lane) -> Self::V;
    /// To memory.
    fn store(self, x: Self::V) -> Lane;
    /// To memory that is there.
    fn store_to(self, x: Self::V, out: &mut Lane);
    /// a + b.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// a * b.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// a * b + c, rounded once where the machine can.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a` where `of` is positive, 0 elsewhere.
    fn where_positive(self, of: Self::V, a: Self::V) -> Self::V;
    /// The sum of all sixteen.
    fn sum(self, x: Self::V) -> f32;
}

/// Registers of sixteen lanes.
#[derive(Clone, Copy)]
pub(crate) struct Registers<S>(pub(crate) S);

impl<S: pulp::Simd> Vectors for Registers<S> {
    type V = S::f32s;
    const COLUMNS: usize = 2;
    const ROWS: usize = 14;
    #[inline(always)]
    fn splat(self, x: f32) -> S::f32s {
        self.0.splat_f32s(x)
    }
    #[inline(always)]
    fn load(self, x: &Lane) -> S::f32s {
        S::as_simd_f32s(x).0[0]
    }
    #[inline(always)]
    fn store(self, x: S::f32s) -> Lane {
        let mut out = [0.0; LANES];
        S::as_mut_simd_f32s(&mut out).0[0] = x;
        out
    }
    #[inline(always)]
    fn store_to(self, x: S::f32s, out: &mut Lane) {
        S::as_mut_simd_f32s(out).0[0] = x;
    }
    #[inline(always)]
    fn add(self, a: S::f32s, b: S::f32s) -> S::f32s {
        self.0.add_f32s(a, b)
    }
    #[inline(always)]
    fn mul(self, a: S::f32s, b: S::f32s) -> S::f32s {
        self.0.mul_f32s(a, b)
    }
    #[inline(always)]
    fn where_positive(self, of: S::f32s, a: S::f32s) -> S::f32s {
        let zero = self.0.splat_f32s(0.0);
        self.0
            .select_f32s(self.0.greater_than_f32s(of, zero), a, zero)
    }
    #[inline(always)]
    fn mul_add(self, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
        self.0.mul_add_f32s(a, b, c)
    }
    #[inline(always)]
    fn sum(self, x: S::f32s) -> f32 {
        self.0.reduce_sum_f32s(x)
    }
}

/// Arrays, for machines without such registers.
#[derive(Clone, Copy)]
pub(crate) struct Arrays;

impl Vectors for Arrays {
    type V = Lane;
    const COLUMNS: usize = 1;
    const ROWS: usize = 2;
    #[inline(always)]
    fn splat(self, x: f32) -> Lane {
        [x; LANES]
    }
    #[inline(always)]
    fn load(self, x: &Lane) -> Lane {
        *x
    }
    #[inline(always)]
    fn store(self, x: Lane) -> Lane {
        x
    }
    #[inline(always)]
    fn store_to(self, x: Lane, out: &mut Lane) {
        *out = x;
    }
    #[inline(always)]
    fn add(self, a: Lane, b: Lane) -> Lane {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn mul(self, a: Lane, b: Lane) -> Lane {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn where_positive(self, of: Lane, a: Lane) -> Lane {
        std::array::from_fn(|i| if of[i] > 0.0 { a[i] } else { 0.0 })
    }
    #[inline(always)]
    fn mul_add(self, a: Lane, b: Lane, c: Lane) -> Lane {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn sum(self, x: Lane) -> f32 {
        let mut lanes = x;
        let mut width = LANES / 2;
        while width > 0 {
            for i in 0..width {
                lanes[i] += lanes[i + width];
            }
            width /= 2;
        }
        lanes[0]
    }
}
