/** Form fields that are bound to a place of the working copy: what is typed becomes one step of the history on Enter or when left. */
import { Select, Switch, TextInput } from "@mantine/core";
import { type KeyboardEvent, type ReactNode, useState } from "react";
import { edit, useDraft } from "../../draft/draft";
import { type Edit, type Step, valueAt } from "../../draft/edits";
import { sayFailed } from "../../parts/notices";
import { put } from "./changes";
import { fieldError } from "./diagnostics";
import { textOf } from "./policy";

/** An edit whose failure is said in the corner. */
export function change(edits: readonly Edit[], label: string): void {
  edit(edits, label).catch(sayFailed);
}

/** Text that is being typed over a written one; a new written one, as after an undo, wins. */
export function useTyped(written: string, commit: (text: string) => void) {
  const [typed, setTyped] = useState(written);
  const [seen, setSeen] = useState(written);
  if (seen !== written) {
    setSeen(written);
    setTyped(written);
  }
  const leave = () => {
    if (typed !== written) commit(typed);
  };
  return {
    value: typed,
    onChange: (event: { currentTarget: { value: string } }) => setTyped(event.currentTarget.value),
    onBlur: leave,
    onKeyDown: (event: KeyboardEvent) => {
      if (event.key === "Enter") leave();
      if (event.key === "Escape") setTyped(written);
    },
    autoComplete: "off",
    spellCheck: false,
  };
}

interface FieldProps {
  label: string;
  path: Step[];
  description?: ReactNode;
  placeholder?: string;
  w?: number;
}

/** A number is written as one when `whole` is set and it is one. */
export function TextField({ label, path, whole = false, ...rest }: FieldProps & { whole?: boolean }) {
  const { values, diagnostics } = useDraft();
  const typing = useTyped(textOf(valueAt(values, path)), (typed) => {
    const text = typed.trim();
    const value = text === "" ? null : whole && /^\d{1,9}$/.test(text) ? Number(text) : text;
    change(put(values, path, value), `Set ${label.toLowerCase()}`);
  });
  return <TextInput label={label} error={fieldError(diagnostics, path)} inputMode={whole ? "numeric" : undefined} {...typing} {...rest} />;
}

interface ChoiceFieldProps extends Omit<FieldProps, "placeholder"> {
  /** Value and what it is called; the value "" takes the key out. */
  choices: readonly (readonly [string, string])[];
}

export function ChoiceField({ label, path, choices, description, w }: ChoiceFieldProps) {
  const { values, diagnostics } = useDraft();
  const written = textOf(valueAt(values, path));
  const known = choices.some(([value]) => value === written);
  const data = [...choices.map(([value, title]) => ({ value, label: title })), ...(known ? [] : [{ value: written, label: written }])];
  return (
    <Select
      label={label}
      description={description}
      data={data}
      value={written}
      allowDeselect={false}
      error={fieldError(diagnostics, path)}
      onChange={(value) => change(put(values, path, value || null), `Set ${label.toLowerCase()}`)}
      {...(w === undefined ? {} : { w })}
    />
  );
}

/** A switch that is on unless the document says otherwise. */
export function OnField({ label, path, description }: Omit<FieldProps, "placeholder">) {
  const { values, diagnostics } = useDraft();
  return (
    <Switch
      label={label}
      description={description}
      checked={valueAt(values, path) !== false}
      error={fieldError(diagnostics, path)}
      onChange={(event) => change(put(values, path, event.currentTarget.checked ? null : false), label)}
    />
  );
}
