//! When a pool restarts a worker, when it waits, and when it gives up.
//!
//! A pure state machine: events, the time and a random number go in, decisions come out.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use pulsar_model::{Cause, RestartPolicy};

/// The limits of a pool's restarts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PoolLimits {
    /// A worker that was ready for this long is healthy: its replacement starts at once. Else
    /// each restart of its place waits twice as long as the one before.
    pub healthy_after: Duration,
    /// The first wait.
    pub first_delay: Duration,
    /// The longest wait.
    pub max_delay: Duration,
    /// How much each wait varies by chance, as a part of it: 0.2 is 20 % either way.
    pub jitter: f64,
    /// Restarts within [`period`](Self::period) at which the pool gives up. `None`: ten, or
    /// five for each worker, whichever is more.
    pub intensity: Option<usize>,
    /// The time over which restarts are counted.
    pub period: Duration,
    /// Failed boots of one place after which the pool gives up if no worker was ever ready.
    pub max_failed_boots: usize,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            healthy_after: Duration::from_secs(5),
            first_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(5),
            jitter: 0.2,
            intensity: None,
            period: Duration::from_secs(60),
            max_failed_boots: 5,
        }
    }
}

/// How a pool is doing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PoolStatus {
    /// Workers that are ready now.
    pub ready: usize,
    /// A worker has been ready at some time.
    pub ever_ready: bool,
    /// How the last worker ended that did not end in order.
    pub last_failure: Option<Cause>,
    /// Why the pool has given up, if it has.
    pub gave_up: Option<String>,
}

/// What happened to the worker in a slot.
#[derive(Clone, PartialEq, Debug)]
pub enum PoolEvent {
    /// It is ready.
    Ready {
        /// Which, from 0.
        slot: usize,
    },
    /// It has ended, or was never made.
    Ended {
        /// Which, from 0.
        slot: usize,
        /// How.
        cause: Cause,
    },
    /// The pool is to end.
    StopAsked,
}

/// What the pool does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum PoolDecision {
    /// Begin the next life in this slot then.
    StartAt {
        /// Which, from 0.
        slot: usize,
        /// When, at the earliest.
        at: Instant,
    },
    /// Stop all workers; the pool ends.
    StopAll,
}

/// The state of a pool.
#[derive(Debug)]
pub struct PoolPolicy {
    limits: PoolLimits,
    restart: RestartPolicy,
    slots: Vec<Slot>,
    /// When restarts were decided, the oldest first, within the period.
    restarts: VecDeque<Instant>,
    stopping: bool,
    status: PoolStatus,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    ready_since: Option<Instant>,
    /// Lives in a row that were not healthy.
    failures: u32,
    /// Lives that were never ready.
    failed_boots: usize,
}

impl PoolPolicy {
    /// A pool of so many workers, all of which are to be started now.
    pub fn new(workers: usize, limits: PoolLimits) -> Self {
        Self {
            limits,
            restart: RestartPolicy::Permanent,
            slots: vec![Slot::default(); workers],
            restarts: VecDeque::new(),
            stopping: false,
            status: PoolStatus::default(),
        }
    }

    /// A single actor, which is started now, restarted as `restart` says.
    pub fn single(restart: RestartPolicy, limits: PoolLimits) -> Self {
        Self {
            restart,
            ..Self::new(1, limits)
        }
    }

    /// How the pool is doing.
    pub fn status(&self) -> &PoolStatus {
        &self.status
    }

    /// Takes an event and decides. `chance` is drawn anew for each event, from -1 to 1.
    pub fn on(&mut self, event: PoolEvent, now: Instant, chance: f64) -> Option<PoolDecision> {
        match event {
            PoolEvent::Ready { slot } => {
                self.slots[slot].ready_since = Some(now);
                self.status.ever_ready = true;
                self.count_ready();
                None
            }
            PoolEvent::Ended { slot, cause } => self.ended(slot, cause, now, chance),
            PoolEvent::StopAsked if self.stopping => None,
            PoolEvent::StopAsked => {
                self.stopping = true;
                Some(PoolDecision::StopAll)
            }
        }
    }

    fn ended(
        &mut self,
        slot: usize,
        cause: Cause,
        now: Instant,
        chance: f64,
    ) -> Option<PoolDecision> {
        let was_ready = self.slots[slot].ready_since.take();
        self.count_ready();
        if self.stopping {
            return None;
        }
        if was_ready.is_none() {
            self.slots[slot].failed_boots += 1;
        }
        let is_final = match self.restart {
            RestartPolicy::Permanent => false,
            RestartPolicy::Transient => cause.is_orderly(),
            RestartPolicy::Temporary => true,
        };
        if is_final {
            self.stopping = true;
            return Some(PoolDecision::StopAll);
        }
        if !cause.is_orderly() {
            self.status.last_failure = Some(cause);
        }
        self.forget_restarts_before(now);
        if let Some(reason) = self.reason_to_give_up(slot) {
            self.status.gave_up = Some(reason);
            self.stopping = true;
            return Some(PoolDecision::StopAll);
        }
        self.restarts.push_back(now);
        let healthy = was_ready.is_some_and(|since| now - since >= self.limits.healthy_after);
        let delay = self.delay(slot, healthy, chance);
        Some(PoolDecision::StartAt {
            slot,
            at: now + delay,
        })
    }

    fn delay(&mut self, slot: usize, healthy: bool, chance: f64) -> Duration {
        let slot = &mut self.slots[slot];
        if healthy {
            slot.failures = 0;
            return Duration::ZERO;
        }
        let doublings = slot.failures.min(16);
        slot.failures += 1;
        let delay = self
            .limits
            .first_delay
            .saturating_mul(1 << doublings)
            .min(self.limits.max_delay);
        delay.mul_f64(1.0 + self.limits.jitter * chance.clamp(-1.0, 1.0))
    }

    fn reason_to_give_up(&self, slot: usize) -> Option<String> {
        let limits = &self.limits;
        let boots = self.slots[slot].failed_boots;
        if !self.status.ever_ready && boots >= limits.max_failed_boots {
            return Some(format!(
                "no worker became ready, after {boots} boots in one place"
            ));
        }
        let intensity = limits
            .intensity
            .unwrap_or_else(|| (5 * self.slots.len()).max(10));
        (self.restarts.len() >= intensity)
            .then(|| format!("over {intensity} restarts in {:?}", limits.period))
    }

    fn forget_restarts_before(&mut self, now: Instant) {
        let period = self.limits.period;
        while self
            .restarts
            .front()
            .is_some_and(|at| now.duration_since(*at) >= period)
        {
            self.restarts.pop_front();
        }
    }

    fn count_ready(&mut self) {
        self.status.ready = self
            .slots
            .iter()
            .filter(|slot| slot.ready_since.is_some())
            .count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crash() -> Cause {
        Cause::Signal {
            signal: 11,
            core_dumped: false,
        }
    }

    fn ended(slot: usize) -> PoolEvent {
        PoolEvent::Ended {
            slot,
            cause: crash(),
        }
    }

    fn delay(pool: &mut PoolPolicy, event: PoolEvent, now: Instant) -> Duration {
        match pool.on(event, now, 0.0) {
            Some(PoolDecision::StartAt { at, .. }) => at - now,
            other => panic!("no restart but {other:?}"),
        }
    }

    #[test]
    fn a_healthy_worker_is_replaced_at_once_and_a_crash_loop_slows_down() {
        let (mut pool, mut now) = (PoolPolicy::new(1, PoolLimits::default()), Instant::now());
        pool.on(PoolEvent::Ready { slot: 0 }, now, 0.0);
        now += Duration::from_secs(5);
        assert_eq!(delay(&mut pool, ended(0), now), Duration::ZERO);
        for expected_ms in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            pool.on(PoolEvent::Ready { slot: 0 }, now, 0.0);
            let expected = Duration::from_millis(expected_ms);
            assert_eq!(delay(&mut pool, ended(0), now), expected);
            now += Duration::from_secs(1);
        }
    }

    #[test]
    fn a_delay_varies_by_its_jitter() {
        let (mut pool, now) = (PoolPolicy::new(1, PoolLimits::default()), Instant::now());
        for (chance, expected_ms) in [(1.0, 120), (-1.0, 160)] {
            let Some(PoolDecision::StartAt { at, .. }) = pool.on(ended(0), now, chance) else {
                panic!("no restart");
            };
            assert_eq!((at - now).as_millis(), expected_ms);
        }
    }

    #[test]
    fn a_pool_of_which_no_worker_was_ever_ready_gives_up_after_five_boots_of_a_place() {
        // More workers than boots: each is tried again all the same.
        let limits = PoolLimits::default();
        let (mut pool, now) = (PoolPolicy::new(8, limits), Instant::now());
        for _ in 0..4 {
            for slot in 0..8 {
                let decision = pool.on(ended(slot), now, 0.0);
                assert!(matches!(decision, Some(PoolDecision::StartAt { .. })));
            }
        }
        assert_eq!(pool.on(ended(3), now, 0.0), Some(PoolDecision::StopAll));
        let gave_up = pool.status().gave_up.as_deref();
        let reason = "no worker became ready, after 5 boots in one place";
        assert_eq!(gave_up, Some(reason));
    }

    #[test]
    fn restarts_are_counted_over_a_period() {
        let limits = PoolLimits {
            intensity: Some(3),
            ..PoolLimits::default()
        };
        let (mut pool, start) = (PoolPolicy::new(1, limits), Instant::now());
        pool.on(PoolEvent::Ready { slot: 0 }, start, 0.0);
        for _ in 0..3 {
            delay(&mut pool, ended(0), start);
        }
        let later = start + Duration::from_secs(60);
        delay(&mut pool, ended(0), later);
        delay(&mut pool, ended(0), later);
        delay(&mut pool, ended(0), later);
        assert_eq!(pool.on(ended(0), later, 0.0), Some(PoolDecision::StopAll));
    }

    #[test]
    fn a_single_actor_is_restarted_as_its_policy_says() {
        use RestartPolicy::{Permanent, Temporary, Transient};
        let cases = [
            (Temporary, crash(), false),
            (Temporary, Cause::Normal, false),
            (Transient, crash(), true),
            (Transient, Cause::Normal, false),
            (Transient, Cause::Stopped, false),
            (Permanent, crash(), true),
            (Permanent, Cause::Stopped, true),
        ];
        for (policy, cause, restarts) in cases {
            let mut single = PoolPolicy::single(policy, PoolLimits::default());
            let now = Instant::now();
            single.on(PoolEvent::Ready { slot: 0 }, now, 0.0);
            let decision = single.on(PoolEvent::Ended { slot: 0, cause }, now, 0.0);
            let restarted = matches!(decision, Some(PoolDecision::StartAt { .. }));
            assert_eq!(restarted, restarts, "{policy:?}");
        }
    }

    #[test]
    fn a_stopping_pool_restarts_nobody() {
        let (mut pool, now) = (PoolPolicy::new(1, PoolLimits::default()), Instant::now());
        assert_eq!(
            pool.on(PoolEvent::StopAsked, now, 0.0),
            Some(PoolDecision::StopAll)
        );
        assert_eq!(pool.on(PoolEvent::StopAsked, now, 0.0), None);
        assert_eq!(pool.on(ended(0), now, 0.0), None);
    }

    #[test]
    fn the_status_counts_who_is_ready() {
        let (mut pool, now) = (PoolPolicy::new(2, PoolLimits::default()), Instant::now());
        pool.on(PoolEvent::Ready { slot: 0 }, now, 0.0);
        pool.on(PoolEvent::Ready { slot: 1 }, now, 0.0);
        pool.on(ended(0), now, 0.0);
        assert_eq!(pool.status().ready, 1);
        assert_eq!(pool.status().last_failure, Some(crash()));
    }
}
