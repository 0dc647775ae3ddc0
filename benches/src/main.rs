//! Measures what verification costs.
mod figure;
mod peers;
mod rounds;
mod store;
mod verifying;
fn main() {
    let rounds = 2000;
    for figure in verifying::figures(rounds).into_iter().chain(store::figures(rounds / 4)) {
        println!("{figure}");
    }
}
