//! Why the broker did not do as asked.

/// Why the broker did not do as asked. The words are the same as long as the cause is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// No answer, or none that the management API would give.
    #[error("{base} cannot be reached: {problem}")]
    Unreachable {
        /// Address of the management API.
        base: String,
        /// What happened.
        problem: String,
    },
    /// More than the operator would hold in memory.
    #[error(
        "{base} lists more than {limit} names with `{part}`: use fewer partitions, or a virtual host for fewer clusters"
    )]
    TooMany {
        /// Address of the management API.
        base: String,
        /// How many are read.
        limit: u32,
        /// What is in the names.
        part: String,
    },
    /// The broker says no: credentials, permissions or virtual host.
    #[error("{base} refused: {problem}")]
    Refused {
        /// Address of the management API.
        base: String,
        /// Its words.
        problem: String,
    },
    /// An exchange of the name exists with other properties.
    #[error("exchange {exchange} exists with other properties: {problem}")]
    Mismatch {
        /// Name of the exchange.
        exchange: String,
        /// The broker's words.
        problem: String,
    },
    /// Something is bound to the exchange.
    #[error("exchange {exchange} is still bound to a queue")]
    InUse {
        /// Name of the exchange.
        exchange: String,
    },
}
