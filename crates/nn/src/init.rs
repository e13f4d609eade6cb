//! Initial values, drawn from a generator that the caller passes in.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Fills a slice with standard normal numbers.
pub fn standard_normal(rng: &mut ChaCha8Rng, out: &mut [f32]) {
    for x in out {
        *x = StandardNormal.sample(rng);
    }
}

/// Fills a slice with numbers uniform in \[0, 1).
pub fn standard_uniform(rng: &mut ChaCha8Rng, out: &mut [f32]) {
    for x in out {
        *x = rng.random();
    }
}

/// A `[rows, columns]` matrix whose rows (or columns, whichever are fewer) are orthogonal and of length `gain`, uniform
/// over such matrices (Saxe et al. 2014). Row major.
pub fn orthogonal(rng: &mut ChaCha8Rng, rows: usize, columns: usize, gain: f64) -> Vec<f32> {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut vector: Vec<f64> = (0..length).map(|_| StandardNormal.sample(rng)).collect();
        // Gram and Schmidt, twice: once leaves what rounding brought back (Giraud et al. 2005).
        for _ in 0..2 {
            for other in &basis {
                let along = dot(&vector, other);
                for (x, o) in vector.iter_mut().zip(other) {
                    *x -= along * o;
                }
            }
        }
        let scale = 1.0 / dot(&vector, &vector).sqrt();
        vector.iter_mut().for_each(|x| *x *= scale);
        basis.push(vector);
    }
    let entry = |row: usize, column: usize| match rows <= columns {
        true => basis[row][column],
        false => basis[column][row],
    };
    let mut matrix = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        matrix.extend((0..columns).map(|column| (gain * entry(row, column)) as f32));
    }
    matrix
}

/// In eight partial sums, which the compiler turns into vector code.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::{orthogonal, standard_normal};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn the_shorter_side_is_orthogonal() {
        for (rows, columns) in [(5, 9), (9, 5), (64, 64), (17, 256), (1, 3), (3, 1)] {
            let mut rng = ChaCha8Rng::seed_from_u64(3);
            let matrix = orthogonal(&mut rng, rows, columns, 2.0);
            let at = |i: usize, k: usize| {
                f64::from(if rows <= columns {
                    matrix[i * columns + k]
                } else {
                    matrix[k * columns + i]
                })
            };
            let (count, length) = (rows.min(columns), rows.max(columns));
            for i in 0..count {
                for j in 0..count {
                    let product: f64 = (0..length).map(|k| at(i, k) * at(j, k)).sum();
                    let expected = if i == j { 4.0 } else { 0.0 };
                    assert!(
                        (product - expected).abs() < 2e-6,
                        "{rows}x{columns}: ({i}, {j}) is {product}"
                    );
                }
            }
        }
    }

    #[test]
    fn normals_have_mean_0_and_variance_1() {
        let mut draws = vec![0.0; 100_000];
        standard_normal(&mut ChaCha8Rng::seed_from_u64(0), &mut draws);
        let moment =
            |power: i32| draws.iter().map(|x| f64::from(*x).powi(power)).sum::<f64>() / 1e5;
        // Five standard errors.
        assert!(
            moment(1).abs() < 0.016
                && (moment(2) - 1.0).abs() < 0.023
                && (moment(4) - 3.0).abs() < 0.16
        );
    }
}
