//! The rules of the house that the compiler does not know, each with its reason.
//! They live beside this file by subject; the list of modules is all there is here.
#![allow(clippy::unwrap_used)]

#[path = "house/complaints.rs"]
mod complaints;
#[path = "house/files.rs"]
mod files;
#[path = "house/imports.rs"]
mod imports;
#[path = "house/inputs.rs"]
mod inputs;
#[path = "house/pages.rs"]
mod pages;
#[path = "house/platforms.rs"]
mod platforms;
#[path = "house/thefts.rs"]
mod thefts;
#[path = "house/tree.rs"]
mod tree;
#[path = "house/window.rs"]
mod window;
#[path = "house/words.rs"]
mod words;
