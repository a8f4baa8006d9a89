//! The TCP connection and its AMQP channels; every step has a deadline.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use crds::topology::EPOCHS_MAX;
use lapin::options::{BasicQosOptions, ConfirmSelectOptions};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Channel, Connection, ConnectionProperties, ErrorKind};

use super::BrokerError;

/// How long one step may take. A declare can hang for ever on a broker that has lost its quorum.
pub(super) const STEP: Duration = Duration::from_secs(5);
/// Silence after which the connection counts as dead is twice this.
const HEARTBEAT_SECONDS: u16 = 10;
/// Tries per connection, at once: behind one address there may be several nodes of the broker, one of them dead.
const CONNECT_TRIES: usize = 3;
/// Envelopes that the broker sends ahead of our acknowledgements.
const PREFETCH: u16 = 1_000;
/// AMQP channels that binds are spread over, if the broker allows as many. It takes one bind of a channel at a time, and
/// writes those of several channels together: on three broker nodes 10,000 binds take 4.0 s over 16, 3.3 s over 48 and
/// 2.5 to 2.9 s over 96 to 192.
const BIND_CHANNELS: u16 = 128;
/// How many times as many there may be: of all epochs, of one more while another is left, and of one that is unbound.
const BINDERS: u16 = EPOCHS_MAX as u16 + 2;

/// Where the broker is, and who we are to it.
#[derive(Clone)]
pub struct Credentials {
    /// Host name or address.
    pub host: String,
    /// AMQP port.
    pub port: u16,
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
    /// Virtual host.
    pub vhost: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}/{}", self.username, self.host, self.port, self.vhost)
    }
}

impl Credentials {
    fn uri(&self) -> AMQPUri {
        let userinfo = AMQPUserInfo { username: self.username.clone(), password: self.password.clone() };
        AMQPUri {
            scheme: AMQPScheme::AMQP,
            authority: AMQPAuthority { userinfo, host: self.host.clone(), port: self.port },
            vhost: self.vhost.clone(),
            query: AMQPQueryString { heartbeat: Some(HEARTBEAT_SECONDS), ..AMQPQueryString::default() },
        }
    }
}

/// The two connections of a node: a broker that blocks publishers reads nothing from them, so whatever else there is
/// goes over the other one.
pub(super) struct Connections {
    pub publishing: Connection,
    pub listening: Connection,
}

/// Connects twice.
pub(super) async fn open(credentials: &Credentials, name: &str) -> Result<Connections, BrokerError> {
    let publisher = format!("{name} publisher");
    let (publishing, listening) =
        futures::try_join!(connect(credentials, &publisher), connect(credentials, name))?;
    Ok(Connections { publishing, listening })
}

/// One more connection.
pub(super) async fn connect(credentials: &Credentials, name: &str) -> Result<Connection, BrokerError> {
    for _ in 1..CONNECT_TRIES {
        match connect_once(credentials, name).await {
            Err(BrokerError::Amqp { error, .. }) if matches!(error.kind(), ErrorKind::IOError(_)) => {}
            outcome => return outcome,
        }
    }
    connect_once(credentials, name).await
}

async fn connect_once(credentials: &Credentials, name: &str) -> Result<Connection, BrokerError> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    step("connecting", Connection::connect_uri(credentials.uri(), properties)).await
}

/// A channel that confirms what is published.
pub(super) async fn publisher(connection: &Connection) -> Result<Channel, BrokerError> {
    let channel = channel(connection).await?;
    step("asking for confirms", channel.confirm_select(ConfirmSelectOptions::default())).await?;
    Ok(channel)
}

/// A channel on which a bounded number of envelopes is ahead of our acknowledgements.
pub(super) async fn consumer(connection: &Connection) -> Result<Channel, BrokerError> {
    let channel = channel(connection).await?;
    step("setting the prefetch", channel.basic_qos(PREFETCH, BasicQosOptions::default())).await?;
    Ok(channel)
}

/// Channels to bind over.
pub(super) async fn binders(connection: &Connection) -> Result<Vec<Channel>, BrokerError> {
    let count = bind_channels(connection.configuration().channel_max());
    futures::future::try_join_all((0..count).map(|_| channel(connection))).await
}

/// How many of the channels that the broker allows a connection; what is not for binds needs some too.
fn bind_channels(allowed: u16) -> u16 {
    (allowed / (BINDERS + 1)).clamp(1, BIND_CHANNELS)
}

/// Ends a connection in good order, if the broker still answers.
pub(super) async fn close(connection: &Connection) {
    const REPLY_SUCCESS: u16 = 200;
    // Otherwise it ends when it is dropped.
    let _ = step("closing", connection.close(REPLY_SUCCESS, "bye".into())).await;
}

/// One more channel.
pub(super) async fn channel(connection: &Connection) -> Result<Channel, BrokerError> {
    step("opening an AMQP channel", connection.create_channel()).await
}

/// Awaits one step, at most [`STEP`].
pub(super) async fn step<T>(
    step: &'static str,
    future: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BrokerError> {
    match tokio::time::timeout(STEP, future).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(BrokerError::Amqp { step, error }),
        Err(_) => Err(BrokerError::Timeout { step, limit: STEP }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binds_take_no_more_channels_than_a_strict_broker_allows() {
        for (allowed, binders) in [(u16::MAX, 128), (2_047, 128), (200, 28), (8, 1), (1, 1)] {
            assert_eq!(bind_channels(allowed), binders, "{allowed}");
        }
    }
}
