//! A bank with a certificate for customers.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::cluster::Cluster;
use crate::customer::{cpf, registration};

/// Writes an authority and a certificate for this machine.
pub(crate) fn make_certificate(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(DnType::CommonName, "An authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let own = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    std::fs::write(folder.join("authority.pem"), authority_pem).unwrap();
    std::fs::write(folder.join("fullchain.pem"), own.pem()).unwrap();
    std::fs::write(folder.join("privkey.pem"), key.serialize_pem()).unwrap();
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(folder.join("privkey.pem"), private).unwrap();
}

/// What curl is answered, with its headers.
fn curl(folder: &Path, arguments: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--include", "--cacert"]);
    let done = curl.arg(folder.join("authority.pem")).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().to_lowercase()
}

/// Whether `netbanking check` finds the bank ready, if it trusts the certificates in a file.
fn check(url: &str, trusted: &Path) -> bool {
    let mut check = Command::new(env!("CARGO_BIN_EXE_netbanking"));
    check.args(["check", "--url", url]).env("SSL_CERT_FILE", trusted);
    check.output().unwrap().status.success()
}

#[actix_rt::test]
async fn customers_come_by_https_on_the_port_that_banks_use_too() {
    let cluster = Cluster::prepare(2, "sessions");
    cluster.certify();
    let folder = cluster.folder().join("https");
    make_certificate(&folder);
    cluster.set_variable(0, "NETBANKING_HTTPS", folder.display().to_string());
    cluster.start_all().await;
    let url = format!("https://localhost:{}", cluster.ports(0).0);
    assert!(check(&url, &folder.join("authority.pem")));
    let others = cluster.certificates().join("ca.pem");
    assert!(!check(&url, &others), "a certificate of an authority that nobody trusts");
    let newcomer = registration("karen123", &cpf(5)).to_string();
    let json = "content-type: application/json";
    let register = format!("{url}/register-customer");
    let answer = curl(&folder, &["--header", json, "--data", &newcomer, &register]);
    assert!(answer.contains(" 200 ") && answer.contains("strict-transport-security: max-age="));
    let login = format!("{url}/entrar");
    let password = "senha=12345678";
    let form = ["--data", "usuario=karen123", "--data", password, login.as_str()];
    let answer = curl(&folder, &form);
    let cookie = answer.lines().find(|line| line.starts_with("set-cookie: ")).expect(&answer);
    assert!(cookie.contains("secure") && cookie.contains("httponly"), "{cookie}");
    // A new certificate is used without a stop.
    make_certificate(&folder);
    assert!(check(&url, &folder.join("authority.pem")));
    assert!(check(&cluster.url(0, ""), &others), "on this machine HTTP goes on");
}
