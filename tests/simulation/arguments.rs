//! The command line.

pub(crate) const USAGE: &str = "\
--seeds N     how many seeds (else 300)
--from K      the first seed (else 0)
--seconds S   go on for so long, whatever --seeds says
--banks N     consortia of so many banks only
--brief       violations in one line
--all         go on after a violation
--mad         the world of a bank gone mad instead; without it, some seeds of that follow the others
--seed K      this seed only; with --trace told line by line
--mistakes    put in the mistakes of the list one by one and look which seed finds them; with a word: only those named so";

/// Seeds without arguments: few enough for a plain `cargo test`.
const SEEDS_DEFAULT: u64 = 300;

/// Options that cargo passes to all tests alike.
const COMMON: [&str; 3] = ["--nocapture", "--quiet", "--include-ignored"];

#[derive(Debug)]
pub(crate) enum What {
    Many,
    One {
        seed: u64,
        trace: bool,
    },
    Mistakes(Option<String>),
    /// `cargo test -- --list` and the like: there is nothing to list.
    List,
}

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) what: What,
    pub(crate) from: u64,
    pub(crate) seeds: u64,
    pub(crate) seconds: Option<u64>,
    pub(crate) banks: Option<usize>,
    /// Only the first failing seed, in one line.
    pub(crate) brief: bool,
    /// Goes on after a violation, to see what else there is.
    pub(crate) all: bool,
    /// A bank goes mad, in a world where nothing else breaks.
    pub(crate) mad: bool,
    /// Whether it was given nothing to do in particular.
    pub(crate) is_plain: bool,
}

impl Arguments {
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut words = words.peekable();
        let mut arguments = Arguments {
            what: What::Many,
            from: 0,
            seeds: SEEDS_DEFAULT,
            seconds: None,
            banks: None,
            brief: false,
            all: false,
            mad: false,
            is_plain: true,
        };
        let (mut one, mut trace) = (None, false);
        while let Some(word) = words.next() {
            arguments.is_plain &= !word.starts_with("--") || COMMON.contains(&word.as_str());
            let mut number = || {
                let text = words.next().ok_or_else(|| format!("{word} needs a number"))?;
                text.parse::<u64>().map_err(|error| format!("{word} {text}: {error}"))
            };
            match word.as_str() {
                "--seeds" => arguments.seeds = number()?,
                "--from" => arguments.from = number()?,
                "--seconds" => arguments.seconds = Some(number()?),
                "--banks" => arguments.banks = Some(number()? as usize),
                "--seed" => one = Some(number()?),
                "--trace" => trace = true,
                "--all" => arguments.all = true,
                "--mad" => arguments.mad = true,
                "--brief" => arguments.brief = true,
                "--list" => arguments.what = What::List,
                "--mistakes" => {
                    arguments.seeds = 10_000;
                    arguments.what = What::Mistakes(words.next_if(|next| !next.starts_with("--")));
                }
                word if word.starts_with("--") && !COMMON.contains(&word) => {
                    return Err(format!("{word}: unknown"));
                }
                // The name of a test: this program always runs as a whole.
                _ => {}
            }
        }
        if let Some(seed) = one {
            arguments.what = What::One { seed, trace };
        }
        Ok(arguments)
    }
}
