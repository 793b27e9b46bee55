//! A certificate authority of a test's own, made by openssl.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

/// An authority, whose certificate and whose leaves are files in its folder.
pub(crate) struct Authority {
    folder: PathBuf,
}

/// A certificate and its key.
pub(crate) struct Leaf {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    /// A new one; none where there is no openssl, which is said.
    pub(crate) fn new(folder: &Path) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            // Not `eprintln!`, which the test harness keeps to itself.
            let mut stderr = std::io::stderr().lock();
            writeln!(
                stderr,
                "SKIPPED: all that needs openssl, which is not installed"
            )
            .unwrap();
            return None;
        }
        fs::create_dir_all(folder).unwrap();
        let authority = Self {
            folder: folder.to_owned(),
        };
        authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=Septet test authority",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-addext",
            "keyUsage=critical,keyCertSign",
        ]);
        Some(authority)
    }

    /// The file that a client trusts.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A certificate for `names`, each as `DNS:*.example` or `IP:127.0.0.1`.
    pub(crate) fn leaf(&self, name: &str, names: &[&str]) -> Leaf {
        let (key, request) = (format!("{name}.key"), format!("{name}.csr"));
        let certificate = format!("{name}.pem");
        self.openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=Septet test",
            "-keyout",
            &key,
            "-out",
            &request,
        ]);
        let extensions = format!("{name}.ext");
        let text = format!(
            "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName={}\n",
            names.join(",")
        );
        fs::write(self.folder.join(&extensions), text).unwrap();
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-set_serial",
            "2",
            "-days",
            "2",
            "-extfile",
            &extensions,
            "-out",
            &certificate,
        ]);
        Leaf {
            certificate: self.folder.join(certificate),
            key: self.folder.join(key),
        }
    }

    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(&self.folder)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "openssl {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
