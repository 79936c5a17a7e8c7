//! `netbanking archive`: moves what is old of a stopped bank's past into files, proves such files,
//! and reads them.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};

use super::disk::{BankDisk, DiskArgs, note};
use super::{CommandError, stdout};
use crate::brazilian::parse_date;
use crate::civil::{ZONE_DEFAULT, Zone};
use crate::ids::{BankId, Sha256Digest};
use crate::ledger::AccountNumber;
use crate::ledger::calendar::Date;
use crate::ledger::past::EntryNumber;
use crate::store::past::archive::{
    ArchiveError, Block, CSV_HEAD, FOLDER_NAME, Named, Stretch, archive, files, read,
};
use crate::store::recovery::whole;

/// Younger entries stay: a refund may be asked for 90 days after the Pix, and looks for it.
const AGE_DAYS_MIN: u32 = 91;
/// A year, and no more than that.
const YEAR_DAYS: u32 = 366;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What `netbanking archive` is told.
#[derive(Debug, Args)]
pub(super) struct ArchiveArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Move old entries of statements out of a stopped bank's store into files
    Write(WriteArgs),
    /// Prove every byte of archive files, and that they follow each other
    Check(FolderArgs),
    /// Print an account's entries of archive files, proved, as JSON Lines
    Read(ReadArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Files are of JSON Lines, packed by gzip, each with its SHA-256 beside it. Entries leave the store only \
    when the file that has them is on disk and was read back. Customers are told from which day on their statements \
    are complete. Interrupted, it goes on when it is run again."
)]
struct WriteArgs {
    #[command(flatten)]
    disk: DiskArgs,
    /// The least age of what is moved: years or days, such as 5y or 400d
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Age,
    /// Where the files go [default: archive in the bank's own folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct FolderArgs {
    /// Where the files are
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
}

#[derive(Debug, Args)]
struct ReadArgs {
    #[command(flatten)]
    files: FolderArgs,
    /// The account: its bank and its number, such as 0-740358
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    account: (BankId, AccountNumber),
    /// The first day
    #[arg(long, value_name = "DAY", value_parser = day)]
    from: Option<Date>,
    /// The last day
    #[arg(long, value_name = "DAY", value_parser = day)]
    to: Option<Date>,
    /// The zone in which days begin
    #[arg(long, value_name = "ZONE", default_value = ZONE_DEFAULT, value_parser = zone)]
    time_zone: Zone,
    /// Comma-separated values in place of JSON Lines
    #[arg(long)]
    csv: bool,
}

/// An age in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Age(u32);

fn age(text: &str) -> Result<Age, String> {
    let wrong = || "years or days, such as 5y or 400d".to_owned();
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let number: u32 = digits.parse().map_err(|_| wrong())?;
    let days = match unit {
        "y" => number.checked_mul(YEAR_DAYS),
        "d" => Some(number),
        _ => None,
    };
    match days.ok_or_else(wrong)? {
        days if days >= AGE_DAYS_MIN => Ok(Age(days)),
        _ => Err(format!("at least {AGE_DAYS_MIN}d: refunds look for what is 90 days old")),
    }
}

fn account(text: &str) -> Result<(BankId, AccountNumber), String> {
    let parsed = text.split_once('-').and_then(|(bank, number)| {
        Some((BankId(bank.parse().ok()?), AccountNumber::parse(number).ok()?))
    });
    parsed.ok_or_else(|| "its bank and its number, such as 0-740358".to_owned())
}

fn day(text: &str) -> Result<Date, String> {
    parse_date(text).ok_or_else(|| "a day such as 2026-11-30".to_owned())
}

fn zone(name: &str) -> Result<Zone, String> {
    Zone::named(name).ok_or_else(|| "a time zone such as America/Sao_Paulo".to_owned())
}

/// Where a bank's archive files are, unless an operator has named another folder.
pub(super) fn folder_of(data: &Path) -> PathBuf {
    data.join(FOLDER_NAME)
}

pub(super) fn run(arguments: &ArchiveArgs) -> Result<(), CommandError> {
    match &arguments.what {
        What::Write(arguments) => write(arguments),
        What::Check(arguments) => check(&arguments.folder),
        What::Read(arguments) => print(arguments),
    }
}

/// Proves the whole journal first: what names the accounts in the files is what it leads to.
fn write(arguments: &WriteArgs) -> Result<(), CommandError> {
    let BankDisk { owner, place } = arguments.disk.find()?;
    let data = &arguments.disk.data;
    let folder = arguments.folder.clone().unwrap_or_else(|| folder_of(data));
    let mut recovered = whole(place, owner)?;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
    let before_ms = now_ms.saturating_sub(i64::from(arguments.older_than.0) * DAY_MS);
    note("archive", owner.bank, data);
    let bank = owner.bank;
    let mut count = 0;
    let mut told = |stretch: &Stretch| {
        count += 1;
        stdout::put(&format!("bank {bank}: {}\n", said(stretch)));
    };
    archive(&mut recovered.past, &recovered.book, before_ms, &folder, &mut told)?;
    if count == 0 {
        stdout::put(&format!("bank {bank}: no whole block of entries is that old\n"));
    }
    Ok(())
}

fn said(stretch: &Stretch) -> String {
    let Stretch { path, first, last, chain, .. } = stretch;
    format!("entries {first} to {last} are in {}, chained to {chain}", path.display())
}

/// The files of a folder, of which there must be one.
fn found(folder: &Path) -> Result<Vec<Named>, CommandError> {
    let found = files(folder)?;
    if found.is_empty() {
        let why = format!("--folder {}: there are no archive files", folder.display());
        return Err(CommandError::Usage(why));
    }
    Ok(found)
}

fn check(folder: &Path) -> Result<(), CommandError> {
    let mut last: Option<Stretch> = None;
    for file in found(folder)? {
        let stretch = read(&file.path, &mut |_| Ok(()))?;
        follows(folder, last.as_ref(), &stretch)?;
        stdout::put(&format!("{}\n", said(&stretch)));
        last = Some(stretch);
    }
    Ok(())
}

/// Whether a file goes on where another one ends.
fn follows(folder: &Path, before: Option<&Stretch>, stretch: &Stretch) -> Result<(), ArchiveError> {
    let Some(before) = before else { return Ok(()) };
    let next = before.last.next();
    if stretch.first > next {
        let to = EntryNumber(stretch.first.0 - 1);
        return Err(ArchiveError::Gap { folder: folder.to_owned(), from: next, to });
    }
    let is_chained = |after: Sha256Digest| stretch.first == next && after == before.chain;
    match stretch.after.is_none_or(is_chained) {
        true => Ok(()),
        false => Err(ArchiveError::Damaged {
            path: stretch.path.clone(),
            why: format!("it does not go on where {} ends", before.path.display()),
        }),
    }
}

/// Prints what is wanted of each file once all of it was proved.
fn print(arguments: &ReadArgs) -> Result<(), CommandError> {
    let ReadArgs { files, account, from, to, time_zone, csv } = arguments;
    let from_ms = from.map_or(i64::MIN, |day| time_zone.start_of(day));
    let to_ms = to.map_or(i64::MAX, |day| time_zone.end_of(day));
    if *csv {
        stdout::put(&format!("{CSV_HEAD}\n"));
    }
    let mut last: Option<Stretch> = None;
    for file in found(&files.folder)? {
        let mut text = String::new();
        let mut take = |block: &Block| {
            let wanted = block.lines.iter().filter(|(_, line)| {
                (line.bank, line.num_account) == *account && (from_ms..to_ms).contains(&line.at_ms)
            });
            for (written, line) in wanted {
                text += &if *csv { line.csv() } else { written.clone() };
                text.push('\n');
            }
            Ok(())
        };
        let stretch = read(&file.path, &mut take)?;
        follows(&files.folder, last.as_ref(), &stretch)?;
        stdout::put(&text);
        last = Some(stretch);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_years_or_days_and_never_less_than_refunds_look_back() {
        assert_eq!((age("5y"), age("91d")), (Ok(Age(1_830)), Ok(Age(91))));
        for text in ["", "y", "5", "90d", "0y", "-5y", "5 y", "99999999y", "5é", "1m"] {
            assert!(age(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_account_is_a_bank_and_a_number() {
        let number = AccountNumber::parse("740358").unwrap();
        assert_eq!(account("2-740358"), Ok((BankId(2), number)));
        for text in ["", "740358", "2-", "-1", "2-0", "x-1"] {
            assert!(account(text).is_err(), "{text}");
        }
    }
}
