// Bundles the four scripts into dist/, or with --test the tests into .build/. Same input, same bytes. With --tune, looks for
// shorter names first.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { minify } from "terser";
import { ownNames } from "./names.mjs";
import { tune } from "./tune.mjs";

// The oldest browsers that have all that the client uses (`??=`, `at`, static imports of nothing).
const target = ["chrome100", "firefox100", "safari15.4"];

/** What is unsafe here is so for code that shadows the language's own or tells `true` from `1`, which ours does not. */
const compress = {
  passes: 4,
  inline: 1,
  lhs_constants: false,
  sequences: false,
  booleans_as_integers: true,
  pure_getters: true,
  unsafe: true,
  unsafe_arrows: true,
  unsafe_comps: true,
  unsafe_math: true,
  unsafe_methods: true,
  unsafe_undefined: true,
};

async function bundle(name, entry, format, names) {
  writeFileSync(`dist/${name}`, await minified(entry, format, names));
}

async function minified(entry, format, names) {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    format,
    target,
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
    // What terser does, too, and not always as short.
    minifySyntax: true,
    write: false,
  });
  // esbuild bundles, terser minifies: it inlines what is called once, which esbuild does not, which is worth 5 % of the
  // budget. Names that only our own types know are shortened, for another 5 %.
  const nameCache = { props: { props: names?.short ?? {} } };
  const { code } = await minify(outputFiles[0].text, {
    ecma: 2020,
    module: true,
    toplevel: true,
    compress,
    mangle: names ? { properties: { regex: names.own, builtins: true } } : true,
    nameCache,
  });
  // With those that terser chose itself.
  if (names) names.short = nameCache.props.props;
  return `${code}\n`;
}

async function tests() {
  rmSync(".build", { recursive: true, force: true });
  await build({
    entryPoints: readdirSync("test").filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`),
    bundle: true,
    platform: "node",
    format: "esm",
    outdir: ".build",
    outExtension: { ".js": ".mjs" },
    sourcemap: "inline",
    logLevel: "warning",
  });
}

if (process.argv.includes("--test")) {
  await tests();
} else {
  mkdirSync("dist", { recursive: true });
  if (process.argv.includes("--tune")) await tune(ownNames("src"), (names) => minified("src/main.ts", "iife", names));
  await bundle("client.js", "src/main.ts", "iife", ownNames("src"));
  await bundle("sw.js", "src/worker/sw.ts", "iife", ownNames("src/worker", "src/worker/tsconfig.json"));
  await bundle("panel.js", "src/panel.ts", "esm");
  await bundle("notice.js", "src/notice.ts", "iife");
}
