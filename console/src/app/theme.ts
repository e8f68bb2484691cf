/** Mantine in our own colours: its defaults miss the contrast we promise. */
import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

const blue: MantineColorsTuple = [
  "#eef3ff", "#dbe6fe", "#b8cefc", "#8db2ff", "#6f9dfb", "#4b80f0", "#2f63d6", "#1f4fbf", "#1a439f", "#15377f",
];
const red: MantineColorsTuple = [
  "#fff0ef", "#fde0de", "#fbbfbb", "#ff9d96", "#ee736c", "#d93a32", "#c02a23", "#a8201a", "#8c1813", "#70110d",
];
const slate: MantineColorsTuple = [
  "#f5f7fa", "#e8ecf1", "#d5dbe4", "#b4c0cf", "#8593a6", "#66758a", "#4d5b6d", "#374353", "#232d3a", "#16202e",
];

const night: MantineColorsTuple = [
  "#e8edf4", "#b4c0cf", "#a9b6c6", "#7f8ea2", "#3a4759", "#2b3645", "#171e28", "#121821", "#0f141b", "#0b0f15",
];

export const theme = createTheme({
  primaryColor: "blue",
  primaryShade: { light: 7, dark: 7 },
  colors: { blue, red, gray: slate, dark: night },
  defaultRadius: "md",
  fontFamily: "'Inter Variable', Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', Menlo, monospace",
  headings: { fontWeight: "650", sizes: { h1: { fontSize: "1.5rem" }, h2: { fontSize: "1.15rem" }, h3: { fontSize: "1rem" } } },
  cursorType: "pointer",
  components: {
    Alert: { styles: { body: { minWidth: 0, overflowWrap: "anywhere" } } },
    Tooltip: { defaultProps: { openDelay: 300, withArrow: true } },
    Modal: {
      defaultProps: { centered: true, closeButtonProps: { "aria-label": "Close" } },
      styles: { title: { fontSize: "1.15rem", fontWeight: 650 } },
    },
    Table: { defaultProps: { verticalSpacing: "xs", borderColor: "var(--hf-line)" } },
    Card: { styles: { root: { borderColor: "var(--hf-line)" } } },
    // Without a role its label is not read out.
    Loader: { defaultProps: { role: "status" } },
  },
});

const shared = {
  "--mantine-color-body": "var(--hf-surface)",
  "--mantine-color-text": "var(--hf-text)",
  "--mantine-color-dimmed": "var(--hf-muted)",
  "--mantine-color-placeholder": "var(--hf-muted)",
  "--mantine-color-anchor": "var(--hf-accent)",
  "--mantine-color-default": "var(--hf-surface)",
  "--mantine-color-default-border": "var(--hf-line)",
  "--mantine-color-error": "var(--hf-failed)",
  "--mantine-primary-color-light": "var(--hf-accent-soft)",
  "--mantine-primary-color-light-color": "var(--hf-accent)",
  "--mantine-color-blue-light": "var(--hf-accent-soft)",
  "--mantine-color-blue-light-color": "var(--hf-accent)",
  "--mantine-color-blue-text": "var(--hf-accent)",
  "--mantine-color-blue-outline": "var(--hf-accent)",
  "--mantine-color-red-text": "var(--hf-failed)",
  "--mantine-color-red-light-color": "var(--hf-failed)",
  "--mantine-color-red-outline": "var(--hf-failed)",
  "--mantine-color-yellow-light": "var(--hf-warning-soft)",
  "--mantine-color-yellow-light-color": "var(--hf-warning)",
  "--mantine-color-gray-text": "var(--hf-muted)",
};

export const cssVariables: CSSVariablesResolver = () => ({ variables: {}, light: shared, dark: shared });
