//! Which style means what, for as many colours as the terminal has. Pure.
//!
//! Nobody asks the terminal for its ground: every colour of ours can be read on black and on white. Where there is luminance
//! 0.18, both contrasts (WCAG 2) are 4.5, and every hue has such a colour once red, green and blue may be chosen freely: the
//! 22 of `TRUE` are these, 15 degrees of hue apart (`OKLCh`). The fixed 256 have fewer: the 22 of `INDEXED` are at 3 or more
//! on both. The 16 are whatever the user's theme makes of them, which knows its own ground. Red is kept for refusals.

use ratatui::style::{Color, Modifier, Style};

/// How many colours the terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// No colours and no other attributes either: every cell is the terminal's own.
    None,
    /// The sixteen that the user's theme names.
    Sixteen,
    /// The 256 of xterm.
    Indexed,
    /// Red, green and blue as we say.
    True,
}

/// The styles of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    depth: Depth,
}

/// The sixteen's colours of nicks: no red, and no bright colour that a light theme leaves too pale.
const SIXTEEN: [Color; 7] =
    [Color::Green, Color::Yellow, Color::Blue, Color::Magenta, Color::Cyan, Color::LightBlue, Color::LightMagenta];

/// Nicks in 256 colours.
const INDEXED: [u8; 22] =
    [26, 28, 29, 30, 31, 33, 62, 63, 64, 92, 94, 97, 98, 100, 127, 128, 130, 132, 133, 134, 136, 163];

/// Nicks in true colour.
const TRUE: [u32; 22] = [
    0xc7_52_01, 0xb1_62_03, 0xa1_6b_00, 0x90_72_07, 0x80_78_05, 0x6a_7e_00, 0x44_85_00, 0x05_88_3e, 0x09_86_61,
    0x0c_85_75, 0x04_84_84, 0x0c_82_92, 0x00_80_a2, 0x00_7d_b9, 0x1e_76_d8, 0x53_6e_dc, 0x73_66_d9, 0x8c_5e_cf,
    0xa1_56_c0, 0xb2_50_ac, 0xbf_4a_93, 0xc8_47_78,
];

impl Palette {
    /// Returns the palette of a terminal with so many colours.
    #[must_use]
    pub const fn new(depth: Depth) -> Self {
        Self { depth }
    }

    /// Returns the style of a nick: always the same for the same nick.
    #[must_use]
    pub fn nick(self, nick: &str) -> Style {
        self.hashed(hash(nick))
    }

    /// Returns the style of the nick with this [`hash`].
    pub(super) fn hashed(self, hash: u32) -> Style {
        let at = |length: usize| hash as usize % length;
        let colour = match self.depth {
            Depth::None => return Style::new(),
            Depth::Sixteen => SIXTEEN[at(SIXTEEN.len())],
            Depth::Indexed => Color::Indexed(INDEXED[at(INDEXED.len())]),
            Depth::True => Color::from_u32(TRUE[at(TRUE.len())]),
        };
        Style::new().fg(colour).add_modifier(Modifier::BOLD)
    }

    /// Returns the style of what stands back: times, rules, who came and went, what is pending.
    #[must_use]
    pub fn quiet(self) -> Style {
        match self.depth {
            Depth::None => Style::new(),
            // Bright black is the ground itself in some themes.
            Depth::Sixteen => Style::new().add_modifier(Modifier::DIM),
            Depth::Indexed => Style::new().fg(Color::Indexed(243)),
            Depth::True => Style::new().fg(Color::from_u32(0x76_76_76)),
        }
    }

    /// Returns the style of what was refused.
    #[must_use]
    pub fn refusal(self) -> Style {
        self.coloured(Color::Red, 160, 0xd3_2f_2f)
    }

    /// Returns the style of a link.
    #[must_use]
    pub fn link(self) -> Style {
        self.modified(Modifier::UNDERLINED)
    }

    /// Returns the style of code, its backticks included.
    #[must_use]
    pub fn code(self) -> Style {
        self.coloured(Color::Cyan, 30, 0x04_84_84)
    }

    /// Returns the style of one's own nick where somebody else says it, and of the mark beside such a line.
    #[must_use]
    pub fn mention(self) -> Style {
        self.modified(Modifier::BOLD.union(Modifier::REVERSED))
    }

    /// Returns the style of what is new: the rule after the last message read, and the counts of unread messages.
    #[must_use]
    pub fn new_mark(self) -> Style {
        self.coloured(Color::Magenta, 163, 0xbf_4a_93)
    }

    /// Returns the style of the entry selected in a list.
    #[must_use]
    pub fn selected(self) -> Style {
        self.modified(Modifier::BOLD)
    }

    fn coloured(self, sixteen: Color, indexed: u8, rgb: u32) -> Style {
        match self.depth {
            Depth::None => Style::new(),
            Depth::Sixteen => Style::new().fg(sixteen),
            Depth::Indexed => Style::new().fg(Color::Indexed(indexed)),
            Depth::True => Style::new().fg(Color::from_u32(rgb)),
        }
    }

    fn modified(self, modifier: Modifier) -> Style {
        if self.depth == Depth::None { Style::new() } else { Style::new().add_modifier(modifier) }
    }
}

/// Returns the number that chooses the colour of `nick`: FNV-1a, the same in every run and on every machine.
pub(super) fn hash(nick: &str) -> u32 {
    nick.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the contrasts (WCAG 2) of a colour with black and with white.
    fn contrasts(rgb: [u8; 3]) -> (f64, f64) {
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let luminance = 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
        ((luminance + 0.05) / 0.05, 1.05 / (luminance + 0.05))
    }

    /// Returns what xterm shows for one of its 240 fixed colours.
    fn indexed(index: u8) -> [u8; 3] {
        if index >= 232 {
            return [8 + 10 * (index - 232); 3];
        }
        let index = index - 16;
        [index / 36, index / 6 % 6, index % 6].map(|level| [0, 95, 135, 175, 215, 255][usize::from(level)])
    }

    fn shown(style: Style) -> [u8; 3] {
        match style.fg {
            Some(Color::Rgb(r, g, b)) => [r, g, b],
            Some(Color::Indexed(index)) => indexed(index),
            other => panic!("not a fixed colour: {other:?}"),
        }
    }

    #[test]
    fn every_colour_is_readable_on_black_and_on_white() {
        for (depth, least, nicks) in [(Depth::Indexed, 3.0, INDEXED.len()), (Depth::True, 4.0, TRUE.len())] {
            let palette = Palette::new(depth);
            let others = [palette.quiet(), palette.refusal(), palette.code(), palette.new_mark()];
            let nicks = (0..nicks).map(|hash| palette.hashed(u32::try_from(hash).unwrap()));
            for style in nicks.chain(others) {
                let (black, white) = contrasts(shown(style));
                assert!(black >= least && white >= least, "{style:?}: {black:.1} on black, {white:.1} on white");
            }
        }
    }

    #[test]
    fn no_colours_means_the_terminals_own() {
        let palette = Palette::new(Depth::None);
        let styles = [
            palette.nick("ada"),
            palette.quiet(),
            palette.refusal(),
            palette.link(),
            palette.code(),
            palette.mention(),
            palette.new_mark(),
            palette.selected(),
        ];
        assert!(styles.iter().all(|style| *style == Style::new()));
    }

    #[test]
    fn a_nick_keeps_its_colour_and_many_nicks_use_them_all() {
        let palette = Palette::new(Depth::True);
        assert_eq!(palette.nick("ada"), palette.nick("ada"));
        let mut colours: Vec<_> = (0..400).map(|n| shown(palette.nick(&format!("guest-{n}")))).collect();
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), TRUE.len());
    }
}
