//! What has happened in the runs, so that nobody thinks that nothing did.

use std::fmt;
use std::ops::AddAssign;

macro_rules! seen {
    ($($kind:ident $text:literal,)*) => {
        /// What a run may meet: decisions, faults and commands.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[expect(missing_docs, reason = "each kind has its text, which `Seen::text` tells")]
        pub enum Seen { $($kind,)* }

        impl Seen {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The kind in words, as the summary shows it.
            pub fn text(self) -> &'static str {
                match self { $(Self::$kind => $text,)* }
            }
        }
    };
}

seen! {
    Coarse "runs in coarse time",
    Pool "pools",
    OneForOne "one-for-one groups",
    OneForAll "one-for-all groups",
    RestForOne "rest-for-one groups",
    Nested "nested groups",
    Begin "begins",
    Ready "readies",
    Stop "stops",
    GroupKill "kills by a group",
    Delay "delays",
    Forget "forgets",
    End "ends of groups",
    GaveUpByIntensity "give-ups by intensity",
    GaveUpByBoots "give-ups by failed boots",
    GaveUpSpent "give-ups of spent pools",
    GroupRestart "group restarts",
    Widened "widened restarts",
    Absorbed "ends within a restart",
    EndForGood "ends for good",
    HealthyRestart "restarts at once",
    Terminate "TERMs",
    Abort "ABRTs",
    Kill "KILLs",
    Abandoned "lives given up",
    NeverMade "spawns that failed",
    DiedBooting "deaths while booting",
    DiedStarting "deaths while starting",
    DiedReady "deaths when ready",
    DiedStopping "deaths while stopping",
    LateBoot "late boots",
    HungBoot "boots without hello",
    FellSilent "lives gone silent",
    Stalled "lives that stall",
    SeenAsleep "looks at lives that sleep",
    Asked "notifies asked for",
    AskedAsleep "notifies asked for in sleep",
    Doubted "silences doubted",
    Cleared "doubts cleared",
    Pardoned "late looks pardoned",
    PardonsSpent "late looks that judged",
    IgnoredStop "ignored stops",
    IgnoredTerm "ignored TERMs",
    LastWordOnly "last words without an exit",
    LinkClosedOnly "closed links without an exit",
    Distrusted "links not to be trusted",
    LinkHeld "links held by descendants",
    ExitLost "exits that others collected",
    Unkillable "kills that the kernel delays",
    ExitBeforeLink "exits before the end of the link",
    LinkBeforeExit "ends of links before the exit",
    LateNews "news of earlier lives",
    LateForEnded "news for ended groups",
    DoubledReady "readies said twice",
    ScaledUp "scales up",
    ScaledDown "scales down",
    Renewed "places filled again while stopping",
    BegunStopped "groups begun with stopped children",
    StoppedChild "children stopped by operators",
    StoppedGroup "groups stopped by operators",
    Held "loops held",
    FalseAlarm "times that had not come",
}

/// How often each kind was [`Seen`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coverage([u64; Seen::ALL.len()]);

impl Default for Coverage {
    fn default() -> Self {
        Self([0; Seen::ALL.len()])
    }
}

impl Coverage {
    /// How often it was seen.
    pub fn count(&self, kind: Seen) -> u64 {
        self.0[kind as usize]
    }

    pub(crate) fn saw(&mut self, kind: Seen) {
        self.0[kind as usize] += 1;
    }
}

impl AddAssign<&Self> for Coverage {
    fn add_assign(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for kind in Seen::ALL {
            writeln!(f, "{:>12} {}", self.count(*kind), kind.text())?;
        }
        Ok(())
    }
}
