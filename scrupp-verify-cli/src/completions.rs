use clap_complete::Shell;

use crate::output::{self, Error};

/// Prints shell completions.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  scrupp-verify completions bash > ~/.local/share/bash-completion/completions/scrupp-verify
  scrupp-verify completions zsh > ~/.zfunc/_scrupp-verify
  scrupp-verify completions fish > ~/.config/fish/completions/scrupp-verify.fish")]
pub(crate) struct Args {
    /// Shell
    shell: Shell,
}

impl Args {
    pub(crate) fn run(self) -> Result<bool, Error> {
        let mut script = Vec::new();
        clap_complete::generate(
            self.shell,
            &mut crate::command(),
            "scrupp-verify",
            &mut script,
        );
        output::write(String::from_utf8_lossy(&script).trim_end())?;
        Ok(true)
    }
}
