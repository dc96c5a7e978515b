import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { joined, portTaken, scene, signedIn, warehouse } from "./gallery";
import { byId, stage } from "./stage";

test("every choice acts at once", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(scene("settings").view);

  await user.click(byId("settings"));
  await user.click(byId("start-at-login"));
  await user.click(byId("notifications"));
  await user.click(byId("theme-dark"));

  expect(asked).toEqual([
    { do: "set", what: { is: "start_at_login", on: false } },
    { do: "set", what: { is: "notifications", to: "off" } },
    { do: "set", what: { is: "theme", theme: "dark" } },
  ]);
});

test("the theme that was chosen is the window's", async () => {
  const { view } = scene("settings");
  const { show } = await stage({ ...view, settings: { ...view.settings, theme: "dark" } });

  expect(document.documentElement.dataset["theme"]).toBe("dark");
  await show(view);
  expect(document.documentElement.dataset["theme"]).toBeUndefined();
});

test("a port is kept by Enter; what cannot be one is not sent", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(signedIn(warehouse({ is: "idle" })));

  await user.click(byId("settings"));
  await user.clear(byId("port-warehouse"));
  await user.type(byId("port-warehouse"), "80{Enter}");
  expect(byId("port-warehouse").getAttribute("aria-invalid")).toBe("true");
  expect(asked).toEqual([]);
  await user.clear(byId("port-warehouse"));
  await user.type(byId("port-warehouse"), "15999{Enter}");

  expect(asked).toEqual([{ do: "set_port", service: "acme/warehouse", port: 15999 }]);
});

test("a chosen port can be given back", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(scene("settings").view);

  await user.click(byId("settings"));
  await user.clear(byId("port-grafana"));
  await user.keyboard("{Enter}");

  expect(asked).toEqual([{ do: "set_port", service: "acme/grafana", port: null }]);
});

test("a refused port is said beside its field, and can be asked for again", async () => {
  const user = userEvent.setup();
  const { asked, show } = await stage(signedIn(warehouse({ is: "idle" })));
  await user.click(byId("settings"));
  await user.clear(byId("port-warehouse"));
  await user.type(byId("port-warehouse"), "15999{Enter}");

  await show(signedIn({ ...warehouse({ is: "idle" }), port_problem: portTaken }));

  expect(byId("port-refused-warehouse").textContent).toContain("is held by postgres");
  expect(byId("port-warehouse").getAttribute("aria-invalid")).toBe("true");
  expect(byId("port-warehouse")).toHaveProperty("value", "15999");
  await user.type(byId("port-warehouse"), "{Enter}");
  expect(asked).toEqual([15999, 15999].map((port) => ({ do: "set_port", service: "acme/warehouse", port })));
});

test("what is being typed outlives a new view", async () => {
  const user = userEvent.setup();
  const { show } = await stage(signedIn(warehouse({ is: "idle" })));
  await user.click(byId("settings"));
  await user.clear(byId("port-warehouse"));
  await user.type(byId("port-warehouse"), "15");

  await show(signedIn(warehouse({ is: "connecting", step: "asking the outlet" })));

  expect(byId("port-warehouse")).toHaveProperty("value", "15");
});

test("what an organisation has to say is said in the settings too", async () => {
  const user = userEvent.setup();
  const { view } = scene("session-ended");
  await stage(view);

  await user.click(byId("settings"));

  expect(byId("problem-TG-3003").textContent).toContain("Sign in again");
});

test("three services with one trouble are three problems", async () => {
  const problems = ["a", "b", "c"].map((name) => ({ ...portTaken, id: `acme/TG-6001/${name}/` }));
  const { view } = scene("session-ended");
  await stage({ ...view, orgs: view.orgs.map((org) => ({ ...org, problems })) });

  expect(document.querySelectorAll("[data-testid=problem-TG-6001]").length).toBe(3);
});

test("who has joined another organisation goes on where one signs in", async () => {
  const user = userEvent.setup();
  const { show } = await stage(joined(...scene("two-orgs").view.orgs.slice(0, 1)));
  await user.click(byId("settings"));
  await user.click(byId("join-another"));

  await show(scene("two-orgs").view);

  expect(byId("org-beta").textContent).toContain("Sign in");
  expect(document.querySelector("#settings-title")).toBeNull();
});

test("the link for another computer can be copied, and is not shown", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(scene("devices").view);

  await user.click(byId("settings"));
  await user.click(byId("device-link-acme"));

  expect(asked).toEqual([{ do: "copy", what: { is: "device_link", org: "acme" } }]);
});
