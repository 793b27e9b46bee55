//! What a file's name says of what is in it, and the other way round.

use std::path::Path;

/// The media type that a file's name suggests.
pub fn media_type(path: &Path) -> &'static str {
    let ending = path
        .extension()
        .and_then(|ending| ending.to_str())
        .unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "csv" | "tsv" | "txt" => "text/csv",
        "arrow" | "ipc" | "feather" => "application/vnd.apache.arrow.file",
        "json" => "application/json",
        "jsonl" | "ndjson" => "application/x-ndjson",
        "parquet" => "application/vnd.apache.parquet",
        "septet" => "application/vnd.septet.model-bundle",
        "onnx" => "application/onnx",
        _ => "application/octet-stream",
    }
}

/// How a file of this media type is named.
pub fn ending(media_type: &str) -> &'static str {
    match media_type {
        "text/csv" => "csv",
        "application/vnd.apache.arrow.file" => "arrow",
        "application/json" => "json",
        "application/x-ndjson" => "jsonl",
        "application/vnd.apache.parquet" => "parquet",
        "text/markdown" => "md",
        "application/vnd.septet.model-bundle" => "septet",
        "application/onnx" => "onnx",
        _ => "bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_and_endings_agree() {
        for ending_of in ["csv", "arrow", "json", "jsonl", "parquet", "septet", "onnx"] {
            assert_eq!(
                ending(media_type(Path::new(&format!("x.{ending_of}")))),
                ending_of
            );
        }
    }
}
