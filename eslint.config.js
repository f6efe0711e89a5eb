import js from "@eslint/js";
import { defineConfig } from "eslint/config";
import globals from "globals";

const strict = {
  ...js.configs.recommended.rules,
  "array-callback-return": "error",
  curly: ["error", "multi-line"],
  eqeqeq: "error",
  "no-implicit-coercion": "error",
  "no-param-reassign": "error",
  "no-self-compare": "error",
  "no-shadow": "error",
  "no-unused-private-class-members": "error",
  "no-use-before-define": ["error", { functions: false, variables: false }],
  "no-useless-rename": "error",
  "no-var": "error",
  "object-shorthand": "error",
  "prefer-const": "error",
  "prefer-template": "error",
};

export default defineConfig([
  { ignores: ["**/vendor/", ".venv/"] },
  { files: ["frontend/assets/lab/**/*.js"], languageOptions: { globals: globals.browser }, rules: strict },
  {
    files: ["frontend/assets/theme.js", "frontend/assets/pages/*.js"],
    languageOptions: { globals: globals.browser, sourceType: "script" },
    rules: strict,
  },
  {
    files: ["tests/frontend/js/**/*.js"],
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    rules: strict,
  },
]);
