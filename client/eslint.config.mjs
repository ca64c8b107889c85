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
    },
  },
);
