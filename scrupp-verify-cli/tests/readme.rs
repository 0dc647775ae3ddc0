//! Runs the console blocks of the README, and compares the output.

#[test]
fn readme_matches_output() {
    trycmd::TestCases::new()
        .env("SCRUPP_WEBHOOK_SECRET", "topsecret")
        .case("README.md");
}
