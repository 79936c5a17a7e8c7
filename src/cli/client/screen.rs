//! What a person sees: answers on standard output, remarks on standard error, colours only where
//! they mean something.

use std::io::{self, IsTerminal, Write};
use std::ops::RangeInclusive;

use inquire::ui::{RenderConfig, Styled};

use super::texts;
use crate::cli::stdout;

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Title,
    Good,
    Bad,
    Remark,
}

impl Tone {
    /// The ANSI codes that begin it.
    fn code(self) -> &'static str {
        match self {
            Tone::Plain => "",
            Tone::Title => "\x1b[1m",
            Tone::Good => "\x1b[32m",
            Tone::Bad => "\x1b[31m",
            Tone::Remark => "\x1b[33m",
        }
    }
}

const RESET: &str = "\x1b[0m";

/// The two outputs, and which of them may have colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    pub(super) colours_out: bool,
    colours_err: bool,
    /// Whether somebody can be asked.
    pub(super) has_person: bool,
}

impl Screen {
    /// What the environment allows; see <https://no-color.org>.
    pub(super) fn of_this_process() -> Screen {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let allowed =
            !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Screen {
            colours_out: allowed && io::stdout().is_terminal(),
            colours_err: allowed && io::stderr().is_terminal(),
            has_person: io::stdin().is_terminal() && io::stderr().is_terminal(),
        }
    }

    /// An answer.
    pub(super) fn say(self, tone: Tone, text: &str) {
        stdout::put(&dressed(self.colours_out, tone, text));
    }

    /// A remark.
    pub(super) fn remark(self, tone: Tone, text: &str) {
        // A remark that cannot be written is lost; the exit code says how the command ended.
        let _ = io::stderr().lock().write_all(dressed(self.colours_err, tone, text).as_bytes());
    }

    /// How prompts look; they are written to standard error.
    pub(super) fn prompts(self) -> RenderConfig<'static> {
        let looks =
            if self.colours_err { RenderConfig::default_colored() } else { RenderConfig::empty() };
        looks.with_canceled_prompt_indicator(Styled::new(texts::CANCELED))
    }
}

/// What has no shape of its own: soft hyphen, direction marks and overrides, isolates, separators
/// of lines, joiners, fillers, variation selectors, tags. Customers registered by older releases
/// may have them in their names.
const HIDDEN: [RangeInclusive<char>; 13] = [
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{e0000}'..='\u{e0fff}',
];

/// A line, in the tone's colours where colours are allowed.
fn dressed(colours: bool, tone: Tone, text: &str) -> String {
    if colours && tone != Tone::Plain {
        format!("{}{text}{RESET}\n", tone.code())
    } else {
        format!("{text}\n")
    }
}

/// Text from outside, without what a terminal would take for a command, what turns the text around
/// it, and what nobody would see.
pub(super) fn plain(text: &str) -> String {
    let hides =
        |char: char| char.is_control() || HIDDEN.iter().any(|hidden| hidden.contains(&char));
    text.chars().map(|char| if hides(char) { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_nothing_but_the_text_is_written() {
        let written = |colours| dressed(colours, Tone::Bad, "não");
        assert_eq!(
            (written(false).as_str(), written(true).as_str()),
            ("não\n", "\x1b[31mnão\x1b[0m\n")
        );
    }

    #[test]
    fn text_from_outside_cannot_command_the_terminal() {
        assert_eq!(plain("Ana\x1b[2J\nSouza"), "Ana\u{fffd}[2J\u{fffd}Souza");
        assert_eq!(plain("Ana\u{202e}azuoS\u{2069}\u{200b}"), "Ana\u{fffd}azuoS\u{fffd}\u{fffd}");
        assert_eq!(plain("João D’Ávila · ליאור"), "João D’Ávila · ליאור");
    }
}
