//! The VibeTalk chat server.
//!
//! A message goes gateway → session → channels → store, and from there over the bus to the hub of every node.
//! Dependencies point down this list:
//!
//! - [`node`] puts the parts together; [`config`] says which ones, [`drain`] how they end.
//! - [`gateway`], [`api`], [`web`] are what clients see; [`admin`] is what the platform sees.
//! - [`channels`] is what a user can do; [`session`] is one client's connection, without I/O.
//! - [`presence`] knows which users are here, on any node.
//! - [`hub`] knows who on this node hears what, [`bus`] reaches the other nodes, [`store`] remembers.
//! - [`groups`] says who may do what in a channel, without I/O.
//! - [`http`] is what surrounds requests, [`websocket`] reads and writes RFC 6455.
//! - [`protocol`], [`ids`], [`auth`], [`clock`], [`limits`], [`error`], [`metrics`], [`logs`] are what all of them speak of.

pub mod admin;
pub mod api;
pub mod auth;
pub mod bus;
pub mod channels;
pub mod clock;
pub mod config;
pub mod drain;
pub mod error;
pub mod gateway;
pub mod groups;
pub mod http;
pub mod hub;
pub mod ids;
pub mod limits;
pub mod logs;
pub mod metrics;
pub mod node;
pub mod presence;
pub mod protocol;
pub mod session;
pub mod store;
pub mod web;
pub mod websocket;
