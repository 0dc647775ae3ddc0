use core::fmt;

/// Limit for a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
    /// No limit.
    Reported,
}

/// Figure with its limit.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) limit: Limit,
}

impl Figure {
    pub(crate) fn at_most(name: impl Into<String>, value: f64, limit: f64) -> Self {
        Self::new(name, value, Limit::AtMost(limit))
    }

    pub(crate) fn at_least(name: impl Into<String>, value: f64, limit: f64) -> Self {
        Self::new(name, value, Limit::AtLeast(limit))
    }

    pub(crate) fn reported(name: impl Into<String>, value: f64) -> Self {
        Self::new(name, value, Limit::Reported)
    }

    fn new(name: impl Into<String>, value: f64, limit: Limit) -> Self {
        let name = name.into();
        Self { name, value, limit }
    }

    pub(crate) fn verdict(&self) -> &'static str {
        match self.limit {
            Limit::AtMost(most) if self.value <= most => "ok",
            Limit::AtLeast(least) if self.value >= least => "ok",
            Limit::Reported => "ok",
            // Includes NaN.
            Limit::AtMost(_) | Limit::AtLeast(_) => "short",
        }
    }

    pub(crate) fn is_short(&self) -> bool {
        self.verdict() == "short"
    }

    pub(crate) fn value(&self) -> String {
        number(self.value)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "<= {}", number(*most)),
            Self::AtLeast(least) => write!(f, ">= {}", number(*least)),
            Self::Reported => f.write_str("-"),
        }
    }
}

/// Writes `name<TAB>value<TAB>limit<TAB>ok|short`.
impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, verdict) = (self.value(), self.verdict());
        write!(f, "{}\t{value}\t{}\t{verdict}", self.name, self.limit)
    }
}

/// Formats a value with its significant digits.
fn number(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 1000.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    }
}
