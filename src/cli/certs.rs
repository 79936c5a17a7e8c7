//! `netbanking certs`: the consortium's own authority, and a certificate of it for every bank. For
//! trials and small consortia; others bring certificates of their own, with the same names.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber, date_time_ymd,
};

use super::node::bank_of;
use super::{CommandError, stdout};
use crate::config::Config;
use crate::hex::{self, Hex};
use crate::ids::BankId;
use crate::private;
use crate::tls::{AUTHORITY, CERTIFICATE, KEY, WITHDRAWN, name_of};

/// The key of the authority, beside its certificate.
const AUTHORITY_KEY: &str = "ca.key";
/// The bank and the number of every certificate that was made, beside the authority.
const ISSUED_SERIALS: &str = "issued.txt";
/// The numbers of the certificates that were withdrawn, beside the authority.
const WITHDRAWN_SERIALS: &str = "withdrawn.txt";
/// Bytes in a certificate's number.
const SERIAL_BYTES: usize = 16;
/// What the authority calls itself.
const AUTHORITY_NAME: &str = "NetBanking consortium";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the authority lasts, and a bank's certificate.
const AUTHORITY_DAYS: u32 = 3_650;
const CERTIFICATE_DAYS: u32 = 365;
/// A clock that is a little slow must not take a new certificate for one that is not valid yet.
const EARLIER_DAYS: u32 = 1;

/// What `netbanking certs` is told.
#[derive(Debug, Args)]
pub(super) struct CertsArgs {
    /// The banks of the consortium
    #[arg(long, env = "NETBANKING_NODES", value_name = "FILE", default_value = "nodes.json")]
    nodes: PathBuf,
    /// Folder for the authority and one folder a bank; certificates that are there are made anew
    #[arg(long, value_name = "DIR", default_value = "./certificates")]
    out: PathBuf,
    /// Instead of making certificates, withdraw the one of this bank
    #[arg(long, value_name = "N")]
    withdraw: Option<u16>,
}

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub(super) enum CertsError {
    #[error("{}: {why}", .path.display())]
    File { path: PathBuf, why: io::Error },
    #[error("{}: no certificate was made here for bank {bank}", .path.display())]
    NoneIssued { path: PathBuf, bank: BankId },
    #[error("a certificate cannot be made: {0}")]
    Made(#[from] rcgen::Error),
}

/// Makes them.
pub(super) fn run(arguments: &CertsArgs) -> Result<(), CommandError> {
    let config = Config::load(&arguments.nodes)?;
    if let Some(number) = arguments.withdraw {
        let bank = bank_of(number, &config, &arguments.nodes)?;
        withdraw(&arguments.out, bank, config.nodes.len())?;
        stdout::put(&format!(
            "The certificate of bank {bank} is withdrawn: {} is in every bank's folder.\n",
            WITHDRAWN
        ));
        return Ok(());
    }
    issue(&arguments.out, config.nodes.len())?;
    let out = arguments.out.display();
    stdout::put(&format!(
        "{out}/{AUTHORITY_KEY}: the authority's key; keep it away from the banks' machines\n"
    ));
    for bank in BankId::all(config.nodes.len()) {
        let folder = folder_of(&arguments.out, bank);
        stdout::put(&format!("{}: for bank {bank} (--certificates)\n", folder.display()));
    }
    Ok(())
}

/// Where the certificate of a bank is put.
pub(super) fn folder_of(out: &Path, bank: BankId) -> PathBuf {
    out.join(format!("bank-{bank}"))
}

/// Makes the authority, unless it is there, and a new certificate for every bank.
pub(super) fn issue(out: &Path, banks: usize) -> Result<(), CertsError> {
    make_folder(out)?;
    let key_file = out.join(AUTHORITY_KEY);
    if !key_file.exists() {
        let key = KeyPair::generate()?;
        write(&out.join(AUTHORITY), &authority()?.self_signed(&key)?.pem())?;
        write(&key_file, &key.serialize_pem())?;
    }
    let (authority, certificate) = (issuer(out)?, read(&out.join(AUTHORITY))?);
    for bank in BankId::all(banks) {
        let folder = folder_of(out, bank);
        make_folder(&folder)?;
        let key = KeyPair::generate()?;
        let (serial, own) = of_bank(bank)?;
        // First: what is not on the list cannot be withdrawn.
        let issued = read_or_empty(&out.join(ISSUED_SERIALS))?;
        write(&out.join(ISSUED_SERIALS), &format!("{issued}{bank} {}\n", Hex(&serial)))?;
        let own = own.signed_by(&key, &authority)?;
        write(&folder.join(AUTHORITY), &certificate)?;
        write(&folder.join(KEY), &key.serialize_pem())?;
        write(&folder.join(CERTIFICATE), &own.pem())?;
    }
    Ok(())
}

/// Puts a bank's certificate on the authority's list of those that are worth nothing any more, and
/// the list into every bank's folder.
fn withdraw(out: &Path, bank: BankId, banks: usize) -> Result<(), CertsError> {
    let issued_file = out.join(ISSUED_SERIALS);
    let issued = read_or_empty(&issued_file)?;
    let of_bank = issued.lines().filter_map(|line| {
        let (number, serial) = line.split_once(' ')?;
        (number == bank.to_string()).then_some(serial)
    });
    let list_file = out.join(WITHDRAWN_SERIALS);
    let mut list = read_or_empty(&list_file)?;
    let withdrawn: BTreeSet<_> = list.lines().map(str::to_owned).collect();
    let mut before = 0;
    for serial in of_bank {
        before += 1;
        if !withdrawn.contains(serial) {
            list = format!("{list}{serial}\n");
        }
    }
    if before == 0 {
        return Err(CertsError::NoneIssued { path: issued_file, bank });
    }
    let now = now();
    let serials = list.lines().filter_map(hex::parse::<SERIAL_BYTES>);
    let revoked_certs: Vec<_> = serials
        .map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&serial),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        })
        .collect();
    let params = CertificateRevocationListParams {
        this_update: now,
        next_update: now + DAY * AUTHORITY_DAYS,
        crl_number: SerialNumber::from(revoked_certs.len() as u64),
        issuing_distribution_point: None,
        revoked_certs,
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let pem = params.signed_by(&issuer(out)?)?.pem()?;
    write(&list_file, &list)?;
    for bank in BankId::all(banks) {
        write(&folder_of(out, bank).join(WITHDRAWN), &pem)?;
    }
    Ok(())
}

/// The authority in a folder, with its key.
fn issuer(out: &Path) -> Result<Issuer<'static, KeyPair>, CertsError> {
    let path = out.join(AUTHORITY_KEY);
    let key = private::read(&path).map_err(|why| CertsError::File { path, why })?;
    Ok(Issuer::new(authority()?, KeyPair::from_pem(&key)?))
}

/// A random number for a certificate; positive, and always of the same length.
fn serial() -> Result<[u8; SERIAL_BYTES], CertsError> {
    let mut bytes = [0; SERIAL_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| rcgen::Error::RingUnspecified)?;
    bytes[0] = bytes[0] & 0x3f | 0x40;
    Ok(bytes)
}

fn authority() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, AUTHORITY_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    last(&mut params, AUTHORITY_DAYS);
    Ok(params)
}

fn of_bank(bank: BankId) -> Result<([u8; SERIAL_BYTES], CertificateParams), CertsError> {
    let serial = serial()?;
    let mut params = CertificateParams::new(vec![name_of(bank)])?;
    params.distinguished_name.push(DnType::CommonName, name_of(bank));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    last(&mut params, CERTIFICATE_DAYS);
    Ok((serial, params))
}

fn now() -> time::OffsetDateTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    date_time_ymd(1970, 1, 1) + Duration::from_secs(now.as_secs())
}

fn last(params: &mut CertificateParams, days: u32) {
    let now = now();
    params.not_before = now - DAY * EARLIER_DAYS;
    params.not_after = now + DAY * days;
}

fn make_folder(path: &Path) -> Result<(), CertsError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .and_then(|()| private::check_folder(path))
        .map_err(|why| CertsError::File { path: path.to_owned(), why })
}

fn read(path: &Path) -> Result<String, CertsError> {
    fs::read_to_string(path).map_err(|why| CertsError::File { path: path.to_owned(), why })
}

fn read_or_empty(path: &Path) -> Result<String, CertsError> {
    if path.exists() { read(path) } else { Ok(String::new()) }
}

/// A file that nobody else may read. A bank that reads while it is written must find the old one or
/// the new one.
fn write(path: &Path, text: &str) -> Result<(), CertsError> {
    let new = path.with_extension("new");
    let put = || {
        // One that an interrupted command left behind may have another's permissions.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    put().map_err(|why| CertsError::File { path: path.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::tls::Transport;

    #[test]
    fn banks_get_new_certificates_of_the_same_authority_that_nobody_else_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("certificates");
        issue(&out, 2).unwrap();
        let of_bank_1 = folder_of(&out, BankId(1));
        let read_all = || {
            [out.join(AUTHORITY), of_bank_1.join(AUTHORITY), of_bank_1.join(CERTIFICATE)]
                .map(|file| fs::read_to_string(file).unwrap())
        };
        let before = read_all();
        assert!(Transport::with(Some(&of_bank_1), BankId(1), 2).is_ok());
        let refused = Transport::with(Some(&of_bank_1), BankId(0), 2).map(|_| ()).unwrap_err();
        assert!(refused.to_string().ends_with("it is not valid for bank-0.netbanking"));
        issue(&out, 2).unwrap();
        let after = read_all();
        assert_eq!(before[..2], after[..2]);
        assert_ne!(before[2], after[2]);
        assert!(Transport::with(Some(&of_bank_1), BankId(1), 2).is_ok());
        for file in [out.join(AUTHORITY_KEY), of_bank_1.join(KEY)] {
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::set_permissions(of_bank_1.join(KEY), fs::Permissions::from_mode(0o644)).unwrap();
        let refused = Transport::with(Some(&of_bank_1), BankId(1), 2).map(|_| ()).unwrap_err();
        assert!(refused.to_string().contains("others may read"), "{refused}");
    }

    #[test]
    fn what_is_withdrawn_stays_withdrawn() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        fs::set_permissions(out, fs::Permissions::from_mode(0o700)).unwrap();
        issue(out, 2).unwrap();
        let list = || fs::read_to_string(out.join(WITHDRAWN_SERIALS)).unwrap();
        withdraw(out, BankId(0), 2).unwrap();
        let one = list();
        withdraw(out, BankId(0), 2).unwrap();
        assert_eq!(list(), one);
        // Those before the last are, too.
        issue(out, 2).unwrap();
        issue(out, 2).unwrap();
        withdraw(out, BankId(0), 2).unwrap();
        assert!(list().starts_with(&one) && list().lines().count() == 3);
        assert!(withdraw(out, BankId(2), 3).is_err(), "bank 2 has none");
        assert!(Transport::with(Some(&folder_of(out, BankId(1))), BankId(1), 2).is_ok());
    }
}
