//! When the screen is drawn: at once for who types, frame by frame for what arrives, and with
//! breaths between lines that pour in.

use std::time::Duration;

use tokio::time::Instant;

/// Between two frames while lines pour in, faster than anybody reads; what is typed is shown at
/// once.
const FRAME: Duration = Duration::from_millis(33);

/// How long lines gather while they pour in: being woken for one costs more than it does. A link
/// holds what comes in that time.
const BREATH: Duration = Duration::from_millis(16);

/// Events between two frames from which on they pour in.
const POURING: usize = 8;

/// Says when to draw and when to listen.
#[derive(Debug)]
pub(in crate::client) struct FrameTimer {
    /// When the next picture is due.
    draw_at: Option<Instant>,
    drawn: Instant,
    /// Events since the last picture, and whether they poured in before it.
    taken: usize,
    pours: bool,
    /// Until when nobody asks the links for more.
    breathes_until: Option<Instant>,
}

impl FrameTimer {
    /// Returns a pace whose first picture is due at once.
    pub(in crate::client) fn new(now: Instant) -> Self {
        Self { draw_at: Some(now), drawn: now, taken: 0, pours: false, breathes_until: None }
    }

    /// Has a picture drawn at once.
    pub(in crate::client) fn draw_soon(&mut self, now: Instant) {
        self.draw_at = Some(now);
    }

    /// Has a picture drawn with the next frame.
    pub(in crate::client) fn draw_next(&mut self) {
        let due = self.drawn + FRAME;
        self.draw_at = Some(self.draw_at.map_or(due, |at| at.min(due)));
    }

    /// Returns whether a picture is due, and counts it as drawn.
    pub(in crate::client) fn draws(&mut self, now: Instant) -> bool {
        let draws = self.draw_at.take_if(|at| *at <= now).is_some();
        if draws {
            self.drawn = now;
            self.pours = std::mem::take(&mut self.taken) >= POURING;
        }
        draws
    }

    /// Counts an event that a link had.
    pub(in crate::client) fn took(&mut self) {
        self.taken += 1;
    }

    /// Takes a breath before the links are asked for more, where they pour.
    pub(in crate::client) fn throttle(&mut self, now: Instant) {
        self.breathes_until = (self.pours && self.draw_at.is_some()).then(|| now + BREATH);
    }

    /// Returns whether the links may be asked for more.
    pub(in crate::client) fn listens(&self) -> bool {
        self.breathes_until.is_none()
    }

    /// Returns whether a breath is over, which it then is.
    pub(in crate::client) fn ends_breath(&mut self, now: Instant) -> bool {
        self.breathes_until.take_if(|until| *until <= now).is_some()
    }

    /// Returns when something of this is due; a picture only where one can be drawn.
    pub(in crate::client) fn wake_at(&self, can_draw: bool) -> Option<Instant> {
        self.draw_at.filter(|_| can_draw).into_iter().chain(self.breathes_until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_shown_at_once_and_what_arrives_with_the_next_frame() {
        let begin = Instant::now();
        let mut frame_timer = FrameTimer::new(begin);
        assert!(frame_timer.draws(begin) && !frame_timer.draws(begin), "the first picture, once");
        assert_eq!(frame_timer.wake_at(true), None);
        frame_timer.draw_next();
        assert_eq!(frame_timer.wake_at(true), Some(begin + FRAME));
        assert!(!frame_timer.draws(begin + FRAME / 2));
        frame_timer.draw_soon(begin + FRAME / 2);
        frame_timer.draw_next();
        assert!(frame_timer.draws(begin + FRAME / 2));
        assert_eq!((frame_timer.wake_at(true), frame_timer.wake_at(false)), (None, None));
        frame_timer.draw_next();
        assert_eq!(frame_timer.wake_at(false), None, "the terminal takes nothing");
    }

    #[test]
    fn lines_gather_only_while_they_pour_in() {
        let mut now = Instant::now();
        let mut frame_timer = FrameTimer::new(now);
        for (lines, pours) in [(POURING - 1, false), (POURING, true), (1, false)] {
            (0..lines).for_each(|_| frame_timer.took());
            frame_timer.draw_soon(now);
            assert!(frame_timer.draws(now));
            frame_timer.draw_next();
            frame_timer.throttle(now);
            assert_eq!(frame_timer.listens(), !pours);
            assert!(!frame_timer.ends_breath(now));
            now += BREATH;
            assert_eq!(frame_timer.ends_breath(now), pours);
            assert!(frame_timer.listens());
        }
        // Nothing waits to be drawn, so what comes next is shown without a wait.
        (0..POURING).for_each(|_| frame_timer.took());
        frame_timer.draw_soon(now);
        assert!(frame_timer.draws(now));
        frame_timer.throttle(now);
        assert!(frame_timer.listens());
    }
}
