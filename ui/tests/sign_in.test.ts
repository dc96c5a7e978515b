import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { scene, signedOut, signingIn } from "./gallery";
import { byId, maybeById, stage } from "./stage";

test("signs in by the keyboard alone", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(signedOut);

  await user.tab();
  expect(document.activeElement).toBe(byId("sign-in"));
  await user.keyboard("{Enter}");

  expect(asked).toEqual([{ do: "sign_in", org: "acme" }]);
});

test("names the step, offers the address, and can be cancelled", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(signingIn);

  expect(byId("sign-in-step").textContent?.trim()).toBe("Waiting for you in the browser");
  expect(byId("sign-in-url").textContent).toEqual(expect.stringContaining("https://acme.okta.example/"));
  await user.click(byId("sign-in-copy"));
  await user.click(byId("sign-in-open"));
  await user.click(byId("sign-in-cancel"));

  expect(asked).toEqual([
    { do: "copy", what: { is: "sign_in_url", org: "acme" } },
    { do: "open_sign_in_page", org: "acme" },
    { do: "cancel_sign_in", org: "acme" },
  ]);
});

test("after a minute it says what may be wrong, and offers a code", async () => {
  const user = userEvent.setup();
  const { asked, show } = await stage(signingIn);

  expect(maybeById("likely")).toBeNull();
  await show(scene("signing-in-late").view);

  expect(byId("likely").textContent).toContain("allow 127.0.0.1");
  expect(byId("said").textContent).toContain("has not come back");
  await user.click(byId("sign-in-with-code"));
  expect(asked).toEqual([{ do: "sign_in_with_code", org: "acme" }]);
});

test("a code is shown with the place to type it", async () => {
  await stage(scene("signing-in-code").view);

  expect(byId("code").textContent).toBe("WDJB-MJHT");
  expect(byId("code-address").textContent).toBe("https://acme.okta.example/activate");
});

test("a session that ends soon is renewed with one click, and what is connected stays in sight", async () => {
  const user = userEvent.setup();
  const { asked, show } = await stage(scene("session-ends-soon").view);

  await user.click(byId("sign-in-again"));
  await show(scene("signing-in-again").view);

  expect(asked).toEqual([{ do: "sign_in", org: "acme" }]);
  expect(byId("state-warehouse").dataset["state"]).toBe("connected");
  expect(byId("sign-in-step").textContent?.trim()).toBe("Waiting for you in the browser");
  expect(byId("said").textContent).toContain("Waiting for you in the browser.");
  expect(maybeById("sign-in-again")).toBeNull();
  await user.click(byId("sign-in-cancel"));
  expect(asked).toContainEqual({ do: "cancel_sign_in", org: "acme" });
});
