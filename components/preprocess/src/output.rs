//! JSON outputs, held to what their readers take.

use serde::Serialize;

/// The JSON of an output named `name`. One of more than `limit` bytes is refused now, because the
/// next version could not read it.
pub fn json(name: &str, value: &impl Serialize, limit: u64) -> Result<Vec<u8>, String> {
    let json = serde_json::to_vec(value).map_err(|error| error.to_string())?;
    if json.len() as u64 > limit {
        return Err(format!(
            "the {name} has {} bytes of JSON, more than the {limit} that a later version reads: \
             take fewer columns, or shorter names and class labels",
            json.len()
        ));
    }
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_read_again_is_not_written() {
        assert_eq!(json("split", &"ab", 4).unwrap(), b"\"ab\"");
        let told = json("split", &"abc", 4).unwrap_err();
        assert!(told.starts_with("the split has 5 bytes"), "{told}");
    }
}
