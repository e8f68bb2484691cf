/** What can be added, at the left of the drawing: drag it there, or click it. */
import { Text, TextInput, Tooltip, UnstyledButton } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import { formatCount } from "../../parts/format";
import { type Addable, carryOff, matching } from "./addables";
import type { NewThing } from "./changes";
import classes from "./draw.module.css";
import { KIND_ICONS } from "./VertexNode";

const MOST = 30;
const SECTIONS = ["New", "Nodes", "Groups", "Repositories"] as const;

export function AddPanel({ entries, onAdd }: { entries: readonly Addable[]; onAdd: (thing: NewThing) => void }) {
  const [typed, setTyped] = useState("");
  const found = useMemo(() => matching(entries, typed), [entries, typed]);
  return (
    <div className={classes.add} role="region" aria-label="Add to the drawing">
      <TextInput
        size="xs"
        aria-label="Search what to add"
        placeholder="Search"
        leftSection={<IconSearch size={14} aria-hidden />}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        autoComplete="off"
      />
      {SECTIONS.map((section) => (
        <Section key={section} title={section} entries={found.filter((entry) => entry.section === section)} onAdd={onAdd} />
      ))}
      {found.length === 0 && (
        <Text size="sm" c="dimmed">
          Nothing has that name. A new node joins under Nodes.
        </Text>
      )}
    </div>
  );
}

function Section({ title, entries, onAdd }: { title: string; entries: readonly Addable[]; onAdd: (thing: NewThing) => void }) {
  if (entries.length === 0) return null;
  return (
    <section aria-label={title}>
      <h2 className={classes.addTitle}>{title}</h2>
      {entries.slice(0, MOST).map((entry) => (
        <Entry key={entry.id} entry={entry} onAdd={onAdd} />
      ))}
      {entries.length > MOST && (
        <Text size="xs" c="dimmed" px={6}>
          and {formatCount(entries.length - MOST)} more: search for them
        </Text>
      )}
    </section>
  );
}

function Entry({ entry, onAdd }: { entry: Addable; onAdd: (thing: NewThing) => void }) {
  const Icon = KIND_ICONS[entry.kind];
  return (
    <Tooltip label={entry.detail} position="right">
      <UnstyledButton
        className={classes.addEntry}
        data-kind={entry.kind}
        draggable
        onDragStart={(event) => carryOff(event.dataTransfer, entry)}
        onClick={() => onAdd(entry)}
      >
        <Icon size={17} stroke={1.8} aria-hidden />
        <span className={classes.clip}>{entry.title}</span>
      </UnstyledButton>
    </Tooltip>
  );
}
