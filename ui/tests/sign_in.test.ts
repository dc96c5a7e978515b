import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { byId, signedOut, signingIn, stage } from "./stage";

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
  expect(byId("sign-in-url").textContent).toBe("https://acme.okta.example/authorize?state=1");
  await user.click(byId("sign-in-copy"));
  await user.click(byId("sign-in-open"));
  await user.click(byId("sign-in-cancel"));

  expect(asked).toEqual([
    { do: "copy", what: { is: "sign_in_url", org: "acme" } },
    { do: "open_sign_in_page", org: "acme" },
    { do: "cancel_sign_in", org: "acme" },
  ]);
});
