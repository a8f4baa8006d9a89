//! The exchanges and queues, and the health of the broker.

use super::Row;
use crate::fixture::broker_down;
use crate::observe::BrokerState;

pub(super) const ROWS: &[Row] = &[
    Row {
        rule: "a missing exchange is declared",
        given: |world| world.exchanges().retain(|exchange| exchange.name != "vt.chat.demo.1.2"),
        says: &[("TopologyInSync", "False", "ExchangeMissing", "vt.chat.demo.1.2")],
        does: &["declare direct vt.chat.demo.1.2"],
    },
    Row {
        rule: "an exchange of another type is named and stays",
        given: |world| world.exchanges()[0].kind = "topic".to_owned(),
        says: &[("TopologyInSync", "False", "ExchangeMismatch", "type is topic, not direct")],
        does: &[],
    },
    Row {
        rule: "a queue whose node of the broker does not run is deleted",
        given: |world| {
            let health = &mut world.observed.broker_health;
            health.nodes.as_mut().unwrap()[1].running = false;
            health.stranded = vec!["srv.pod-001.c0ffee.1".to_owned()];
        },
        says: &[("TopologyInSync", "True", "AsSpecified", "not running: rabbit@two")],
        does: &["reap srv.pod-001.c0ffee.1"],
    },
    Row {
        rule: "a broker without a majority is not well, although it answers",
        given: |world| {
            let BrokerState::Failed(error) = broker_down() else { panic!("it is down") };
            world.observed.broker_health.refuses = Some(error);
        },
        says: &[
            ("TopologyInSync", "False", "BrokerUnhealthy", "takes no declares"),
            ("Ready", "False", "BrokerUnhealthy", ""),
        ],
        does: &[],
    },
    Row {
        rule: "a broker that takes no messages for want of memory is named with its node",
        given: |world| world.observed.broker_health.nodes.as_mut().unwrap()[0].mem_alarm = true,
        says: &[(
            "TopologyInSync",
            "False",
            "BrokerUnhealthy",
            "rabbit@one of the broker has too little memory",
        )],
        does: &[],
    },
    Row {
        rule: "a broker that is down changes nothing else",
        given: |world| world.observed.broker = broker_down(),
        says: &[
            ("TopologyInSync", "False", "BrokerUnreachable", "no answer in time"),
            ("WorkloadAvailable", "True", "AsSpecified", ""),
            ("Ready", "False", "BrokerUnreachable", ""),
        ],
        does: &[],
    },
];
