//! What the tests share.
#![allow(dead_code)]

pub mod broker;
pub mod client;
pub mod cluster;
pub mod conformance;
pub mod deaf;
pub mod http;
pub mod proxy;
pub mod repartition;
pub mod requests;
