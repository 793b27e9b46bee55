//! `septet queues`: work that waits, and what others read and write.

use std::path::PathBuf;

use clap::Subcommand;

/// What to do with queues.
#[derive(Debug, Subcommand)]
pub(crate) enum QueuesCommand {
    /// List queues and how many messages each holds; so does `septet queues` alone
    List,
    /// Show a queue's oldest messages and leave them there
    Peek {
        /// As `septet queues` lists it: train, train-poison, alerts, …
        #[arg(value_name = "QUEUE")]
        queue: String,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Take the next message of a queue that an external stage reads, print it and delete it
    Fetch {
        /// The queue of an external stage, or alerts, or one that you post to
        #[arg(value_name = "QUEUE")]
        queue: String,
    },
    /// Put a text into a queue: the outcome of an external stage into STAGE-outcomes
    Post {
        /// Any queue but a stage's own
        #[arg(value_name = "QUEUE")]
        queue: String,
        /// File with the text, at most 48 KiB
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Take poison messages back into their runs and work them off
    Replay {
        /// A poison queue: train-poison, …
        #[arg(value_name = "QUEUE")]
        queue: String,
        /// Only the message with this identifier
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// Only put them back: a running server or `septet work` does the rest
        #[arg(long)]
        detach: bool,
    },
    /// Delete messages that nobody needs any more: alerts, or what came to nothing
    #[command(alias = "remove")]
    Purge {
        /// Any queue but a stage's own
        #[arg(value_name = "QUEUE")]
        queue: String,
        /// Only the message with this identifier
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
}
