// The real window in a real browser, over a Tauri that answers from the gallery. `show` is called from outside.
import "@fontsource-variable/inter";
import "@fontsource-variable/jetbrains-mono";
import "../../src/style.css";
import "./page.css";

import { mount } from "svelte";

import type { View } from "../../src/bindings/view";
import Window from "../../src/Window.svelte";
import { badLink } from "../gallery";
import { answerTauri } from "../tauri";

const GOOD = { org: "acme", address: "hub.acme.example:443", root: "q3vx 7mha 2kfd pw5n bt6e yzrc", invitation: true };

const { show } = answerTauri({
  links: (link) => {
    if (link.length < 20) throw badLink;
    return { ...GOOD, invitation: link.includes("ticket=") };
  },
});
const target = document.getElementById("window");
if (target) mount(Window, { target });
Object.assign(globalThis, { show: (view: View) => show(view) });
