//! Files with certificates of authorities that are trusted beside those of the system.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::report::Section;

/// Checks that there are certificates in a file. It is read again whenever it is used.
pub(super) fn check(at: &mut Section<'_>, key: &str, file: &Path) {
    if let Err(problem) = read(file) {
        at.add(
            key,
            format!("{} {problem}", file.display()),
            "name a readable file with the certificate of the authority as PEM: -----BEGIN CERTIFICATE-----",
        );
    }
}

fn read(file: &Path) -> Result<(), String> {
    let pem = std::fs::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| format!("does not read as PEM: {error}"))?;
        let added = authorities.add(certificate);
        added.map_err(|error| format!("holds what is no certificate: {error}"))?;
    }
    if authorities.is_empty() {
        return Err("holds no certificate".to_owned());
    }
    Ok(())
}
