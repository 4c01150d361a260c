//! The certificate and its key.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::files::others_may_read;
use super::report::Report;
use crate::config::{Config, PublicUrl};
use crate::tls;

/// A certificate that ends sooner should have been renewed.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

const TLS: &str = "TLS";

/// Whether there is TLS where there has to be, and whether devices will accept it.
pub(super) fn check(config: &Config, now_ms: u64, report: &mut Report) {
    let Some((certificate, key)) = &config.tls else {
        if config.has_unnamed_proxy() {
            report.note(TLS, "where a proxy speaks it for public_url, trusted_proxies should name the proxy");
        }
        if config.listen.ip().is_loopback() {
            report.fine(TLS, "none; only this machine reaches the server, and a proxy on it may speak TLS");
        } else {
            report.note(TLS, "none (allow_plain_http): a proxy in front has to speak TLS");
        }
        return;
    };
    match look(certificate, key, config.public_url.as_ref(), Duration::from_millis(now_ms)) {
        Ok(found) => report.fine(TLS, found),
        Err(error) => report.mend(TLS, format!("{error:#}")),
    }
}

fn look(certificate: &Path, key: &Path, url: Option<&PublicUrl>, now: Duration) -> anyhow::Result<String> {
    let shown = certificate.display();
    tls::load(certificate, key)?;
    let der = CertificateDer::from_pem_file(certificate)?;
    if let Some(host) = url.map(PublicUrl::host) {
        let name = ServerName::try_from(host.to_owned()).context("public_url has no name that TLS knows")?;
        let parsed =
            webpki::EndEntityCert::try_from(&der).context("the certificate cannot be used by devices")?;
        let fits = parsed.verify_is_valid_for_subject_name(&name);
        fits.map_err(|_| {
            anyhow::anyhow!("{shown} is not for {host}, which public_url names: get one that is")
        })?;
    }
    let validity =
        Certificate::from_der(&der).context("the certificate cannot be read")?.tbs_certificate.validity;
    let (begins, ends) = (validity.not_before.to_unix_duration(), validity.not_after.to_unix_duration());
    anyhow::ensure!(begins <= now, "{shown} is not valid yet: look at the clock, or wait");
    anyhow::ensure!(now < ends, "{shown} has expired: renew it, and start the server again");
    let days = (ends - now).as_secs() / 86_400;
    anyhow::ensure!(now + SOON < ends, "{shown} ends in {days} days: renew it, and start the server again");
    let open = std::fs::metadata(key).is_ok_and(|found| others_may_read(&found));
    anyhow::ensure!(!open, "{0} is open to everybody: `chmod o-rwx {0}`", key.display());
    Ok(format!("{shown}, for {days} more days"))
}
