//! What is told about a connection that was lost: one line, however long it takes to come back and
//! however often it is lost again. Pure.

/// A connection that was lost, perhaps again and again with nothing said in between.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outage {
    /// Why it was lost the last time; empty where the line of that is further above.
    lost: String,
    /// How often it was.
    times: usize,
    /// Why it does not come back.
    failing: Option<String>,
    /// How it came back.
    back: Option<String>,
}

impl Outage {
    /// Returns a connection that was lost, and why.
    pub(super) fn lost(why: String) -> Self {
        Self { lost: why, times: 1, ..Self::default() }
    }

    /// Returns a connection that is back, where more stands between this and the line of the loss.
    pub(super) fn back(words: String) -> Self {
        Self { back: Some(words), ..Self::default() }
    }

    /// Returns whether it is still gone.
    pub(super) fn lasts(&self) -> bool {
        self.back.is_none()
    }

    /// Takes why it does not come back.
    pub(super) fn fails(&mut self, why: String) {
        self.failing = Some(why);
    }

    /// Takes how it came back.
    pub(super) fn ends(&mut self, words: String) {
        self.back = Some(words);
    }

    /// Takes that it was lost again; returns false where its line tells something that would get
    /// lost.
    pub(super) fn begins_again(&mut self, why: &str) -> bool {
        let is_one = self.times > 0;
        if is_one {
            *self = Self { lost: why.to_owned(), times: self.times + 1, ..Self::default() };
        }
        is_one
    }

    pub(super) fn words(&self) -> String {
        let times = if self.times > 1 { format!(" {} times", self.times) } else { String::new() };
        let lost = format!("connection lost{times}: {}", self.lost);
        match (&self.back, &self.failing) {
            (Some(back), _) if self.times == 0 => back.clone(),
            (Some(back), _) => format!("{lost}; {back}"),
            (None, Some(failing)) => format!("{lost}; not back yet: {failing}"),
            (None, None) => format!("{lost}; reconnecting"),
        }
    }
}
