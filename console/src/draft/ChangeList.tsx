/** What differs between two documents, part by part. */
import { Text, UnstyledButton } from "@mantine/core";
import { IconCircleMinus, IconCirclePlus, IconPencil } from "@tabler/icons-react";
import { useState } from "react";
import { formatCount, visible } from "../parts/format";
import classes from "./ChangeList.module.css";
import type { DocumentChange } from "./draft";

const ICONS = { added: IconCirclePlus, changed: IconPencil, removed: IconCircleMinus };
const SHOWN = 30;

export function ChangeList({ changes, none = "Nothing." }: { changes: readonly DocumentChange[]; none?: string }) {
  const [isAll, setAll] = useState(false);
  if (changes.length === 0)
    return (
      <Text size="sm" c="dimmed">
        {none}
      </Text>
    );
  return (
    <>
      <ul className={classes.list}>
        {(isAll ? changes : changes.slice(0, SHOWN)).map((change) => (
          <Item key={`${change.kind} ${change.what} ${change.name}`} change={change} />
        ))}
      </ul>
      {changes.length > SHOWN && !isAll && (
        <UnstyledButton mih={24} c="var(--hf-accent)" fz="sm" onClick={() => setAll(true)}>
          Show all {formatCount(changes.length)}
        </UnstyledButton>
      )}
    </>
  );
}

function Item({ change: { kind, what, name, details } }: { change: DocumentChange }) {
  const Icon = ICONS[kind];
  return (
    <li className={classes.item}>
      <span className={classes.what} data-kind={kind}>
        <Icon size={16} aria-hidden />
        <span>
          {kind} {what} <b>{visible(name)}</b>
        </span>
      </span>
      {(details ?? []).length > 0 && (
        <ul className={classes.details}>
          {(details ?? []).map((detail) => (
            <li key={detail}>{visible(detail)}</li>
          ))}
        </ul>
      )}
    </li>
  );
}
