// The real window over a Tauri that only remembers.

import { render, screen } from "@testing-library/svelte";

import type { Intent, LinkView, View } from "../src/bindings/view";
import Window from "../src/Window.svelte";
import { badLink } from "./gallery";
import { answerTauri } from "./tauri";

type Links = (link: string) => LinkView;

export interface Stage {
  asked: Intent[];
  show(view: View): Promise<void>;
}

const noLinks: Links = () => {
  throw badLink;
};

export async function stage(first: View, links: Links = noLinks): Promise<Stage> {
  const tauri = answerTauri({ links });
  render(Window);
  const show = async (view: View) => {
    tauri.show(view);
    await new Promise((done) => setTimeout(done));
  };
  await show(first);
  return { asked: tauri.asked, show };
}

export const byId = (id: string): HTMLElement => screen.getByTestId(id);
export const maybeById = (id: string): HTMLElement | null => screen.queryByTestId(id);
