import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
  { ignores: ["dist/", ".build/", "**/*.mjs"] },
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { project: ["tsconfig.json", "src/worker/tsconfig.json", "test/tsconfig.json"] },
    },
    rules: {
      // Numbers in texts are the rule here, not the mistake.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      // With `noUncheckedIndexedAccess`, `!` is how an index that is in range says so.
      "@typescript-eslint/no-non-null-assertion": "off",
      // node's runner awaits its tests itself.
      "@typescript-eslint/no-floating-promises": ["error", { allowForKnownSafeCalls: [{ from: "package", name: "test", package: "node:test" }] }],
    },
  },
);
