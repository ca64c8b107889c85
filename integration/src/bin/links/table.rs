//! What people read of the outcomes, and what they are held to.

use std::fmt;

use crate::outcome::Outcome;

/// All outcomes, one line each, the smallest crowd first.
pub(crate) struct Table<'a>(pub(crate) &'a [Outcome]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "visitors  load  median s   p90 s  bound s  over it  simulated s  real/sim   saved  sim. saved  \
             own KB  meeting msgs  links b/n  ranges  law 3  waited s  cpu %  machine %"
        )?;
        for outcome in self.0 {
            let Outcome {
                seconds,
                signals,
                processor,
                ..
            } = outcome;
            let cpu = (processor.visitors_s + processor.proxy_s) / outcome.wall_s / cores();
            writeln!(
                f,
                "{:>8}  {:>4.1}  {:>8}  {:>6}  {:>7.2}  {:>7}  {:>11}  {:>8}  {:>6}  {:>10}  {:>6.1}  {:>12.1}  {:>9}  {:>6}  {:>5}  {:>8.2}  {:>5.0}  {:>9.0}",
                outcome.visitors,
                outcome.load,
                number(seconds.p50),
                number(seconds.p90),
                outcome.bound(),
                number(outcome.over_bound()),
                number(outcome.simulated.p50),
                number(outcome.over_simulated()),
                percent(outcome.saved),
                percent(outcome.simulated.saved),
                outcome.bytes.own / 1e3,
                signals.meeting,
                format!("{}/{}", signals.broker, signals.peer),
                outcome.ranges,
                outcome.law3_violations,
                processor.waited_s,
                cpu * 100.0,
                processor.machine * 100.0,
            )?;
        }
        for pair in self.0.windows(2) {
            if let (Some(before), Some(after)) = (pair[0].seconds.p50, pair[1].seconds.p50) {
                let doublings = (pair[1].visitors as f64 / pair[0].visitors as f64).log2();
                writeln!(
                    f,
                    "from {} to {}: {:+.2} s for each doubling",
                    pair[0].visitors,
                    pair[1].visitors,
                    (after - before) / doublings
                )?;
            }
        }
        Ok(())
    }
}

impl Outcome {
    /// The lower of the two bounds: no budget gains by which of them is taken.
    pub(crate) fn bound(&self) -> f64 {
        self.bound_s.min(self.bound_of_group_s)
    }

    pub(crate) fn over_bound(&self) -> Option<f64> {
        self.seconds.p50.map(|median| median / self.bound())
    }

    pub(crate) fn over_simulated(&self) -> Option<f64> {
        self.seconds
            .p50
            .zip(self.simulated.p50)
            .map(|(real, simulated)| real / simulated)
    }

    /// What can be saved of a crowd of this load. An origin that may send all the time does, while the last ones load as well; one that
    /// may not is held to the load while they arrive.
    pub(crate) fn savable(&self) -> f64 {
        let load = match self.budget {
            Some(_) => self.load,
            None => self.load_while_present,
        };
        1.0 - 1.0 / load
    }

    /// Budgets that this crowd missed. They say something only if its visitors did not wait for a processor.
    pub(crate) fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let mut check = |holds: bool, what: String| {
            if !holds {
                missed.push(format!("{} visitors: {what}", self.visitors));
            }
        };
        let (waited, median) = (self.processor.waited_s, self.seconds.p50.unwrap_or(f64::INFINITY));
        let quiet = waited <= WAITING_MOST * median;
        check(
            quiet,
            format!("each waited {waited:.1} s for a processor: too busy a machine to judge times on"),
        );
        let over = self.over_bound().unwrap_or(f64::INFINITY);
        check(
            over <= 2.0,
            format!("the median is {over:.2} times the bound; the budget is 2"),
        );
        let least = 0.95 * self.savable();
        check(
            self.saved >= least,
            format!("saved {}; the budget is {}", percent(self.saved), percent(least)),
        );
        let ratio = self.over_simulated().unwrap_or(f64::INFINITY);
        check(
            (0.75..=1.25).contains(&ratio),
            format!("the median is {ratio:.2} times the simulated one; the budget is 0.75 to 1.25"),
        );
        missed
    }

    /// What breaks a law, whatever the machine.
    pub(crate) fn wrongs(&self) -> Vec<String> {
        let mut wrongs = Vec::new();
        let mut check = |holds: bool, wrong: String| {
            if !holds {
                wrongs.push(format!("{} visitors: {wrong}", self.visitors));
            }
        };
        check(
            self.law3_violations == 0,
            format!("law 3 was broken {} times", self.law3_violations),
        );
        check(
            self.wrong_pages == 0,
            format!("{} pages are not the origin's", self.wrong_pages),
        );
        let first = self.failures.first().map_or("", String::as_str);
        match self.signals.after_broker {
            // Whoever came when the origin was gone has no page, and no system could help.
            Some(links) => check(
                links > 0,
                "nobody met anybody after the broker was gone".to_owned(),
            ),
            None => check(
                self.completed == self.visitors,
                format!("{} have the page; {first}", self.completed),
            ),
        }
        wrongs
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "never".to_owned(), |value| format!("{value:.2}"))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn cores() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64)
}

/// The share of the median that visitors may wait for a processor until the machine, and not the swarm, is measured.
const WAITING_MOST: f64 = 0.1;
