//! A history that is not linearizable as a page to look at: one file, with
//! everything in it.
//!
//! | file | holds |
//! |---|---|
//! | [`data`] | what a page shows, from history and witness |
//! | [`faults`] | the faults in a history, as spans |
//! | [`words`] | operations and values in few characters |
//! | `page.html`, `page.css` | the frame, and how it looks |
//! | `model.js` | the data, joined: ranks of events, places of the orders' steps |
//! | `view.js` | which part is seen, and where things stand in it |
//! | `timeline.js`, `overview.js` | the lanes, and the strip above them |
//! | `panel.js` | what is said beside and below |
//! | `controls.js` | pointer, keys, buttons; starts everything |
//!
//! Nothing in a page is fetched from anywhere, and a policy in it forbids
//! that. What comes from a history is text to the page, never markup: the data
//! stand in a block of JSON without any `<`, and the scripts make text nodes
//! of it.

mod data;
mod faults;
mod words;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

pub use data::{About, Fact, Next, Page};

/// How a page begins. By that it is known again, and nothing else is ever
/// written over.
const BEGINS: &str = "<!doctype html>\n<!-- A refuted history, drawn by tribunal. -->\n";

const FRAME: &str = include_str!("page.html");

const STYLE: &str = include_str!("page.css");

/// They share one scope, in this order.
const SCRIPTS: [&str; 6] = [
    include_str!("model.js"),
    include_str!("view.js"),
    include_str!("timeline.js"),
    include_str!("overview.js"),
    include_str!("panel.js"),
    include_str!("controls.js"),
];

/// The page as a file's text.
pub fn render(page: &Page) -> String {
    let script = SCRIPTS.concat();
    let data = json(page);
    let frame = fill(FRAME, |name| match name {
        "title" => escape(&page.title),
        "explanation" => escape(&page.explanation),
        "witness" => escape(&page.text),
        "style" => STYLE.to_owned(),
        "data" => data.clone(),
        "script" => script.clone(),
        other => unreachable!("the frame asks for {other}"),
    });
    format!("{BEGINS}{frame}")
}

/// Writes the page. A file that is there is written over if it is such a page
/// itself.
///
/// # Errors
///
/// If it cannot be written, or if something else is there.
pub fn write(path: &Path, page: &Page) -> io::Result<()> {
    check(path)?;
    fs::write(path, render(page))
}

/// Whether a page may be written there, as far as what is there tells.
///
/// # Errors
///
/// If something else is there.
pub fn check(path: &Path) -> io::Result<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut begins = Vec::new();
    file.take(BEGINS.len() as u64).read_to_end(&mut begins)?;
    // An empty file is nobody's evidence: `mktemp` makes such.
    if begins.is_empty() || begins == BEGINS.as_bytes() {
        return Ok(());
    }
    let why = "it is there already, and is no page of this program";
    Err(io::Error::new(io::ErrorKind::AlreadyExists, why))
}

/// The frame with its `{{names}}` filled in. What is filled in is not looked
/// at again: it may hold such names itself.
fn fill(frame: &str, with: impl Fn(&str) -> String) -> String {
    let mut pieces = frame.split("{{");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").unwrap_or((piece, ""));
        text += &with(name);
        text += rest;
    }
    text
}

/// Data that can stand in a `script` element: JSON whose texts have no
/// character that begins or ends markup.
fn json(page: &Page) -> String {
    let json = serde_json::to_string(page).expect("a page is plain data");
    // Outside of texts JSON has none of these.
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

/// Text that can stand in an element or an attribute.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests;
