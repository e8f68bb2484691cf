/** Choose one of a list by typing a part of its name: for the keyboard first. */
import { Modal, Text, TextInput, UnstyledButton } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useMemo, useRef, useState } from "react";
import { useChoosing } from "../../parts/useChoosing";
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
  const found = useMemo(() => matching(choices, typed).slice(0, MOST), [choices, typed]);

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
  const { toFirst, field, list, option } = useChoosing(found, choose);
  return (
    <Modal opened onClose={leave} title={title} yOffset="14vh" centered={false} returnFocus={false}>
      <TextInput
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          toFirst();
        }}
        {...field}
        aria-label={title}
        placeholder="Type a part of the name"
        leftSection={<IconSearch size={16} aria-hidden />}
        autoComplete="off"
        data-autofocus
      />
      <div {...list} aria-label={title} className={classes.choices}>
        {found.map((choice) => {
          const Icon = KIND_ICONS[choice.kind];
          return (
            <UnstyledButton key={choice.id} {...option(choice)} className={classes.choice} data-kind={choice.kind}>
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
