//! What a key and a queue's name may look like, so that every backend can have them.

use super::Message;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 512;

/// The longest name of a queue, in bytes.
pub const MAX_QUEUE: usize = 63;

/// The largest body of a message, in bytes: the least that any backend takes.
pub const MAX_BODY: usize = 48 << 10;

/// Segments of `[A-Za-z0-9._~-]` joined by `/`.
pub fn check_key(key: &str) -> anyhow::Result<()> {
    let fits = key.len() <= MAX_KEY
        && key
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && part.bytes().all(is_key_byte));
    anyhow::ensure!(fits, "'{}' cannot be the key of a record", shown(key));
    Ok(())
}

/// A key or the beginning of one, the empty one included.
pub fn check_prefix(prefix: &str) -> anyhow::Result<()> {
    let fits = prefix.len() <= MAX_KEY && prefix.bytes().all(|b| b == b'/' || is_key_byte(b));
    anyhow::ensure!(fits, "'{}' cannot begin the key of a record", shown(prefix));
    Ok(())
}

/// Lower-case letters, digits and inner hyphens, as Azure's queues have them.
pub fn check_queue(queue: &str) -> anyhow::Result<()> {
    let fits = (1..=MAX_QUEUE).contains(&queue.len())
        && !queue.starts_with('-')
        && !queue.ends_with('-')
        && queue
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    anyhow::ensure!(
        fits,
        "'{}' cannot be the name of a queue: it has 1 to {MAX_QUEUE} lower-case letters, digits \
         and inner hyphens",
        shown(queue)
    );
    Ok(())
}

/// Whether `message` can be sent.
pub fn check_message(message: &Message) -> anyhow::Result<()> {
    let fits = (1..=MAX_KEY).contains(&message.id.len());
    anyhow::ensure!(fits, "the id of a message has 1 to {MAX_KEY} bytes");
    if !message.group.is_empty() {
        check_key(&message.group)?;
    }
    anyhow::ensure!(
        message.body.len() <= MAX_BODY,
        "a message of {} bytes is larger than the {MAX_BODY} bytes that a queue takes",
        message.body.len()
    );
    Ok(())
}

const fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'-')
}

fn shown(text: &str) -> String {
    let text: String = text.chars().take(80).collect();
    text.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_segments() {
        for key in ["a", "a/b", "runs/0-1", "commits/x/train/000000~1", "A.b_c"] {
            assert!(check_key(key).is_ok(), "{key}");
        }
        for key in ["", "/a", "a/", "a//b", "a b", "a/../b", "ä", "a\nb"] {
            assert!(check_key(key).is_err(), "{key}");
        }
        assert!(check_key(&"x".repeat(MAX_KEY + 1)).is_err());
        assert!(check_prefix("").is_ok());
        assert!(check_prefix("runs/").is_ok());
        assert!(check_prefix("runs/%").is_err());
    }

    #[test]
    fn queues_are_plain_names() {
        for name in ["train", "train-poison", "a1"] {
            assert!(check_queue(name).is_ok(), "{name}");
        }
        for name in ["", "-a", "a-", "Train", "a_b", "a/b"] {
            assert!(check_queue(name).is_err(), "{name}");
        }
        assert!(check_queue(&"x".repeat(MAX_QUEUE + 1)).is_err());
    }
}
