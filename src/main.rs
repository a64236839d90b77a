//! The `lastlight` command.

fn main() -> std::process::ExitCode {
    lastlight::cli::main()
}
