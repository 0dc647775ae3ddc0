//! The console blocks of the README are run, and their output is compared.

#[test]
fn readme_shows_what_the_program_does() {
    trycmd::TestCases::new()
        .env("SCRUPP_WEBHOOK_SECRET", "topsecret")
        .case("README.md");
}
