//! The door before the tracked pages: how often a page was asked lately, told for any number of pages in a fixed space.
//! It is asked only when all places are taken.

/// A count-min sketch with conservative update that forgets everything once half full.
#[derive(Debug)]
pub(super) struct Sketch {
    cells: Vec<u8>,
    added: usize,
}

impl Sketch {
    /// Counts a page by its name and tells how often it was asked since the sketch forgot, this time included;
    /// seldom too much, never too little.
    pub(super) fn add(&mut self, name: u64) -> u8 {
        if self.cells.is_empty() {
            self.cells = vec![0; ROWS * WIDTH];
        } else if self.added >= WIDTH / 2 {
            self.cells.fill(0);
            self.added = 0;
        }
        self.added += 1;
        let places = places(name);
        let count = places
            .iter()
            .map(|place| self.cells[*place])
            .min()
            .unwrap_or(0)
            .saturating_add(1);
        for place in places {
            self.cells[place] = self.cells[place].max(count);
        }
        count
    }
}

impl Default for Sketch {
    /// Takes no space until it is first asked.
    fn default() -> Self {
        Self {
            cells: Vec::new(),
            added: 0,
        }
    }
}

/// One cell per row, from two halves of the name.
fn places(name: u64) -> [usize; ROWS] {
    let (first, second) = (name as u32, (name >> 32) as u32 | 1);
    std::array::from_fn(|row| {
        let mixed = first
            .wrapping_add(second.wrapping_mul(row as u32 + 1))
            .wrapping_mul(0x9E37_79B1);
        row * WIDTH + (mixed >> (32 - WIDTH.trailing_zeros())) as usize
    })
}

/// Rows: half full, one page in forty passes for another.
const ROWS: usize = 4;
/// Cells per row: 64 KiB per shard, 4 MiB in all.
const WIDTH: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_often_asked_stand_out_of_a_flood() {
        let mut sketch = Sketch::default();
        let mut random = 1u64;
        let mut passed = 0;
        for number in 0..100_000u32 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            passed += u32::from(sketch.add(random ^ (random >> 29)) > 1);
            if number % 1_000 == 0 {
                let count = sketch.add(0xABCD_EF01_2345_6789);
                assert!(count >= 1);
                if number % 8_000 == 7_000 {
                    assert!(count >= 3, "{count} of 7");
                }
            }
        }
        assert!(passed < 5_000, "{passed} of 100,000 strangers passed");
        assert_eq!(sketch.cells.len(), ROWS * WIDTH);
    }
}
