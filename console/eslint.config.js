import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["src/api/schema.d.ts", "node_modules"] },
  ...tseslint.configs.recommended,
  { plugins: { "react-hooks": reactHooks }, rules: { "react-hooks/rules-of-hooks": "error", "react-hooks/exhaustive-deps": "error" } },
  {
    files: ["src/**/*.{ts,tsx}"],
    ignores: ["src/**/*.test.*", "src/api/schema.d.ts"],
    rules: { "max-lines": ["error", { max: 250 }], "max-params": ["error", 6] },
  },
  {
    // Names of files, nodes and flows are never markup.
    rules: {
      "no-restricted-syntax": [
        "error",
        { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: "names are never markup" },
        { selector: "MemberExpression[property.name='innerHTML']", message: "names are never markup" },
      ],
    },
  },
);
