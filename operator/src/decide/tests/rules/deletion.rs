//! The end of a cluster.

use jiff::SignedDuration;

use super::Row;
use crate::fixture::{World, broker_down};
use crate::observe::{BrokerState, SecretState};

pub(super) const ROWS: &[Row] = &[
    Row {
        rule: "deletion removes the exchanges, and then lets go",
        given: World::delete_cluster,
        says: &[],
        does: &[
            "finalizer Remove",
            "delete vt.chat.demo.1.0",
            "delete vt.chat.demo.1.1",
            "delete vt.chat.demo.1.2",
            "delete vt.chat.demo.1.3",
            "delete vt.chat.demo.control",
        ],
    },
    Row {
        rule: "deletion leaves retained exchanges",
        given: |world| {
            if let Some(rabbitmq) = &mut world.cluster.rabbitmq {
                rabbitmq.deletion_policy = crds::DeletionPolicy::Retain;
            }
            world.delete_cluster();
        },
        says: &[],
        does: &["finalizer LetGo"],
    },
    Row {
        rule: "deletion waits for a broker that is down",
        given: |world| {
            world.observed.broker = broker_down();
            world.delete_cluster();
            world.now += SignedDuration::from_secs(29);
        },
        says: &[("Ready", "False", "Deleting", "no answer in time")],
        does: &[],
    },
    Row {
        rule: "but not for ever",
        given: |world| {
            world.observed.broker = broker_down();
            world.delete_cluster();
            world.step();
            world.now += SignedDuration::from_secs(30);
        },
        says: &[],
        does: &["finalizer LetGo", "tell ExchangesLeft"],
    },
    Row {
        rule: "a deletion that no operator saw for long is tried once more than once",
        given: |world| {
            world.observed.broker = broker_down();
            world.delete_cluster();
            world.now += SignedDuration::from_hours(1);
        },
        says: &[("Ready", "False", "Deleting", "no answer in time")],
        does: &[],
    },
    Row {
        rule: "nor are its exchanges left because one of them could not be deleted at the first try",
        given: |world| {
            world.exchanges().truncate(1);
            world.delete_cluster();
            world.now += SignedDuration::from_hours(1);
        },
        says: &[],
        does: &["finalizer Remove", "delete vt.chat.demo.1.0"],
    },
    Row {
        rule: "deletion does not wait for a Secret that is gone",
        given: |world| {
            world.observed.broker = BrokerState::NotAsked;
            world.observed.secrets.rabbitmq = SecretState::Missing("mq".to_owned());
            world.delete_cluster();
        },
        says: &[],
        does: &["finalizer LetGo", "tell ExchangesLeft"],
    },
    Row {
        rule: "a resource that was let go is left alone",
        given: |world| {
            world.cluster.held = false;
            world.delete_cluster();
        },
        says: &[],
        does: &[],
    },
];
