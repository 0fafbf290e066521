//! A placeholder until its library stands.
fn main() {}
