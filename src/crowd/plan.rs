//! What the settings amount to, worked out once for all pages. It holds no page and decides nothing.

use super::{
    Settings, Time, baseline::Past, epoch::Heads, grid::Grid, key::Naming, rule::FEW, settings::MAX_SCALES,
};

/// Settings worked out once, for all pages.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) settings: Settings,
    pub(super) grid: Grid,
    pub(super) past: Past,
    pub(super) naming: Naming,
    /// Requests in an epoch of each scale from which a page is worth a look at its clients, and from which it is at the floor.
    pub(super) lively: [u32; MAX_SCALES],
    pub(super) floor: [u32; MAX_SCALES],
}

impl Plan {
    pub(super) fn new(settings: Settings, start: Time, seed: u64, remembered: f64) -> Self {
        let grid = Grid::new(&settings, start);
        let past = Past::new(&settings, remembered);
        let naming = Naming::new(seed, &settings.keep_query);
        let requests = |rate: f64, few: f64| {
            let mut counts = [u32::MAX; MAX_SCALES];
            for (scale, count) in grid.scales().zip(&mut counts) {
                *count = (rate * grid.seconds(scale)).max(few).ceil() as u32;
            }
            counts
        };
        Self {
            lively: requests(settings.min_rate / 4.0, 2.0),
            // Rounded in favour of a look: what it finds is compared as rates.
            floor: requests(settings.min_rate * (1.0 - 1e-9), FEW),
            settings,
            grid,
            past,
            naming,
        }
    }

    /// Whether a page has a quarter of rule 2's bar on any scale, and more than one request, where it has so many per second
    /// every day.
    pub(super) fn exceeds(&self, heads: &Heads, everyday: f64) -> bool {
        let bar = self.settings.ratio * everyday / 4.0;
        self.grid
            .scales()
            .any(|scale| f64::from(heads.latest(scale)) >= (bar * self.grid.seconds(scale)).max(2.0))
    }
}
