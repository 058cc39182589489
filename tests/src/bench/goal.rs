//! One goal.

/// A bound, and what was measured against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// Stable: programs read it.
    pub name: &'static str,
    pub what: &'static str,
    pub limit: f64,
    /// The limit is the least that is wanted, not the most.
    pub at_least: bool,
    pub unit: &'static str,
    /// `None` where it was not measured.
    pub value: Option<f64>,
    /// Another figure to be seen beside it; empty where there is none.
    pub beside: String,
}

impl Goal {
    /// A goal that something is at most so much.
    pub fn most(name: &'static str, what: &'static str, limit: f64, unit: &'static str) -> Self {
        Self {
            name,
            what,
            limit,
            at_least: false,
            unit,
            value: None,
            beside: String::new(),
        }
    }

    /// A goal that something is at least so much.
    pub fn least(name: &'static str, what: &'static str, limit: f64, unit: &'static str) -> Self {
        Self {
            at_least: true,
            ..Self::most(name, what, limit, unit)
        }
    }

    /// With what was measured.
    pub fn is(mut self, value: Option<f64>) -> Self {
        self.value = value;
        self
    }

    /// With another figure to be seen.
    pub fn beside(mut self, text: Option<String>) -> Self {
        self.beside = text.unwrap_or_default();
        self
    }

    /// `None` where it was not measured.
    pub fn met(&self) -> Option<bool> {
        let met = |value: f64| {
            if self.at_least {
                value >= self.limit
            } else {
                value <= self.limit
            }
        };
        self.value.map(met)
    }

    /// For people.
    pub const fn verdict(&self) -> &'static str {
        match (self.value, self.at_least) {
            (None, _) => "NOT measured",
            (Some(value), true) if value >= self.limit => "met",
            (Some(value), false) if value <= self.limit => "met",
            _ => "NOT met",
        }
    }
}
