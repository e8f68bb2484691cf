/** Go to, find, do: everything that has a name, from the keyboard. */
import { Modal, Text, TextInput, UnstyledButton } from "@mantine/core";
import { IconAffiliate, IconCalendarTime, IconDatabase, IconPlayerPlay, IconSearch, IconServer2, IconShieldCheck } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import { useLocation } from "wouter";
import { useStatus } from "../api/queries";
import { useMay } from "../api/rights";
import { runNow } from "../api/trigger";
import { useLive } from "../live/store";
import { useDraft } from "../draft/draft";
import { mappingAt } from "../draft/edits";
import { sayDone, sayFailed } from "../parts/notices";
import { useChoosing } from "../parts/useChoosing";
import { type Place, placesFor, to } from "./places";
import classes from "./Palette.module.css";

interface Entry {
  id: string;
  title: string;
  kind: string;
  words: string;
  icon: Place["icon"];
  run: (go: (path: string) => void) => void;
}

const MOST = 60;

export function Palette({ onClose }: { onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const [, go] = useLocation();
  const entries = useEntries(typed);
  const found = useMemo(() => matching(entries, typed), [entries, typed]);
  const run = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    entry.run(go);
  };
  const { toFirst, field, list, option } = useChoosing(found, run);

  return (
    <Modal
      opened
      onClose={onClose}
      withCloseButton={false}
      size="lg"
      yOffset="12vh"
      centered={false}
      padding={0}
      attributes={{ content: { "aria-label": "Go to, find, do" } }}
    >
      <TextInput
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          toFirst();
        }}
        {...field}
        placeholder="A screen, flow, policy, node, repository or file name"
        aria-label="Go to, find, do"
        leftSection={<IconSearch size={18} aria-hidden />}
        size="md"
        variant="unstyled"
        className={classes.input}
        data-autofocus
      />
      <div {...list} aria-label="Results" className={classes.list}>
        {found.map((entry) => (
          <UnstyledButton key={entry.id} {...option(entry)} className={classes.entry}>
            <entry.icon size={18} stroke={1.7} aria-hidden />
            <span className={classes.title}>{entry.title}</span>
            <Text size="xs" c="dimmed">
              {entry.kind}
            </Text>
          </UnstyledButton>
        ))}
        {found.length === 0 && (
          <Text c="dimmed" p="md" size="sm">
            Nothing has that name.
          </Text>
        )}
      </div>
    </Modal>
  );
}

function useEntries(typed: string): Entry[] {
  const flows = useLive((live) => live.flows);
  const nodes = useLive((live) => live.nodes);
  const draft = useDraft();
  const status = useStatus();
  const may = useMay();
  return useMemo(() => {
    const entries: Entry[] = placesFor(may).map((place) => ({
      id: `place${place.path}`,
      title: place.title,
      kind: "screen",
      words: place.words,
      icon: place.icon,
      run: (go) => go(place.path),
    }));
    const add = (kind: string, name: string, icon: Place["icon"], path: string) =>
      entries.push({ id: `${kind}/${name}`, title: name, kind, words: "", icon, run: (go) => go(path) });
    // Also those that are not saved yet.
    for (const name of new Set([...flows.map((flow) => flow.name), ...Object.keys(mappingAt(draft.values, ["flows"]))]))
      add("flow", name, IconAffiliate, to.flow(name));
    for (const flow of flows) {
      if ((flow.state === "active" || flow.state === "changed") && may("flows.trigger"))
        entries.push({
          id: `run/${flow.name}`,
          title: `Run ${flow.name} now`,
          kind: "action",
          words: "trigger start",
          icon: IconPlayerPlay,
          run: () => void trigger(flow.name),
        });
    }
    for (const name of Object.keys(mappingAt(draft.values, ["policies"]))) add("policy", name, IconShieldCheck, to.policy(name));
    for (const name of Object.keys(mappingAt(draft.values, ["schedules"]))) add("schedule", name, IconCalendarTime, to.schedule(name));
    for (const node of nodes) if (node.state !== "revoked") add("node", node.name, IconServer2, to.node(node.name));
    for (const each of status.data?.repositories ?? []) add("repository", each.name, IconDatabase, to.repository(each.name));
    if (typed.trim() && may("data.read"))
      entries.push({
        id: "find",
        title: `Find files named “${typed.trim()}”`,
        kind: "search in all points",
        words: typed,
        icon: IconSearch,
        run: (go) => go(to.restore({ q: typed.trim() })),
      });
    return entries;
  }, [flows, nodes, draft.values, status.data, typed, may]);
}

async function trigger(flow: string): Promise<void> {
  try {
    await runNow(flow);
    sayDone(`${flow} runs now.`);
  } catch (error) {
    sayFailed(error);
  }
}

/** Every typed word must be in it; names that begin so come first. */
function matching(entries: readonly Entry[], typed: string): Entry[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const first = words[0] ?? "";
  return entries
    .filter((entry) => words.every((word) => `${entry.title} ${entry.kind} ${entry.words}`.toLowerCase().includes(word)))
    .sort((a, b) => Number(b.title.toLowerCase().startsWith(first)) - Number(a.title.toLowerCase().startsWith(first)))
    .slice(0, MOST);
}
