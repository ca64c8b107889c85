//! One page and its state: counts go in, changes of state come out. It takes no lock and knows no other page.

use std::time::Duration;

use super::{
    Change, Crowd, Key, Mode, Rule, Settings, State, Time,
    audience::{Audience, Clients},
    baseline::Baseline,
    epoch::{HALVES, Moment, Series},
    plan::Plan,
    rule::{Look, Surge},
    settings::MAX_SCALES,
};

/// One tracked page. All that most requests need of it, up to the heads of the series, is in its first line of the
/// cache, and the ring of each scale in one of its own: among 100,000 pages each line that is not needed saves a walk to the
/// memory.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Track {
    audience: Option<Box<Audience>>,
    state: State,
    pin: Mode,
    series: Series,
    pub(super) name: u64,
    episode: Option<Box<Episode>>,
    pub(super) key: Key,
    baseline: Baseline,
}

/// What made a page hot, kept until it is calm.
#[derive(Debug)]
struct Episode {
    rule: Rule,
    scale: Option<usize>,
    average: f64,
    since: Time,
}

impl Track {
    pub(super) fn new(name: u64, key: Key, epoch: u32) -> Self {
        Self {
            name,
            key,
            series: Series::new(epoch),
            baseline: Baseline::default(),
            state: State::Calm,
            pin: Mode::Auto,
            audience: None,
            episode: None,
        }
    }

    /// Its mean as it was before the start.
    pub(super) fn remember(&mut self, plan: &Plan, mean: f64) {
        self.baseline = Baseline::remembered(&plan.past, mean);
    }

    /// What is to be remembered of it: the mean until now, or from before the crowd that is here.
    pub(super) fn mean(&self, plan: &Plan, now: Moment) -> f64 {
        match &self.episode {
            Some(episode) => episode.average,
            None => self.baseline.mean(&plan.past, &plan.grid, now, &self.series),
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Whether it may make room for another page.
    pub(super) fn dispensable(&self) -> bool {
        self.state == State::Calm && self.pin == Mode::Auto
    }

    /// Requests that it had lately and is expected to have: the less, the sooner it makes room.
    pub(super) fn warmth(&self, plan: &Plan, now: Moment) -> f64 {
        let grid = &plan.grid;
        let longest = grid.longest();
        let quiet = grid.half(longest, now.epoch) - grid.half(longest, self.series.epoch().min(now.epoch));
        let recent = if quiet < HALVES as u32 {
            self.series.recent(grid)
        } else {
            0
        };
        recent as f64 + self.baseline.weight() / (1.0 + f64::from(quiet))
    }

    /// Counts a request. True if the rules are worth a look: at the first request of an epoch, the second, the fourth…
    pub(super) fn observe(&mut self, plan: &Plan, now: Moment, client: u64, referrer: Option<&str>) -> bool {
        let turned = now.epoch > self.series.epoch();
        if turned {
            self.advance(plan, now);
        }
        let fresh = self.series.add(1);
        let look = turned || fresh.is_power_of_two();
        if look {
            self.follow(plan, now);
        }
        if let Some(audience) = &mut self.audience {
            audience.add(client, referrer);
        }
        look
    }

    /// Reads a word of each line of the cache that counting a request will need, beyond the first.
    pub(super) fn warm(&self) -> u32 {
        let seen = self.audience.as_ref().map_or(0, |audience| audience.began());
        seen ^ self.series.warm()
    }

    /// Counts many requests of one epoch at once: those of the whole site.
    pub(super) fn observe_many(&mut self, plan: &Plan, now: Moment, requests: u32) {
        self.advance(plan, now);
        self.series.add(requests);
        self.follow(plan, now);
    }

    /// The clients of requests counted by [`Track::observe_many`].
    pub(super) fn meet(&mut self, requests: u32, clients: &Clients) {
        if let Some(audience) = &mut self.audience {
            audience.absorb(requests, clients);
        }
    }

    /// Applies the rules that make a page hot. `room` is asked whether one more of such a rate may be.
    pub(super) fn judge(
        &mut self,
        plan: &Plan,
        now: Moment,
        room: impl FnOnce(f64) -> bool,
    ) -> Option<Change> {
        if self.state == State::Hot || self.pin != Mode::Auto {
            return None;
        }
        // Nearly every page: no clients are counted, or the floor is not reached, so no surge could make it hot.
        if self.state == State::Calm && (self.audience.is_none() || !self.reaches(plan, &plan.floor)) {
            return None;
        }
        let Plan {
            settings, grid, past, ..
        } = plan;
        let look = Look {
            settings,
            past,
            grid,
            now,
            series: &self.series,
            baseline: &self.baseline,
        };
        let surge = look.surge();
        let wave = self.state == State::Cooling && self.rate(plan, now, grid.longest()) >= self.bar(plan);
        if (surge.is_none() && !wave) || !self.crowded(settings) {
            return None;
        }
        // One that is cooling has its place.
        if self.state == State::Calm && !room(surge.map_or(0.0, |surge| surge.rate)) {
            return None;
        }
        let rule = if surge.is_some() { Rule::Surge } else { Rule::Wave };
        Some(self.heat(plan, now, rule, surge))
    }

    /// Lets time pass, which makes hot pages cool and cooling ones calm.
    pub(super) fn settle(&mut self, plan: &Plan, now: Moment) -> Option<Change> {
        self.advance(plan, now);
        let since = self.episode.as_ref().map_or(now.at, |episode| episode.since);
        let age = now.at.saturating_sub(since);
        let settings = &plan.settings;
        match self.state {
            _ if self.pin != Mode::Auto => None,
            State::Hot if age >= settings.longest() * HOLD => {
                let rate = self.rate(plan, now, plan.grid.longest());
                (rate < settings.cool_below * self.bar(plan))
                    .then(|| self.turn(plan, now, State::Cooling, Rule::Quiet))
            }
            State::Cooling if age >= settings.cooling => {
                Some(self.turn(plan, now, State::Calm, Rule::Elapsed))
            }
            _ => None,
        }
    }

    /// How much its place is worth, if it has one that another page may take: nothing while it is cooling.
    pub(super) fn strength(&self, plan: &Plan, now: Moment) -> Option<f64> {
        match self.state {
            _ if self.pin != Mode::Auto => None,
            State::Calm => None,
            State::Cooling => Some(0.0),
            State::Hot => self.crowd(plan, now).map(|crowd| crowd.rate),
        }
    }

    /// Makes room for a stronger page.
    pub(super) fn displace(&mut self, plan: &Plan, now: Moment) -> Option<Change> {
        self.advance(plan, now);
        self.strength(plan, now)
            .map(|_| self.turn(plan, now, State::Calm, Rule::Displaced))
    }

    /// Applies an operator's will.
    pub(super) fn force(&mut self, plan: &Plan, now: Moment, mode: Mode) -> Option<Change> {
        self.advance(plan, now);
        self.pin = mode;
        match (mode, self.state) {
            (Mode::Hot, State::Calm | State::Cooling) => Some(self.heat(plan, now, Rule::Manual, None)),
            (Mode::Calm, State::Hot | State::Cooling) => {
                Some(self.turn(plan, now, State::Calm, Rule::Manual))
            }
            _ => None,
        }
    }

    /// What an operator is shown of it, unless it is calm.
    pub(super) fn crowd(&self, plan: &Plan, now: Moment) -> Option<Crowd> {
        let episode = self.episode.as_ref()?;
        let grid = &plan.grid;
        let young = now.at.saturating_sub(episode.since) < plan.settings.longest();
        let scale = episode.scale.filter(|_| young).unwrap_or(grid.longest());
        Some(Crowd {
            key: self.key.clone(),
            state: self.state,
            since: episode.since,
            rule: episode.rule,
            scale: episode
                .scale
                .map_or(Duration::ZERO, |scale| plan.settings.scales[scale]),
            rate: self.rate(plan, now, scale),
            average: episode.average,
            audience: self
                .audience
                .as_ref()
                .map_or(0.0, |audience| audience.turnout().share()),
            referrers: self
                .audience
                .as_ref()
                .map(|audience| audience.referrers())
                .unwrap_or_default(),
        })
    }

    fn advance(&mut self, plan: &Plan, now: Moment) {
        let Self { series, baseline, .. } = self;
        let mut newest = plan.grid.half(plan.grid.longest(), series.epoch());
        series.advance(&plan.grid, now.epoch, |count, halves| {
            baseline.learn(&plan.past, newest, count, halves);
            newest += halves;
        });
    }

    /// Begins to look at the clients of a lively page, and stops for one that has long been quiet.
    fn follow(&mut self, plan: &Plan, now: Moment) {
        let span = plan.grid.span();
        if self.is_lively(plan) {
            self.audience
                .get_or_insert_with(|| Box::new(Audience::new(now.epoch)))
                .lively = now.epoch;
        }
        let Some(audience) = &mut self.audience else {
            return;
        };
        let quiet = now.epoch.saturating_sub(audience.lively);
        if self.state == State::Calm && quiet >= span.saturating_mul(2) {
            self.audience = None;
        } else {
            audience.advance(now.epoch, span);
        }
    }

    /// A quarter of the floor and of rule 2's bar on any scale, and more than one request: a crowd may be beginning. What is
    /// busy every day costs no more than what is quiet.
    fn is_lively(&self, plan: &Plan) -> bool {
        if !self.reaches(plan, &plan.lively) {
            return false;
        }
        let Plan {
            settings, grid, past, ..
        } = plan;
        let newest = grid.half(grid.longest(), self.series.epoch());
        let bar = settings.ratio * self.baseline.everyday(past, newest);
        grid.scales().any(|scale| {
            let enough = (bar * grid.seconds(scale) / 4.0).max(2.0);
            f64::from(self.series.latest(scale)) >= enough
        })
    }

    /// Whether the largest recent epoch of any scale has so many requests.
    fn reaches(&self, plan: &Plan, counts: &[u32; MAX_SCALES]) -> bool {
        let scales = plan.grid.scales();
        scales
            .zip(counts)
            .any(|(scale, count)| self.series.latest(scale) >= *count)
    }

    /// Whether enough different clients make its requests.
    fn crowded(&self, settings: &Settings) -> bool {
        let turnout = self.audience.as_ref().map(|audience| audience.turnout());
        turnout.is_some_and(|turnout| {
            turnout.clients >= settings.min_clients as usize && turnout.share() >= settings.min_audience
        })
    }

    /// Requests per second over the last epoch's length, sliding.
    fn rate(&self, plan: &Plan, now: Moment, scale: usize) -> f64 {
        let half = plan.grid.seconds(scale) / 2.0;
        let begun = f64::from(plan.grid.half(scale, self.series.epoch())) * half;
        let part = ((now.seconds() - begun) / half).clamp(0.0, 1.0);
        self.series.sliding(scale, part) / (2.0 * half)
    }

    /// The rate from which a page that was hot is busy: the floor, or well above what was normal before, or has become so.
    fn bar(&self, plan: &Plan) -> f64 {
        let newest = plan.grid.half(plan.grid.longest(), self.series.epoch());
        let before = self.episode.as_ref().map_or(0.0, |episode| episode.average);
        let normal = self
            .baseline
            .settled(&plan.past, newest)
            .unwrap_or(0.0)
            .max(before);
        plan.settings.min_rate.max(ABOVE * normal)
    }

    fn heat(&mut self, plan: &Plan, now: Moment, rule: Rule, surge: Option<Surge>) -> Change {
        let average = surge.map_or_else(
            || self.baseline.mean(&plan.past, &plan.grid, now, &self.series),
            |surge| surge.average,
        );
        let scale = surge.map(|surge| surge.scale);
        self.episode = Some(Box::new(Episode {
            rule,
            scale,
            average,
            since: now.at,
        }));
        let mut change = self.turn(plan, now, State::Hot, rule);
        if let Some(surge) = surge {
            change.rate = surge.rate;
            change.requests = surge.requests;
            change.onset = plan.grid.begins(surge.scale, surge.onset).min(now.at);
        }
        change
    }

    fn turn(&mut self, plan: &Plan, now: Moment, to: State, rule: Rule) -> Change {
        let from = std::mem::replace(&mut self.state, to);
        if let Some(episode) = &mut self.episode {
            episode.since = now.at;
        }
        let shown = self.crowd(plan, now);
        if to == State::Calm {
            self.episode = None;
        }
        Change {
            key: self.key.clone(),
            from,
            to,
            rule,
            scale: shown.as_ref().map_or(Duration::ZERO, |crowd| crowd.scale),
            rate: shown.as_ref().map_or(0.0, |crowd| crowd.rate),
            average: shown.as_ref().map_or(0.0, |crowd| crowd.average),
            audience: shown.as_ref().map_or(0.0, |crowd| crowd.audience),
            referrers: shown.map(|crowd| crowd.referrers).unwrap_or_default(),
            at: now.at,
            requests: 0,
            onset: now.at,
        }
    }
}

/// Longest epochs that a page stays hot at least: before two have passed, its rate over the longest is not whole.
const HOLD: u32 = 2;
/// Times the normal rate that a page is still, or again, part of a crowd: above any daily rhythm.
const ABOVE: f64 = 4.0;
