//! Names and help texts, as `METRICS.md` has them.

/// A name without its prefix, and the help text.
pub(super) type Name = (&'static str, &'static str);

pub(super) const CONNECTIONS: Name = ("connections", "Open client connections, by transport.");
pub(super) const SIGN_INS_WAITING: Name =
    ("sign_ins_waiting", "Clients with a good token that wait for their turn to be signed in.");
pub(super) const SENT: Name = ("messages_sent_total", "Messages stored for clients of this node.");
pub(super) const DELIVERED: Name =
    ("messages_delivered_total", "Event frames queued for clients of this node.");
pub(super) const EPHEMERAL_DROPPED: Name = (
    "ephemeral_dropped_total",
    "Typing and presence frames that were dropped because their client read too slowly.",
);
pub(super) const APPEND_SECONDS: Name =
    ("append_duration_seconds", "Time from a client's send to the store's answer, in seconds.");
pub(super) const DELIVERY_SECONDS: Name = (
    "delivery_duration_seconds",
    "Time from a message's own to when it was queued for followers on this node, in seconds, by the store's clock; only of messages that came in their turn.",
);
pub(super) const RECEIVED: Name = ("envelopes_received_total", "Envelopes that came over the bus.");
pub(super) const UNREADABLE: Name = (
    "envelopes_unreadable_total",
    "Envelopes that this node cannot read, as those of another version; entries in them are found in the store.",
);
pub(super) const GAPS_FILLED: Name =
    ("gaps_filled_total", "Entries read from the store because they had not come over the bus.");
pub(super) const PUBLISH_QUEUE_BYTES: Name =
    ("publish_queue_bytes", "Bytes that wait to be published or to be confirmed by the broker.");
pub(super) const BROKER_CONNECTS: Name = ("broker_connects_total", "Connections made to the broker.");
pub(super) const DEGRADED: Name =
    ("degraded", "1 while the broker is away and the store is polled instead, else 0.");
pub(super) const CLOCK_SKEW_SECONDS: Name = (
    "clock_skew_seconds",
    "This machine's clock minus the store's, in seconds; more than 5 either way is not ready.",
);
pub(super) const SERVER_ID: Name = ("server_id", "The leased server id, 0 to 1023; -1 while there is none.");
pub(super) const VIEW_HITS: Name =
    ("view_hits_total", "Questions about a group that the node could answer by itself.");
pub(super) const VIEW_MISSES: Name =
    ("view_misses_total", "Questions about a group that the store had to be asked.");
pub(super) const SEND_QUEUE_BYTES: Name =
    ("send_queue_bytes", "Bytes that wait to be written to clients, of all connections.");
pub(super) const STORE_REACHABLE: Name = ("store_reachable", "1 if the store answered last time, else 0.");
pub(super) const BROKER_REACHABLE: Name = ("broker_reachable", "1 if the broker answered last time, else 0.");
pub(super) const CLOSED: Name =
    ("connections_closed_total", "Connections that the server closed, by reason.");
pub(super) const REFUSED: Name = ("refused_total", "Sends that were refused, by code.");
pub(super) const REQUESTS_REFUSED: Name =
    ("requests_refused_total", "REST requests that were refused, by code.");
pub(super) const KEYS_FETCHED: Name = (
    "token_key_fetches_total",
    "Fetches of the keys that tokens are verified with, by outcome: `done` or `failed`.",
);
pub(super) const PUBLISH_FAILURES: Name = (
    "publish_failures_total",
    "Publishes that some node may have missed and finds in the store instead, by reason.",
);
pub(super) const BUILD_INFO: Name = ("build_info", "Always 1; the label tells the version.");
