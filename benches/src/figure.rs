use core::fmt;

/// What a figure has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// Only to be known.
    Reported,
}

/// A figure with its goal.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) goal: Goal,
}

impl Figure {
    pub(crate) fn at_most(name: impl Into<String>, value: f64, goal: f64) -> Self {
        Self::new(name, value, Goal::AtMost(goal))
    }

    pub(crate) fn at_least(name: impl Into<String>, value: f64, goal: f64) -> Self {
        Self::new(name, value, Goal::AtLeast(goal))
    }

    pub(crate) fn reported(name: impl Into<String>, value: f64) -> Self {
        Self::new(name, value, Goal::Reported)
    }

    fn new(name: impl Into<String>, value: f64, goal: Goal) -> Self {
        let name = name.into();
        Self { name, value, goal }
    }

    pub(crate) fn verdict(&self) -> &'static str {
        match self.goal {
            Goal::AtMost(most) if self.value <= most => "ok",
            Goal::AtLeast(least) if self.value >= least => "ok",
            Goal::Reported => "ok",
            // Not a number is short as well.
            Goal::AtMost(_) | Goal::AtLeast(_) => "short",
        }
    }

    pub(crate) fn is_short(&self) -> bool {
        self.verdict() == "short"
    }

    pub(crate) fn value(&self) -> String {
        number(self.value)
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "<= {}", number(*most)),
            Self::AtLeast(least) => write!(f, ">= {}", number(*least)),
            Self::Reported => f.write_str("-"),
        }
    }
}

/// `name<TAB>value<TAB>goal<TAB>ok|short`
impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, verdict) = (self.value(), self.verdict());
        write!(f, "{}\t{value}\t{}\t{verdict}", self.name, self.goal)
    }
}

/// As many digits as say something.
fn number(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 1000.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    }
}
