//! chat-node
fn main() {}
