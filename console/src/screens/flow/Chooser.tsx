/** Choose one of a list by typing a part of its name: for the keyboard first. */
import { Modal, Text, TextInput, UnstyledButton } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import { matching } from "./addables";
import type { VertexKind } from "./drawing";
import classes from "./draw.module.css";
import { KIND_ICONS } from "./VertexNode";

export interface Choice {
  id: string;
  title: string;
  detail: string;
  kind: VertexKind;
}

interface ChooserProps<C extends Choice> {
  title: string;
  choices: readonly C[];
  empty: string;
  onChoose: (choice: C) => void;
  onClose: () => void;
}

const MOST = 60;

export function Chooser<C extends Choice>({ title, choices, empty, onChoose, onClose }: ChooserProps<C>) {
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const listId = useId();
  const found = useMemo(() => matching(choices, typed).slice(0, MOST), [choices, typed]);
  const current = found[Math.min(at, found.length - 1)];
  useEffect(() => {
    if (current) document.getElementById(`${listId}-${current.id}`)?.scrollIntoView({ block: "nearest" });
  }, [current, listId]);

  // One who changed their mind goes on where they were.
  const before = useRef(document.activeElement);
  const leave = () => {
    onClose();
    requestAnimationFrame(() => (before.current as HTMLElement | SVGElement | null)?.focus());
  };
  const choose = (choice: C | undefined) => {
    if (!choice) return;
    onClose();
    onChoose(choice);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") setAt(Math.min(found.length - 1, at + 1));
    else if (event.key === "ArrowUp") setAt(Math.max(0, at - 1));
    else if (event.key === "Enter") choose(current);
    else return;
    event.preventDefault();
  };
  return (
    <Modal opened onClose={leave} title={title} yOffset="14vh" centered={false} returnFocus={false}>
      <TextInput
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
        aria-label={title}
        placeholder="Type a part of the name"
        role="combobox"
        aria-expanded
        aria-controls={listId}
        aria-activedescendant={current ? `${listId}-${current.id}` : undefined}
        leftSection={<IconSearch size={16} aria-hidden />}
        autoComplete="off"
        data-autofocus
      />
      <div id={listId} role="listbox" aria-label={title} className={classes.choices}>
        {found.map((choice) => {
          const Icon = KIND_ICONS[choice.kind];
          return (
            <UnstyledButton
              key={choice.id}
              id={`${listId}-${choice.id}`}
              role="option"
              tabIndex={-1}
              aria-selected={choice === current}
              className={classes.choice}
              data-kind={choice.kind}
              onClick={() => choose(choice)}
            >
              <Icon size={18} stroke={1.8} aria-hidden />
              <span className={classes.choiceTitle}>{choice.title}</span>
              <Text size="xs" c="dimmed" className={classes.clip}>
                {choice.detail}
              </Text>
            </UnstyledButton>
          );
        })}
      </div>
      {found.length === 0 && (
        <Text size="sm" c="dimmed" pt="sm">
          {choices.length === 0 ? empty : "Nothing has that name."}
        </Text>
      )}
    </Modal>
  );
}
