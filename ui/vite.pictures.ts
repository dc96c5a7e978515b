import { defineConfig } from "vitest/config";

// Apart from the other tests, because these need a browser: `npm run pictures`.
export default defineConfig({
  test: { environment: "node", include: ["tests/pictures/*.test.ts"], testTimeout: 60_000 },
});
