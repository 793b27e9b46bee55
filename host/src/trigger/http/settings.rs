//! What a server takes: its numbers and its key.

use std::{net::SocketAddr, time::Duration};

use anyhow::ensure;

use super::Key;

const MIB: u64 = 1 << 20;

/// What a server takes. Every number bounds what a client can make this process spend.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// What clients prove themselves with; none only on a loopback address.
    pub key: Option<Key>,
    /// Bytes of a body that is streamed into the store.
    pub body_bytes: u64,
    /// Bytes of a body in JSON, which is read into memory.
    pub json_bytes: u64,
    /// Models that are kept ready to predict.
    pub models: usize,
    /// Copies of one model that predict at the same time.
    pub instances: usize,
    /// Rows of one request to predict.
    pub predict_rows: usize,
    /// Requests that are answered at the same time.
    pub requests: usize,
    /// Connections at the same time; the others wait to be accepted.
    pub connections: usize,
    /// How long a client may take to send the head of a request, the wait for it included.
    pub head: Duration,
    /// How long a client may take to send a body, beside one second for each 16 KiB.
    pub body: Duration,
    /// How long a client may let an answer wait before it takes more of it.
    pub write: Duration,
    /// How long a prediction may take, the wait for its turn included.
    pub predict: Duration,
    /// How long requests that are under way may take to end when the server is to stop.
    pub stop: Duration,
    /// How long an alias is believed before it is looked at again.
    pub alias: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            key: None,
            body_bytes: 256 * MIB,
            json_bytes: 8 * MIB,
            models: 4,
            instances: std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4)),
            predict_rows: 8192,
            requests: 64,
            connections: 512,
            head: Duration::from_secs(15),
            body: Duration::from_secs(15),
            write: Duration::from_secs(30),
            predict: Duration::from_mins(2),
            stop: Duration::from_secs(20),
            alias: Duration::from_secs(1),
        }
    }
}

impl HttpSettings {
    /// Whether a server may listen on `address` so: one line says what to do where it may not.
    pub fn check(&self, address: SocketAddr) -> anyhow::Result<()> {
        ensure!(
            self.key.is_some() || address.ip().to_canonical().is_loopback(),
            "{address} can be reached by others, so a key is needed: set SEPTET_HTTP_KEY, or \
             key_file in [http], or listen on 127.0.0.1"
        );
        for (name, value, most) in [
            ("body_bytes", self.body_bytes, 4096 * MIB),
            ("json_bytes", self.json_bytes, 256 * MIB),
            ("models", self.models as u64, 16),
            ("instances", self.instances as u64, 4),
            ("predict_rows", self.predict_rows as u64, 1 << 20),
            ("requests", self.requests as u64, 4096),
            ("connections", self.connections as u64, 65_536),
        ] {
            ensure!(
                (1..=most).contains(&value),
                "{name} of [http] is {value}: it must be 1 to {most}"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_need_a_key() {
        let mut settings = HttpSettings::default();
        for local in ["127.0.0.1:7071", "[::1]:0", "[::ffff:127.0.0.1]:80"] {
            settings.check(local.parse().unwrap()).unwrap();
        }
        let open = "0.0.0.0:7071".parse().unwrap();
        let error = settings.check(open).unwrap_err().to_string();
        assert!(error.contains("SEPTET_HTTP_KEY"), "{error}");
        assert!(settings.check("[::]:1".parse().unwrap()).is_err());
        settings.key = Some(Key::new("0123456789abcdef").unwrap());
        settings.check(open).unwrap();
        settings.models = 0;
        let error = settings.check(open).unwrap_err().to_string();
        assert_eq!(error, "models of [http] is 0: it must be 1 to 16");
    }
}
