//! One page and its state: counts go in, changes of state come out. It takes no lock and knows no other page.

use std::time::Duration;

use super::{
    Change, Crowd, Mode, Rule, Settings, State,
    audience::{Audience, Seen},
    baseline::Baseline,
    epoch::{HALVES, Series},
    front::Front,
    grid::Moment,
    plan::Plan,
    rule::{Look, Surge},
    track::{Episode, Track},
};

/// A whole page in hand. When it is put down, its front knows whether it is watched.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) front: &'a mut Front,
    pub(super) track: &'a mut Track,
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        self.front
            .watch(self.track.state != State::Calm || self.track.audience.is_some());
    }
}

impl Page<'_> {
    /// Its mean as it was before the start.
    pub(super) fn remember(&mut self, plan: &Plan, mean: f64) {
        self.track.baseline = Baseline::remembered(&plan.past, mean);
        self.front.accustom(self.track.baseline.count());
    }

    /// What is to be remembered of it: the mean until now, or from before the crowd that is here.
    pub(super) fn mean(&self, plan: &Plan, now: Moment) -> f64 {
        match &self.track.episode {
            Some(episode) => episode.average,
            None => self
                .track
                .baseline
                .mean(&plan.past, &plan.grid, now, self.series()),
        }
    }

    pub(super) fn state(&self) -> State {
        self.track.state
    }

    fn series(&self) -> Series<'_> {
        Series {
            heads: &self.front.heads,
            rings: &self.track.rings,
        }
    }

    /// Requests that it had lately and is expected to have: the less, the sooner it makes room.
    pub(super) fn warmth(&self, plan: &Plan, now: Moment) -> f64 {
        let grid = &plan.grid;
        let longest = grid.longest();
        let quiet =
            grid.half(longest, now.epoch) - grid.half(longest, self.front.heads.epoch().min(now.epoch));
        let recent = if quiet < HALVES as u32 {
            self.series().recent(grid)
        } else {
            0
        };
        recent as f64 + self.track.baseline.weight() / (1.0 + f64::from(quiet))
    }

    /// Looks at a request that was counted. `due` if the rules are worth a look.
    pub(super) fn attend(
        &mut self,
        plan: &Plan,
        now: Moment,
        due: bool,
        client: u64,
        referrer: Option<&str>,
    ) {
        if due {
            self.follow(plan, now);
        }
        if let Some(audience) = &mut self.track.audience {
            audience.add(client, referrer);
        }
    }

    /// Counts many requests of one epoch at once: those of the whole site.
    pub(super) fn observe_many(&mut self, plan: &Plan, now: Moment, requests: u32) {
        self.track.advance(self.front, plan, now);
        self.front.heads.add(requests);
        self.follow(plan, now);
    }

    /// The clients of requests counted by [`Track::observe_many`].
    pub(super) fn meet(&mut self, requests: u32, seen: &Seen) {
        if let Some(audience) = &mut self.track.audience {
            audience.absorb(requests, seen);
        }
    }

    /// Applies the rules that make a page hot. `room` is asked whether one more of such a rate may be.
    pub(super) fn judge(
        &mut self,
        plan: &Plan,
        now: Moment,
        room: impl FnOnce(f64) -> bool,
    ) -> Option<Change> {
        if self.track.state == State::Hot || self.track.pin != Mode::Auto {
            return None;
        }
        // Nearly every page: no clients are counted, or the floor is not reached, so no surge could make it hot.
        if self.track.state == State::Calm
            && (self.track.audience.is_none() || !self.front.heads.reach(&plan.floor))
        {
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
            series: self.series(),
            baseline: &self.track.baseline,
        };
        let surge = look.surge();
        let wave =
            self.track.state == State::Cooling && self.rate(plan, now, grid.longest()) >= self.bar(plan);
        if (surge.is_none() && !wave) || !self.crowded(settings) {
            return None;
        }
        // One that is cooling has its place.
        if self.track.state == State::Calm && !room(surge.map_or(0.0, |surge| surge.rate)) {
            return None;
        }
        let rule = if surge.is_some() { Rule::Surge } else { Rule::Wave };
        Some(self.heat(plan, now, rule, surge))
    }

    /// Lets time pass, which makes hot pages cool and cooling ones calm.
    pub(super) fn settle(&mut self, plan: &Plan, now: Moment) -> Option<Change> {
        self.track.advance(self.front, plan, now);
        let since = self
            .track
            .episode
            .as_ref()
            .map_or(now.at, |episode| episode.since);
        let age = now.at.saturating_sub(since);
        let settings = &plan.settings;
        match self.track.state {
            _ if self.track.pin != Mode::Auto => None,
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
        match self.track.state {
            _ if self.track.pin != Mode::Auto => None,
            State::Calm => None,
            State::Cooling => Some(0.0),
            State::Hot => self.crowd(plan, now).map(|crowd| crowd.rate),
        }
    }

    /// Makes room for a stronger page.
    pub(super) fn displace(&mut self, plan: &Plan, now: Moment) -> Option<Change> {
        self.track.advance(self.front, plan, now);
        self.strength(plan, now)
            .map(|_| self.turn(plan, now, State::Calm, Rule::Displaced))
    }

    /// Applies an operator's will.
    pub(super) fn force(&mut self, plan: &Plan, now: Moment, mode: Mode) -> Option<Change> {
        self.track.advance(self.front, plan, now);
        self.track.pin = mode;
        match (mode, self.track.state) {
            (Mode::Hot, State::Calm | State::Cooling) => Some(self.heat(plan, now, Rule::Manual, None)),
            (Mode::Calm, State::Hot | State::Cooling) => {
                Some(self.turn(plan, now, State::Calm, Rule::Manual))
            }
            _ => None,
        }
    }

    /// What an operator is shown of it, unless it is calm.
    pub(super) fn crowd(&self, plan: &Plan, now: Moment) -> Option<Crowd> {
        let episode = self.track.episode.as_ref()?;
        let grid = &plan.grid;
        let young = now.at.saturating_sub(episode.since) < plan.settings.longest();
        let scale = episode.scale.filter(|_| young).unwrap_or(grid.longest());
        Some(Crowd {
            key: self.track.key.clone(),
            state: self.track.state,
            since: episode.since,
            rule: episode.rule,
            scale: episode
                .scale
                .map_or(Duration::ZERO, |scale| plan.settings.scales[scale]),
            rate: self.rate(plan, now, scale),
            average: episode.average,
            audience: self
                .track
                .audience
                .as_ref()
                .map_or(0.0, |audience| audience.turnout().share()),
            referrers: self
                .track
                .audience
                .as_ref()
                .map(|audience| audience.referrers())
                .unwrap_or_default(),
        })
    }

    /// Begins to look at the clients of a lively page, and stops for one that has long been quiet.
    fn follow(&mut self, plan: &Plan, now: Moment) {
        let span = plan.grid.span();
        if self.is_lively(plan) {
            self.track
                .audience
                .get_or_insert_with(|| Box::new(Audience::new(now.epoch)))
                .lively = now.epoch;
        }
        let Some(audience) = &mut self.track.audience else {
            return;
        };
        let quiet = now.epoch.saturating_sub(audience.lively);
        if self.track.state == State::Calm && quiet >= span.saturating_mul(2) {
            self.track.audience = None;
        } else {
            audience.advance(now.epoch, span);
        }
    }

    /// A quarter of the floor and of rule 2's bar on any scale, and more than one request: a crowd may be beginning. What is
    /// busy every day costs no more than what is quiet.
    fn is_lively(&self, plan: &Plan) -> bool {
        let heads = &self.front.heads;
        let everyday = || {
            let newest = plan.grid.half(plan.grid.longest(), heads.epoch());
            self.track.baseline.weight() * plan.past.everyday(newest)
        };
        heads.reach(&plan.lively) && plan.exceeds(heads, everyday())
    }

    /// Whether enough different clients make its requests.
    fn crowded(&self, settings: &Settings) -> bool {
        let turnout = self.track.audience.as_ref().map(|audience| audience.turnout());
        turnout.is_some_and(|turnout| {
            turnout.clients >= settings.min_clients as usize && turnout.share() >= settings.min_audience
        })
    }

    /// Requests per second over the last epoch's length, sliding.
    fn rate(&self, plan: &Plan, now: Moment, scale: usize) -> f64 {
        let half = plan.grid.seconds(scale) / 2.0;
        let begun = f64::from(plan.grid.half(scale, self.front.heads.epoch())) * half;
        let part = ((now.seconds() - begun) / half).clamp(0.0, 1.0);
        self.front.heads.sliding(scale, part) / (2.0 * half)
    }

    /// The rate from which a page that was hot is busy: the floor, or well above what was normal before, or has become so.
    fn bar(&self, plan: &Plan) -> f64 {
        let newest = plan.grid.half(plan.grid.longest(), self.front.heads.epoch());
        let before = self.track.episode.as_ref().map_or(0.0, |episode| episode.average);
        let normal = self
            .track
            .baseline
            .settled(&plan.past, newest)
            .unwrap_or(0.0)
            .max(before);
        plan.settings.min_rate.max(ABOVE * normal)
    }

    fn heat(&mut self, plan: &Plan, now: Moment, rule: Rule, surge: Option<Surge>) -> Change {
        let average = surge.map_or_else(
            || {
                self.track
                    .baseline
                    .mean(&plan.past, &plan.grid, now, self.series())
            },
            |surge| surge.average,
        );
        let scale = surge.map(|surge| surge.scale);
        self.track.episode = Some(Box::new(Episode {
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
        let from = std::mem::replace(&mut self.track.state, to);
        if let Some(episode) = &mut self.track.episode {
            episode.since = now.at;
        }
        let shown = self.crowd(plan, now);
        if to == State::Calm {
            self.track.episode = None;
        }
        Change {
            key: self.track.key.clone(),
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
