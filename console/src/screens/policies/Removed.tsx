/** What becomes of files at a mirror that the source has removed. */
import { Select, Stack, TextInput } from "@mantine/core";
import { useDraft } from "../../draft/draft";
import { isMapping, set } from "../../draft/edits";
import { fieldError } from "./diagnostics";
import { change, useTyped } from "./fields";
import { type Operation, textOf } from "./policy";

const WAYS = [
  { value: "while", label: "stay for a while" },
  { value: "keep", label: "stay for ever" },
  { value: "follow", label: "go at once" },
];
const EXPLAINED: Record<string, string> = {
  while: "Put aside on the mirror's node, and cleared when their time is over.",
  keep: "Put aside on the mirror's node. They take room until somebody clears them.",
  follow: "The mirror is always as the source is now. A file removed by mistake is gone here too.",
};

export function Removed({ policy, operation }: { policy: string; operation: Operation }) {
  const { diagnostics } = useDraft();
  const path = ["policies", policy, "operations", operation.name, "removed"];
  const { removed } = operation.fields;
  const text = isMapping(removed) ? `keep ${textOf(removed.keep)}` : textOf(removed) || "keep 7d";
  const way = text === "follow" || text.trim() === "keep" ? text.trim() : "while";
  const put = (value: string) => change([set(path, value)], "Change what becomes of removed files");
  const typing = useTyped(way === "while" ? text.replace(/^keep\s+/, "") : "", (typed) => put(`keep ${typed.trim()}`.trim()));
  const error = fieldError(diagnostics, path);
  return (
    <Stack gap="sm">
      <Select
        label="Removed files"
        description={EXPLAINED[way]}
        data={WAYS}
        value={way}
        allowDeselect={false}
        error={way === "while" ? undefined : error}
        onChange={(chosen) => put(chosen === "while" ? "keep 30d" : chosen === "keep" ? "keep" : "follow")}
      />
      {way === "while" && <TextInput label="For" placeholder="30d" error={error} {...typing} />}
    </Stack>
  );
}
