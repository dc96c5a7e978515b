//! Whether every word in the real window can be read to its end, asked of WebKit itself.
//! A newcomer would compare pictures: what is cut off looks fine there, because nobody sees what is missing.

use tidegate_tests::laptop::Window;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};

/// Every element with text of its own that is wider than its room, or reaches out of the window.
/// Shortened on purpose is only what is whole elsewhere: it has a title, or is there for the eye alone.
const LOOK: &str = r#"
const cut = [];
const width = document.documentElement.clientWidth;
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== "");
  if (!own || element.closest(".unseen, [aria-hidden=true], [title], svg")) continue;
  const box = element.getBoundingClientRect();
  if (box.width === 0 || box.height === 0) continue;
  let room = element;
  while (getComputedStyle(room).display === "inline") room = room.parentElement;
  const wide = room.scrollWidth > room.clientWidth + 1 && !["auto", "scroll"].includes(getComputedStyle(room).overflowX);
  const out = box.right > width + 1 || box.left < -1;
  if (wide || out) cut.push(`<${element.localName}> ${element.textContent.trim().slice(0, 40)}: ${room.scrollWidth} in ${room.clientWidth}, ${Math.round(box.left)} to ${Math.round(box.right)} of ${width}`);
}
if (document.documentElement.scrollWidth > width) cut.push(`the page: ${document.documentElement.scrollWidth} of ${width}`);
return [cut, width, devicePixelRatio];
"#;

pub(crate) async fn nothing_cut(window: &Window, state: &str) -> Outcome<()> {
    let seen = window.run(LOOK).await?;
    let cut = seen[0].as_array().doing("read what is cut off")?;
    println!(
        "  {state}: {} px wide, {} dots a pixel, {} cut",
        seen[1],
        seen[2],
        cut.len()
    );
    if cut.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = cut.iter().map(ToString::to_string).collect();
    Err(Trouble::new(format!(
        "cut off in {state}:\n{}",
        list.join("\n")
    )))
}
