// Bundles the three scripts into dist/, or with --test the tests into .build/. Same input, same bytes.
import { readdirSync, rmSync } from "node:fs";
import { build } from "esbuild";

// The oldest browsers with everything the client needs: private class members are not used, `??=` and `at` are.
const target = ["chrome100", "firefox100", "safari15.4"];
const shared = { bundle: true, minify: true, target, charset: "utf8", legalComments: "none", logLevel: "warning" };

if (process.argv.includes("--test")) {
  rmSync(".build", { recursive: true, force: true });
  const tests = readdirSync("test").filter((name) => name.endsWith(".test.ts"));
  await build({
    entryPoints: tests.map((name) => `test/${name}`),
    bundle: true,
    platform: "node",
    format: "esm",
    outdir: ".build",
    outExtension: { ".js": ".mjs" },
    sourcemap: "inline",
    logLevel: "warning",
  });
} else {
  await Promise.all([
    build({ ...shared, entryPoints: { client: "src/main.ts" }, outdir: "dist", format: "iife" }),
    build({ ...shared, entryPoints: { sw: "src/worker/sw.ts" }, outdir: "dist", format: "iife" }),
    build({ ...shared, entryPoints: { panel: "src/panel.ts" }, outdir: "dist", format: "esm" }),
  ]);
}
