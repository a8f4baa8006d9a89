//! A real Kubernetes on this machine, VibeTalk on it, and the tests of both.

mod paths;
mod process;
mod progress;

fn main() {}
