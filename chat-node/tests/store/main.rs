//! Every store behaves the same: one suite, all backends. The one on MongoDB runs where `VIBETALK_TEST_MONGODB_URI`
//! names a server; each test has a database of its own there, dropped at its end.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod backends;
mod faults;
mod layout;
#[path = "../simulation/model/mod.rs"]
#[allow(dead_code, reason = "the simulation looks deeper into it")]
mod model;
#[macro_use]
mod suite;

mod embedded {
    suite!(crate::backends::on_embedded);
}

mod simulated {
    suite!(crate::backends::on_simulated);
}

mod mongo {
    suite!(crate::backends::on_mongo);
}
