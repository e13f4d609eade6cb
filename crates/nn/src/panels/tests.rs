use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Attend, AttendRow, Begin, Cell, PANEL, Panels, Pool, PoolShape};
use crate::{exp, standard_normal};

fn normal(seed: u64, size: usize) -> Vec<f32> {
    let mut values = vec![0.0; size];
    standard_normal(&mut ChaCha8Rng::seed_from_u64(seed), &mut values);
    values
}

fn close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(*found) - expected).abs() < 2e-5 * expected.abs().max(1.0),
            "{what}, {at}: {found} instead of {expected}"
        );
    }
}

/// Every number of rows that a kernel has, with and without a rest, and panels that are not full.
#[test]
fn products_are_those_of_f64() {
    for rows in [0, 1, 2, 3, 5, 13, 14, 15, 16, 27, 29, 43, 64] {
        for (depth, columns) in [(1, 1), (7, 31), (48, 32), (33, 33), (20, 100), (300, 130)] {
            let (left, right) = (normal(1, rows * depth), normal(2, depth * columns));
            let (bias, before) = (normal(3, columns), normal(4, rows * columns));
            let mut panels = Panels::default();
            panels.set(&right, [depth, columns]);
            let mut other = Panels::default();
            let transposed: Vec<f32> = (0..columns)
                .flat_map(|c| (0..depth).map(move |k| (k, c)))
                .map(|(k, c)| right[k * columns + c])
                .collect();
            other.set(&normal(5, 90 * 90), [90, 90]); // what was there before does not matter
            other.set_transposed(&transposed, [columns, depth]);
            for (name, begin) in [
                ("zero", Begin::Zero),
                ("row", Begin::Row(&bias)),
                ("result", Begin::Result),
            ] {
                let mut out = before.clone();
                panels.product(&left, begin, &mut out);
                let exact = |at: usize| {
                    let (row, column) = (at / columns, at % columns);
                    let start = match begin {
                        Begin::Zero => 0.0,
                        Begin::Row(bias) => f64::from(bias[column]),
                        Begin::Result => f64::from(before[at]),
                    };
                    let term = |k| {
                        f64::from(left[row * depth + k]) * f64::from(right[k * columns + column])
                    };
                    start + (0..depth).map(term).sum::<f64>()
                };
                let exact: Vec<f64> = (0..rows * columns).map(exact).collect();
                close(&out, &exact, &format!("{rows} {depth} {columns} {name}"));
                let mut again = before.clone();
                other.product(&left, begin, &mut again);
                assert_eq!(out, again, "the transpose");
                // One row at a time: the same to the last bit.
                for row in 0..rows {
                    let mut one = before[row * columns..][..columns].to_vec();
                    panels.product(&left[row * depth..][..depth], begin, &mut one);
                    assert_eq!(one, out[row * columns..][..columns]);
                }
            }
        }
    }
}

#[test]
fn the_exponential_is_within_three_units_in_the_last_place() {
    for bits in (0x8000_0000_u32..0xc2ae_0000).step_by(997) {
        let x = f32::from_bits(bits);
        let exact = f64::from(x).exp();
        let error = (f64::from(exp(x)) - exact).abs();
        assert!(error <= 3.6e-7 * exact, "e^{x} is {exact} within {error}");
    }
    assert_eq!(exp(0.0), 1.0);
    assert_eq!(exp(f32::NEG_INFINITY), 0.0);
}

/// A sequence as keys and values by position, and its pages.
struct Sequence {
    keys: Vec<f32>,
    values: Vec<f32>,
    pages: Vec<u32>,
}

fn sequence(pool: &mut Pool, cell: Cell, seed: u64, length: usize) -> Sequence {
    let width = pool.shape().width;
    let (keys, values) = (
        normal(seed, length * width),
        normal(seed + 1, length * width),
    );
    let pages: Vec<u32> = (0..length.div_ceil(PANEL)).map(|_| pool.take()).collect();
    for at in 0..length {
        let part = at * width..(at + 1) * width;
        let page = pages[at / PANEL];
        pool.write(page, cell, at % PANEL, &keys[part.clone()], &values[part]);
    }
    Sequence {
        keys,
        values,
        pages,
    }
}

/// Softmax attention in f64 over the first positions of two sequences.
fn attention(query: &[f32], parts: [(&Sequence, usize); 2]) -> Vec<f64> {
    let width = query.len();
    let positions = || {
        parts
            .iter()
            .flat_map(|(s, n)| (0..*n).map(move |at| (s, at)))
    };
    let score = |(s, at): (&&Sequence, usize)| -> f64 {
        let key = &s.keys[at * width..][..width];
        query
            .iter()
            .zip(key)
            .map(|(q, k)| f64::from(*q) * f64::from(*k))
            .sum()
    };
    let weights: Vec<f64> = positions().map(|p| score(p).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let mut out = vec![0.0; width];
    for ((s, at), weight) in positions().zip(&weights) {
        for (out, value) in out.iter_mut().zip(&s.values[at * width..][..width]) {
            *out += weight / sum * f64::from(*value);
        }
    }
    out
}

#[test]
fn attention_is_that_of_f64() {
    for width in [2, 8, 32, 40, 64] {
        for (shared, owns) in [
            (0, vec![1]),
            (1, vec![0]),
            (5, vec![3, 0, 1]),
            (32, vec![32, 33, 1, 70]),
            (71, vec![0; 20]),
            (0, vec![40, 2]),
        ] {
            let shape = PoolShape {
                layers: 2,
                heads: 3,
                width,
            };
            let cell = Cell { layer: 1, head: 2 };
            let mut pool = Pool::new(shape);
            // Memory that was used before, with NaN in it.
            let used: Vec<u32> = (0..9).map(|_| pool.take()).collect();
            for page in &used {
                for at in 0..PANEL {
                    pool.write(
                        *page,
                        cell,
                        at,
                        &vec![f32::NAN; width],
                        &vec![f32::NAN; width],
                    );
                }
            }
            pool.give(used);
            let common = sequence(&mut pool, cell, 1, shared);
            let sequences: Vec<Sequence> = (0..)
                .zip(&owns)
                .map(|(i, &length)| sequence(&mut pool, cell, 10 + 2 * i, length))
                .collect();
            let (mut pages, mut rows) = (Vec::new(), Vec::new());
            for (at, own) in owns.iter().enumerate() {
                rows.push(AttendRow {
                    // Where nothing is its own, the rows see more and more, as positions of a prompt do.
                    shared: if *own == 0 {
                        (at + 1).min(shared)
                    } else {
                        shared
                    },
                    own: *own,
                    first_page: pages.len(),
                });
                pages.extend(&sequences[at].pages);
            }
            let per = 3;
            let queries = normal(9, rows.len() * per * width);
            let compute = |rows: &[AttendRow], queries: &[f32]| {
                let mut out = vec![f32::NAN; queries.len()];
                Attend {
                    pool: &pool,
                    cell,
                    shared: &common.pages,
                    own: &pages,
                    rows,
                    queries,
                    out: &mut out,
                    scratch: &mut vec![f32::NAN; 7],
                }
                .compute();
                out
            };
            let out = compute(&rows, &queries);
            let size = per * width;
            for (at, row) in rows.iter().enumerate() {
                let (out, queries) = (&out[at * size..][..size], &queries[at * size..][..size]);
                for (out, query) in out.chunks(width).zip(queries.chunks(width)) {
                    let exact =
                        attention(query, [(&common, row.shared), (&sequences[at], row.own)]);
                    close(out, &exact, &format!("{width} {shared} {owns:?} {at}"));
                }
                assert_eq!(out, compute(&[*row], queries), "alone");
            }
        }
    }
}
