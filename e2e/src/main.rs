//! A real Kubernetes on this machine, VibeTalk on it, and the tests of both.

mod archive;
mod args;
mod binaries;
mod cgroup;
mod cluster;
mod daemon;
mod network;
mod node;
mod node_files;
mod paths;
mod pki;
mod process;
mod progress;
mod template;
mod tool;

fn main() {}
