//! HTTP/1.1 as both ports speak it: connections with deadlines, and what surrounds every request.

pub mod address;
pub mod extract;
pub mod listen;
pub mod problem;
pub mod rate;
pub mod refusals;
pub mod request;
pub mod trace;
