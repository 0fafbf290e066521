//! The style of each kind of text, for the terminal's number of colours and its background. Pure.
//!
//! Each background has its own colours, with a contrast (WCAG 2) of at least 4.5. On dark, that
//! holds from black to `#2e3440`; on light, from white to `#eee8d5`. Widespread themes go no
//! further. On an unknown background, the colours have that contrast on both black and white; only
//! colours of a medium luminance do. The nick colours in true colour are 15 degrees of hue apart
//! (`OKLCh`), at one luminance. The user's theme defines the 16 colours; they are chosen by their
//! values in xterm, also for terminals in which bold makes them bright. Red is reserved for
//! refusals.

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

use crate::client::terminal::keys::Answer;

/// The number of colours that the terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// No colours and no other attributes: every cell has the terminal's default style.
    None,
    /// The 16 colours of the user's theme.
    Sixteen,
    /// The 256 colours of xterm.
    Indexed,
    /// True colour: any red, green and blue.
    True,
}

impl Depth {
    /// Returns the depth of a terminal, according to the environment. A remote login passes on
    /// `TERM`, but neither `COLORTERM` nor `TERM_PROGRAM`.
    #[must_use]
    pub fn of(term: &str, colorterm: &str, program: &str) -> Self {
        if term.starts_with("linux") {
            return Self::Sixteen;
        }
        // A multiplexer shows the colours that it can. `TERM_PROGRAM` may name the terminal outside
        // of it.
        let is_multiplexer = term.starts_with("screen") || term.starts_with("tmux");
        let names = ["kitty", "foot", "alacritty", "ghostty", "wezterm", "contour", "rio"];
        let term_is_known = names.iter().any(|name| term.trim_start_matches("xterm-").starts_with(name));
        let program_is_known = !is_multiplexer && is_true(program);
        if matches!(colorterm, "truecolor" | "24bit") || term.ends_with("-direct") || term_is_known || program_is_known
        {
            Self::True
        } else if term.contains("256") || is_multiplexer {
            Self::Indexed
        } else {
            Self::Sixteen
        }
    }
}

/// Returns whether a terminal that reports this name is known for true colour.
fn is_true(name: &str) -> bool {
    let names = [
        "kitty",
        "foot",
        "alacritty",
        "ghostty",
        "wezterm",
        "contour",
        "rio",
        "iterm",
        "konsole",
        "vte",
        "mintty",
        "vscode",
    ];
    let name = name.to_ascii_lowercase();
    names.iter().any(|known| name.starts_with(known))
}

/// The background of the terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ground {
    /// The background of most terminals, and the default until the terminal reports it.
    #[default]
    Dark,
    /// White, or nearly white.
    Light,
    /// Dark or light: the terminal was asked and does not report it. An example is a terminal
    /// inside tmux before 3.4.
    Unknown,
}

impl Ground {
    /// Classifies the background colour of a terminal.
    #[must_use]
    pub fn of(rgb: [u8; 3]) -> Self {
        // At this luminance, both black and white have a contrast of 4.6.
        if luminance(rgb) < 0.18 { Self::Dark } else { Self::Light }
    }

    /// Returns the background that `COLORFGBG` names, with a value such as `15;0` or
    /// `0;default;15`.
    #[must_use]
    pub fn of_variable(colorfgbg: &str) -> Option<Self> {
        match colorfgbg.rsplit(';').next()?.parse().ok()? {
            0..=6 | 8 => Some(Self::Dark),
            7 | 9..=15 => Some(Self::Light),
            _ => None,
        }
    }
}

/// The user's choice of background.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// The background that the terminal reports, and dark until then.
    #[default]
    Auto,
    /// Always dark.
    Dark,
    /// Always light.
    Light,
}

/// Where the background is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// From nowhere: it is the default.
    Guess,
    /// From the environment or from the terminal.
    Told,
    /// From the user, which takes precedence over the terminal.
    Chosen,
}

/// The styles of all texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    depth: Depth,
    ground: Ground,
    source: Source,
    colours_nicks: bool,
}

/// The number of variants of [`Ground`].
const GROUNDS: usize = 3;

/// A colour on dark, on light and on an unknown background: one of the 16, one of the 256, and in
/// true colour.
type Colours = [(Color, u8, u32); GROUNDS];

const QUIET: Colours =
    [(Color::Reset, 248, 0xa8_a8_a8), (Color::Reset, 240, 0x58_58_58), (Color::Reset, 243, 0x76_76_76)];
const REFUSAL: Colours =
    [(Color::LightRed, 210, 0xff_80_80), (Color::Red, 124, 0xb0_1c_1c), (Color::Reset, 131, 0xda_37_33)];
const CODE: Colours = [(Color::Cyan, 80, 0x0c_bd_bd), (Color::Blue, 23, 0x06_6a_6b), (Color::Reset, 29, 0x02_83_83)];
const NEW: Colours =
    [(Color::LightMagenta, 212, 0xf2_86_c6), (Color::Magenta, 127, 0xa4_30_7c), (Color::Reset, 163, 0xbe_49_93)];

/// The nick colours for 16 colours. On a light background only a few are readable, and none of them
/// may turn bright and pale with bold. On an unknown background none is readable.
const SIXTEEN: [&[Color]; GROUNDS] = [
    &[
        Color::Green,
        Color::Yellow,
        Color::Cyan,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightMagenta,
        Color::LightCyan,
    ],
    &[Color::Blue, Color::LightBlue, Color::Reset],
    &[Color::Reset],
];

/// The nick colours for 256 colours.
const INDEXED: [&[u8]; GROUNDS] = [
    &[
        215, 214, 178, 220, 184, 148, 149, 113, 76, 114, 78, 42, 79, 43, 80, 45, 81, 74, 39, 75, 111, 147, 141, 183,
        177, 176, 213, 207, 218, 175,
    ],
    &[94, 58, 22, 23, 24, 25, 26, 20, 61, 60, 57, 56, 93, 55, 92, 91, 90, 126, 89, 125],
    &[29, 63, 98, 163],
];

/// The nick colours for true colour.
const TRUE: [&[u32]; GROUNDS] = [
    &[
        0xfb_8c_58, 0xf1_93_3b, 0xe2_9c_1d, 0xcf_a5_05, 0xb7_ad_1a, 0x9b_b4_37, 0x7b_ba_54, 0x53_be_70, 0x08_c1_8c,
        0x06_bf_a8, 0x0c_bd_bd, 0x0c_ba_d1, 0x0f_b8_e7, 0x35_b3_fc, 0x6b_ac_ff, 0x8b_a6_ff, 0xa4_9f_ff, 0xbd_96_fe,
        0xd3_90_f0, 0xe4_8a_dd, 0xf2_86_c6, 0xfb_84_ac,
    ],
    &[
        0xa2_41_02, 0x90_4f_00, 0x82_57_04, 0x75_5c_04, 0x68_61_02, 0x56_66_00, 0x36_6c_01, 0x00_6f_30, 0x06_6d_4e,
        0x01_6c_5e, 0x06_6a_6b, 0x03_69_77, 0x04_68_84, 0x02_65_96, 0x02_5e_b8, 0x3f_56_c1, 0x5e_4e_be, 0x75_46_b5,
        0x88_3e_a6, 0x98_37_93, 0xa4_30_7c, 0xad_2c_62,
    ],
    &[
        0xc6_51_00, 0xb0_62_01, 0xa0_6b_00, 0x90_72_05, 0x7f_78_03, 0x6a_7e_00, 0x44_85_02, 0x03_88_3d, 0x07_86_61,
        0x00_85_74, 0x02_83_83, 0x00_82_92, 0x07_7f_a1, 0x01_7c_b7, 0x1d_75_d7, 0x52_6d_db, 0x72_65_d8, 0x8c_5d_cf,
        0xa0_56_bf, 0xb1_4f_ab, 0xbe_49_93, 0xc7_46_78,
    ],
];

impl Palette {
    /// Creates the palette for this depth, on a dark background until the terminal reports another.
    #[must_use]
    pub const fn new(depth: Depth) -> Self {
        Self { depth, ground: Ground::Dark, source: Source::Guess, colours_nicks: true }
    }

    /// Returns this palette for the background that the user chose. With [`Theme::Auto`], takes the
    /// one that the environment has `told`.
    #[must_use]
    pub const fn with_theme(mut self, theme: Theme, told: Option<Ground>) -> Self {
        (self.ground, self.source) = match (theme, told) {
            (Theme::Auto, None) => (Ground::Dark, Source::Guess),
            (Theme::Auto, Some(ground)) => (ground, Source::Told),
            (Theme::Dark, _) => (Ground::Dark, Source::Chosen),
            (Theme::Light, _) => (Ground::Light, Source::Chosen),
        };
        self
    }

    /// Returns this palette with or without nick colours.
    #[must_use]
    pub const fn with_nick_colours(mut self, colours_nicks: bool) -> Self {
        self.colours_nicks = colours_nicks;
        self
    }

    /// Returns this palette, adapted to an `answer` of the terminal.
    #[must_use]
    pub fn heard(mut self, answer: &Answer) -> Self {
        match answer {
            Answer::Ground(rgb) if self.source != Source::Chosen => {
                (self.ground, self.source) = (Ground::of(*rgb), Source::Told);
            }
            // This answer comes last. A terminal that has not reported its background before it
            // does not know it.
            Answer::Attributes if self.source == Source::Guess => self.ground = Ground::Unknown,
            Answer::Name(name) if self.depth != Depth::None => {
                // A terminal that is new enough to report its name has at least 256 colours.
                let least = if is_true(name) { Depth::True } else { Depth::Indexed };
                self.depth = self.depth.max(least);
            }
            _ => {}
        }
        self
    }

    /// Returns whether the terminal decides the background.
    #[must_use]
    pub fn asks_for_ground(self) -> bool {
        self.depth != Depth::None && self.source != Source::Chosen
    }

    /// Returns the style of a nick. The same nick always has the same style.
    #[must_use]
    pub fn nick(self, nick: &str) -> Style {
        self.hashed(hash(nick))
    }

    /// Returns the style of the nick with this [`hash`].
    pub(super) fn hashed(self, hash: u32) -> Style {
        fn pick<T: Copy>(from: [&[T]; GROUNDS], ground: Ground, hash: u32) -> T {
            let colours = from[ground as usize];
            colours[hash as usize % colours.len()]
        }
        let colour = match self.depth {
            Depth::None => return Style::new(),
            _ if !self.colours_nicks => return Style::new().add_modifier(Modifier::BOLD),
            Depth::Sixteen => pick(SIXTEEN, self.ground, hash),
            Depth::Indexed => Color::Indexed(pick(INDEXED, self.ground, hash)),
            Depth::True => Color::from_u32(pick(TRUE, self.ground, hash)),
        };
        Style::new().fg(colour).add_modifier(Modifier::BOLD)
    }

    /// Returns the style of secondary text: times, rules, joins and leaves, and pending messages.
    #[must_use]
    pub fn quiet(self) -> Style {
        match self.depth {
            // In some themes, bright black is the background colour.
            Depth::Sixteen => Style::new().add_modifier(Modifier::DIM),
            _ => self.coloured(QUIET),
        }
    }

    /// Returns the style of a refusal.
    #[must_use]
    pub fn refusal(self) -> Style {
        self.coloured(REFUSAL)
    }

    /// Returns the style of a link.
    #[must_use]
    pub fn link(self) -> Style {
        self.modified(Modifier::UNDERLINED)
    }

    /// Returns the style of code, its backticks included.
    #[must_use]
    pub fn code(self) -> Style {
        self.coloured(CODE)
    }

    /// Returns the style of a mention of the user's nick, and of the mark beside its line.
    #[must_use]
    pub fn mention(self) -> Style {
        self.modified(Modifier::BOLD.union(Modifier::REVERSED))
    }

    /// Returns the style of new messages: the rule after the last message read, and the counts of
    /// unread messages.
    #[must_use]
    pub fn new_mark(self) -> Style {
        self.coloured(NEW)
    }

    /// Returns the style of the entry selected in a list.
    #[must_use]
    pub fn selected(self) -> Style {
        self.modified(Modifier::BOLD)
    }

    fn coloured(self, colours: Colours) -> Style {
        let (sixteen, indexed, rgb) = colours[self.ground as usize];
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

/// Returns the relative luminance of a colour (WCAG 2), from 0 for black to 1 for white.
fn luminance(rgb: [u8; 3]) -> f64 {
    let [red, green, blue] = rgb.map(|value| {
        let value = f64::from(value) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// Returns the hash that chooses the colour of `nick`: FNV-1a, which is the same in every run and
/// on every machine.
pub(super) fn hash(nick: &str) -> u32 {
    nick.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two extremes of the backgrounds that each theme supports.
    const EXTREMES: [(Ground, [[u8; 3]; 2]); GROUNDS] = [
        (Ground::Dark, [[0; 3], [0x2e, 0x34, 0x40]]),
        (Ground::Light, [[0xff; 3], [0xee, 0xe8, 0xd5]]),
        (Ground::Unknown, [[0; 3], [0xff; 3]]),
    ];

    fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        one.max(other) / one.min(other)
    }

    /// Returns what xterm shows for one of its 256 colours.
    fn indexed(index: u8) -> [u8; 3] {
        const SIXTEEN: [[u8; 3]; 16] = [
            [0, 0, 0],
            [205, 0, 0],
            [0, 205, 0],
            [205, 205, 0],
            [0, 0, 238],
            [205, 0, 205],
            [0, 205, 205],
            [229, 229, 229],
            [127, 127, 127],
            [255, 0, 0],
            [0, 255, 0],
            [255, 255, 0],
            [92, 92, 255],
            [255, 0, 255],
            [0, 255, 255],
            [255, 255, 255],
        ];
        if index < 16 {
            return SIXTEEN[usize::from(index)];
        }
        if index >= 232 {
            return [8 + 10 * (index - 232); 3];
        }
        let index = index - 16;
        [index / 36, index / 6 % 6, index % 6].map(|level| [0, 95, 135, 175, 215, 255][usize::from(level)])
    }

    /// Returns the index of a colour among the 16.
    fn place(colour: Color) -> Option<u8> {
        let sixteen = [
            Color::Black,
            Color::Red,
            Color::Green,
            Color::Yellow,
            Color::Blue,
            Color::Magenta,
            Color::Cyan,
            Color::Gray,
            Color::DarkGray,
            Color::LightRed,
            Color::LightGreen,
            Color::LightYellow,
            Color::LightBlue,
            Color::LightMagenta,
            Color::LightCyan,
            Color::White,
        ];
        sixteen.iter().position(|one| *one == colour).map(|place| u8::try_from(place).unwrap())
    }

    /// Returns the colours that a terminal may show for a style. If the style is bold, one of the
    /// 16 gives two: terminals may make it bright.
    fn shown(style: Style, ground: Ground) -> Vec<[u8; 3]> {
        // The default text colour of xterm.
        let own = if ground == Ground::Dark { [229; 3] } else { [0; 3] };
        let dims = style.add_modifier.contains(Modifier::DIM);
        let colour = match style.fg {
            Some(Color::Rgb(r, g, b)) => [r, g, b],
            Some(Color::Indexed(index @ 16..)) => indexed(index),
            None | Some(Color::Reset) => own,
            Some(colour) => {
                let place = place(colour).unwrap();
                let bright = style.add_modifier.contains(Modifier::BOLD).then(|| indexed(place | 8));
                return bright.into_iter().chain([indexed(place)]).collect();
            }
        };
        // xterm and VTE dim a colour to two thirds.
        vec![if dims { colour.map(|part| u8::try_from(u16::from(part) * 2 / 3).unwrap()) } else { colour }]
    }

    fn every_style(palette: Palette) -> Vec<Style> {
        let nicks = (0..40).map(|hash| palette.hashed(hash));
        let others = [
            palette.quiet(),
            palette.refusal(),
            palette.code(),
            palette.new_mark(),
            palette.link(),
            palette.selected(),
        ];
        nicks.chain(others).collect()
    }

    #[test]
    fn every_pair_has_a_contrast_of_four_and_a_half_in_every_depth() {
        for depth in [Depth::Sixteen, Depth::Indexed, Depth::True] {
            for (ground, extremes) in EXTREMES {
                let palette = Palette::new(depth).with_theme(Theme::Auto, Some(ground));
                // The 16 colours of xterm suit only its own background.
                let grounds = if depth == Depth::Sixteen { &extremes[..1] } else { &extremes[..] };
                // On an unknown background, the contrast of the default text colour is up to the
                // terminal.
                let is_ours =
                    |style: &Style| ground != Ground::Unknown || style.fg.is_some_and(|colour| colour != Color::Reset);
                for style in every_style(palette).into_iter().filter(is_ours) {
                    for (colour, ground) in
                        shown(style, ground).into_iter().flat_map(|c| grounds.iter().map(move |g| (c, *g)))
                    {
                        let contrast = contrast(colour, ground);
                        assert!(contrast >= 4.5, "{depth:?}: {style:?} {contrast:.2} on {ground:?}");
                    }
                }
                // A mention swaps text colour and background.
                let own = shown(Style::new(), ground)[0];
                assert!(ground == Ground::Unknown || grounds.iter().all(|ground| contrast(own, *ground) >= 4.5));
            }
        }
    }

    #[test]
    fn the_ground_is_what_the_user_says_then_what_the_terminal_says() {
        let (white, nord) = (Answer::Ground([0xff; 3]), Answer::Ground([0x2e, 0x34, 0x40]));
        let auto = Palette::new(Depth::True).with_theme(Theme::Auto, None);
        assert_eq!(auto.heard(&white).ground, Ground::Light);
        assert_eq!(auto.heard(&white).heard(&nord).ground, Ground::Dark);
        assert_eq!(auto.with_theme(Theme::Dark, Some(Ground::Light)).heard(&white).ground, Ground::Dark);
        assert_eq!(auto.with_theme(Theme::Light, Some(Ground::Dark)).heard(&nord).ground, Ground::Light);
        // DA1 is the last answer. A terminal that has not reported its background before it does
        // not know it, and may report it later.
        let last = Answer::Attributes;
        assert_eq!(auto.ground, Ground::Dark);
        assert_eq!(auto.heard(&last).ground, Ground::Unknown);
        assert_eq!(auto.heard(&last).heard(&white).heard(&last).ground, Ground::Light);
        assert_eq!(auto.with_theme(Theme::Auto, Some(Ground::Light)).heard(&last).ground, Ground::Light);
        assert_eq!(auto.with_theme(Theme::Dark, None).heard(&last).ground, Ground::Dark);
        assert!(auto.heard(&white).asks_for_ground() && !auto.with_theme(Theme::Dark, None).asks_for_ground());
        let says =
            ["15;0", "0;15", "0;default;15", "12;8", "default;default", "", "7", "x;300"].map(Ground::of_variable);
        let (dark, light) = (Some(Ground::Dark), Some(Ground::Light));
        assert_eq!(says, [dark, light, light, dark, None, None, light, None]);
    }

    #[test]
    fn a_terminal_has_the_colours_that_it_is_known_for() {
        for (term, colorterm, program, depth) in [
            ("xterm-kitty", "", "", Depth::True),
            ("foot-extra", "", "", Depth::True),
            ("alacritty", "", "", Depth::True),
            ("xterm-ghostty", "", "", Depth::True),
            ("wezterm", "", "", Depth::True),
            ("xterm-direct", "", "", Depth::True),
            ("xterm-256color", "truecolor", "", Depth::True),
            ("xterm-256color", "", "WezTerm", Depth::True),
            ("xterm-256color", "", "iTerm.app", Depth::True),
            ("xterm-256color", "", "Apple_Terminal", Depth::Indexed),
            ("xterm-256color", "", "", Depth::Indexed),
            ("tmux-256color", "", "WezTerm", Depth::Indexed),
            ("screen", "", "", Depth::Indexed),
            ("xterm", "", "", Depth::Sixteen),
            ("linux", "truecolor", "", Depth::Sixteen),
        ] {
            assert_eq!(Depth::of(term, colorterm, program), depth, "{term} {colorterm} {program}");
        }
        let named = |depth, name: &str| Palette::new(depth).heard(&Answer::Name(name.to_owned())).depth;
        assert_eq!(named(Depth::Indexed, "WezTerm 20240203"), Depth::True);
        assert_eq!(named(Depth::Sixteen, "XTerm(379)"), Depth::Indexed);
        assert_eq!(named(Depth::True, "tmux 3.4"), Depth::True);
        assert_eq!(named(Depth::None, "kitty(0.35)"), Depth::None);
    }

    #[test]
    fn nicks_need_not_be_coloured() {
        let palette = Palette::new(Depth::True).with_nick_colours(false);
        assert_eq!(palette.nick("ada"), Style::new().add_modifier(Modifier::BOLD));
        assert_eq!(palette.nick("bob"), palette.nick("ada"));
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
        let mut colours: Vec<_> = (0..400).map(|n| shown(palette.nick(&format!("guest-{n}")), Ground::Dark)).collect();
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), TRUE[0].len());
    }
}
