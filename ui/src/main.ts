import { mount } from "svelte";

import "./style.css";
import Window from "./Window.svelte";

const target = document.getElementById("window");
if (target) mount(Window, { target });
