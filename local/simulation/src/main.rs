//! The program behind `cargo dev simulate`: many seeds, or one with its story; and, when a seed fails, how to see it
//! again and the shortest fault list that still fails.

fn main() {}
