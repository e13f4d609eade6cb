//! Keys and values of earlier positions, in pages.

use super::PANEL;
use super::tile::Columns;

/// What a position has: a key and a value of `width` numbers for each of `heads` heads in each of `layers` layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolShape {
    /// Layers.
    pub layers: usize,
    /// Heads of keys and values.
    pub heads: usize,
    /// Width of a head.
    pub width: usize,
}

impl PoolShape {
    /// Panels of a head's values.
    pub(super) fn value_panels(self) -> usize {
        self.width.div_ceil(PANEL)
    }

    /// Rows of 32 numbers that one head of one layer takes in a page.
    fn head_size(self) -> usize {
        self.width + self.value_panels() * PANEL
    }

    /// Where a head's keys begin in a page.
    fn start(self, cell: Cell) -> usize {
        (cell.layer * self.heads + cell.head) * self.head_size()
    }
}

/// One head of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Below [`PoolShape::layers`].
    pub layer: usize,
    /// Below [`PoolShape::heads`].
    pub head: usize,
}

/// Pages of 32 positions each, for all layers and heads. A sequence has a list of pages; pages that are given back are used again.
#[derive(Debug)]
pub struct Pool {
    shape: PoolShape,
    /// Keys of a cell are `[width, 32 positions]`, then values `[panels, 32 positions, 32]`.
    pages: Vec<Box<[Columns]>>,
    free: Vec<u32>,
}

impl Pool {
    /// A pool without pages.
    pub fn new(shape: PoolShape) -> Self {
        Self {
            shape,
            pages: Vec::new(),
            free: Vec::new(),
        }
    }

    /// What a position has.
    pub fn shape(&self) -> PoolShape {
        self.shape
    }

    /// A page that nobody uses; it is made if there is none. What it holds is not defined.
    pub fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            let PoolShape { layers, heads, .. } = self.shape;
            let size = layers * heads * self.shape.head_size();
            self.pages.push(vec![[0.0; PANEL]; size].into_boxed_slice());
            (self.pages.len() - 1) as u32
        })
    }

    /// Gives pages back.
    pub fn give(&mut self, pages: impl IntoIterator<Item = u32>) {
        self.free.extend(pages);
    }

    /// Takes all pages back.
    pub fn clear(&mut self) {
        self.free.clear();
        self.free.extend(0..self.pages.len() as u32);
    }

    /// Number of pages, used or not.
    pub fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Writes one head's key and value of position `at` of a page.
    ///
    /// # Panics
    /// A width or index does not fit.
    pub fn write(&mut self, page: u32, cell: Cell, at: usize, key: &[f32], value: &[f32]) {
        let shape = self.shape;
        assert!(
            key.len() == shape.width && value.len() == shape.width && at < PANEL,
            "a key and a value of one head"
        );
        let start = shape.start(cell);
        let page = &mut self.pages[page as usize][start..start + shape.head_size()];
        let (keys, values) = page.split_at_mut(shape.width);
        for (row, key) in keys.iter_mut().zip(key) {
            row[at] = *key;
        }
        for (panel, value) in values.chunks_exact_mut(PANEL).zip(value.chunks(PANEL)) {
            panel[at][..value.len()].copy_from_slice(value);
        }
    }

    /// Keys of one head, `[width, 32 positions]`.
    #[inline(always)]
    pub(super) fn keys(&self, page: u32, cell: Cell) -> &[Columns] {
        &self.pages[page as usize][self.shape.start(cell)..][..self.shape.width]
    }

    /// Values of one head, columns from 32 * `panel`, of the first `positions` positions.
    #[inline(always)]
    pub(super) fn values(
        &self,
        page: u32,
        cell: Cell,
        panel: usize,
        positions: usize,
    ) -> &[Columns] {
        let start = self.shape.start(cell) + self.shape.width + panel * PANEL;
        &self.pages[page as usize][start..][..positions]
    }
}
