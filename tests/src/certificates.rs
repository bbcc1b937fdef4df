//! A private certificate authority, as companies have them, and a server that it vouches for.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

const NEW_KEY: [&str; 5] = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
];

/// An authority with one server; its files are gone when dropped.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
}

impl Authority {
    /// A new one, which vouches for a server of this name. By OpenSSL, as the RSA key of the identity provider.
    pub fn vouching_for(host: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let at = folder.path();
        let extensions = format!(
            "subjectAltName=DNS:{host}\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n"
        );
        std::fs::write(at.join("server.ext"), extensions).expect("it is ours");
        let name = "/CN=Fictional authority of the tests";
        let mut authority = vec!["req", "-x509", "-days", "2", "-subj", name];
        authority.extend(NEW_KEY);
        authority.extend(["-keyout", "ca.key", "-out", "ca.pem"]);
        openssl(at, &authority);
        let mut request = vec!["req", "-new", "-subj", "/CN=server"];
        request.extend(NEW_KEY);
        request.extend(["-keyout", "server.key", "-out", "server.csr"]);
        openssl(at, &request);
        let sign = "x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile server.ext -out server.pem";
        openssl(at, &sign.split(' ').collect::<Vec<_>>());
        Self { folder }
    }

    /// Its certificate, as an administrator would name it.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The server's end of a line.
    pub fn acceptor(&self) -> TlsAcceptor {
        let at = |name: &str| self.folder.path().join(name);
        let certificate = CertificateDer::from_pem_file(at("server.pem")).expect("it was signed");
        let key = PrivateKeyDer::from_pem_file(at("server.key")).expect("it was made");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows them")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("key and certificate belong together");
        TlsAcceptor::from(Arc::new(config))
    }
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let ran = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("openssl is installed");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "openssl {arguments:?}: {said}");
}
