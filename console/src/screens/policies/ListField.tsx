/** A list of texts of the working copy, one row each: change, remove, add, each one step of the history. */
import { ActionIcon, Group, Input, Stack, TextInput, Tooltip } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { type ReactNode, useId, useState } from "react";
import { useDraft } from "../../draft/draft";
import { remove, set, type Step, valueAt } from "../../draft/edits";
import { diagnosticsIn, fieldError } from "./diagnostics";
import classes from "./policies.module.css";
import { textsOf } from "./policy";
import { change, useTyped } from "./fields";

interface ListFieldProps {
  label: string;
  /** What one of it is called, like `pattern`. */
  item: string;
  path: Step[];
  description?: ReactNode;
  placeholder?: string;
  /** The last one may go too, and the key with it. */
  optional?: boolean;
  /** Beside the field for a new one, like a button that looks for one. */
  extra?: ReactNode;
  /** At most so many pixels wide. */
  maw?: number;
}

export function ListField({ label, item, path, description, placeholder, optional = true, extra, maw }: ListFieldProps) {
  const { values, diagnostics } = useDraft();
  const id = useId();
  const items = textsOf(valueAt(values, path));
  const inRows = items.flatMap((_, index) => diagnosticsIn(diagnostics, [...path, index]));
  const own = diagnosticsIn(diagnostics, path).filter((each) => !inRows.includes(each));
  const drop = (index: number) =>
    change([items.length === 1 && optional ? remove(path) : remove([...path, index])], `Remove ${item} ${items[index]}`);
  return (
    <div role="group" aria-labelledby={id} style={{ maxWidth: maw }}>
      <Input.Label component="div" id={id} labelElement="div">
        {label}
      </Input.Label>
      {description && <Input.Description>{description}</Input.Description>}
      <Stack gap={6} mt={6}>
        {items.map((text, index) => (
          <Row key={index} text={text} index={index} item={item} path={path} onRemove={() => drop(index)} />
        ))}
        <Group gap="xs" wrap="nowrap">
          <NewRow item={item} path={path} placeholder={placeholder} isNext={!optional && items.length === 0} />
          {extra}
        </Group>
        {own.length > 0 && <Input.Error>{fieldError(own, path)}</Input.Error>}
      </Stack>
    </div>
  );
}

interface RowProps {
  text: string;
  index: number;
  item: string;
  path: Step[];
  onRemove: () => void;
}

function Row({ text, index, item, path, onRemove }: RowProps) {
  const { diagnostics } = useDraft();
  const typing = useTyped(text, (typed) =>
    typed === "" ? onRemove() : change([set([...path, index], typed)], `Change ${item} ${text}`),
  );
  return (
    <Group gap={6} wrap="nowrap" align="flex-start">
      <TextInput
        className={classes.grow}
        classNames={{ input: classes.mono! }}
        aria-label={`${item} ${index + 1}`}
        error={fieldError(diagnostics, [...path, index])}
        {...typing}
      />
      <Tooltip label={`Remove ${item} ${index + 1}`}>
        <ActionIcon variant="subtle" color="gray" size={36} onClick={onRemove} aria-label={`Remove ${item} ${index + 1}`}>
          <IconX size={16} aria-hidden />
        </ActionIcon>
      </Tooltip>
    </Group>
  );
}

interface NewRowProps {
  item: string;
  path: Step[];
  placeholder: string | undefined;
  /** It is what is to be filled in first. */
  isNext: boolean;
}

function NewRow({ item, path, placeholder, isNext }: NewRowProps) {
  const { values } = useDraft();
  const [typed, setTyped] = useState("");
  const add = () => {
    if (typed === "") return;
    change(addItem(textsOf(valueAt(values, path)), path, typed), `Add ${item} ${typed}`);
    setTyped("");
  };
  return (
    <TextInput
      className={classes.grow}
      classNames={{ input: classes.mono! }}
      aria-label={`Add ${item}`}
      autoFocus={isNext}
      placeholder={placeholder ?? `Add a ${item}`}
      value={typed}
      onChange={(event) => setTyped(event.currentTarget.value)}
      onBlur={add}
      onKeyDown={(event) => {
        if (event.key === "Enter") add();
        if (event.key === "Escape") setTyped("");
      }}
      leftSection={<IconPlus size={16} aria-hidden />}
      autoComplete="off"
      spellCheck={false}
    />
  );
}

/** Behind the last one; the list is made when there is none. */
export const addItem = (items: readonly string[], path: Step[], text: string) => [
  items.length === 0 ? set(path, [text]) : set([...path, items.length], text),
];
