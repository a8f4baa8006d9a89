//! The ports of broker and store, which a `NetworkPolicy` must leave open.

use std::collections::BTreeSet;

use crds::binding::{mongodb, rabbitmq};

use super::secrets::Data;

const AMQP_PORT: u16 = 5_672;
const MONGODB_PORT: u16 = 27_017;

/// The port of `rabbitmq` and those of the hosts in `mongodb`'s connection string.
pub(super) fn of(rabbitmq: &Data, mongodb: &Data) -> BTreeSet<u16> {
    let text = |data: &Data, key: &str| {
        let bytes = data.get(key).map(|bytes| bytes.0.as_slice()).unwrap_or_default();
        String::from_utf8_lossy(bytes).trim().to_owned()
    };
    let broker = text(rabbitmq, rabbitmq::PORT).parse().unwrap_or(AMQP_PORT);
    store(&text(mongodb, mongodb::URI)).into_iter().chain([broker]).collect()
}

/// `mongodb://[user:password@]host[:port][,host[:port]…][/…]`; the name of a `mongodb+srv` URI stands for hosts that
/// only DNS knows, which listen at the usual port.
fn store(uri: &str) -> Vec<u16> {
    let Some(rest) = uri.strip_prefix("mongodb://") else { return vec![MONGODB_PORT] };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let hosts = authority.rsplit('@').next().unwrap_or_default();
    let port = |host: &str| {
        // The colons of an IPv6 address stand in brackets.
        let tail = host.rsplit(']').next().unwrap_or_default();
        tail.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(MONGODB_PORT)
    };
    hosts.split(',').map(port).collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    #[test]
    fn ports_are_those_that_the_secrets_name_or_the_usual_ones() {
        let data = |key: &str, value: &str| Data::from([(key.to_owned(), ByteString(value.into()))]);
        let ports = of(&data("port", "5673\n"), &data("uri", "mongodb://u:p@a,b:27018,[::1]:27019/x?y=z:1"));
        assert_eq!(ports, BTreeSet::from([5_673, 27_017, 27_018, 27_019]));
        let usual = of(&Data::new(), &data("uri", "mongodb+srv://cluster.example/"));
        assert_eq!(usual, BTreeSet::from([5_672, 27_017]));
    }
}
