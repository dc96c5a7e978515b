//! Names the commands of the window, so that each needs a permission of its own.
//! A newcomer would find the compiler's word about a missing `dist` puzzling: said here first, in words.

use std::path::Path;

const COMMANDS: &[&str] = &["view", "act", "read_link"];

fn main() {
    let built_window = std::env::var_os("CARGO_FEATURE_CUSTOM_PROTOCOL").is_some();
    if built_window && !Path::new("../ui/dist/index.html").exists() {
        println!(
            "cargo::error=the window is not built: run `npm ci && npm run build` in ui/ first, then build again"
        );
        println!("cargo::rerun-if-changed=../ui/dist/index.html");
        return;
    }
    let manifest = tauri_build::AppManifest::new().commands(COMMANDS);
    let attributes = tauri_build::Attributes::new().app_manifest(manifest);
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo::error={error:#}");
    }
}
