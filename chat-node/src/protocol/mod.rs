//! What clients and nodes say to each other.

pub mod message;
