/** The cells of the tables: plain inputs with a name of their own for those who do not see the column's head. */
import { MultiSelect, NativeSelect, TextInput } from "@mantine/core";
import { visible } from "../../../parts/format";
import { useTyped } from "../../policies/fields";

interface TextCellProps {
  label: string;
  written: string;
  placeholder?: string;
  width?: number;
  /** Why what is typed cannot be taken; it is then not. */
  problem?: (typed: string) => string | null;
  onCommit: (text: string) => void;
}

export function TextCell({ label, written, placeholder, width = 120, problem = () => null, onCommit }: TextCellProps) {
  const typing = useTyped(written, (text) => {
    if (problem(text.trim()) === null) onCommit(text.trim());
  });
  const error = typing.value === written ? null : problem(typing.value.trim());
  return <TextInput size="xs" miw={width} aria-label={label} placeholder={placeholder} error={error} {...typing} />;
}

interface ChoiceCellProps {
  label: string;
  value: string;
  /** Values, and what they are called where that differs. What is written and not among them is offered, too. */
  choices: readonly (string | readonly [string, string])[];
  empty?: string;
  width?: number;
  onChoose: (value: string) => void;
}

export function ChoiceCell({ label, value, choices, empty, width = 105, onChoose }: ChoiceCellProps) {
  const known = choices.map((choice) => (typeof choice === "string" ? ([choice, visible(choice)] as const) : choice));
  const data = known.map(([each, title]) => ({ value: each, label: title }));
  if (!known.some(([each]) => each === value)) data.unshift({ value, label: value === "" ? (empty ?? "choose") : visible(value) });
  return <NativeSelect size="xs" miw={width} aria-label={label} value={value} data={data} onChange={(event) => onChoose(event.currentTarget.value)} />;
}

interface NamesCellProps {
  label: string;
  value: readonly string[];
  choices: readonly string[];
  onChange: (value: string[]) => void;
}

export function NamesCell({ label, value, choices, onChange }: NamesCellProps) {
  const data = [...new Set([...value, ...choices])].map((name) => ({ value: name, label: visible(name) }));
  return (
    <MultiSelect
      size="xs"
      miw={165}
      aria-label={label}
      placeholder={value.length === 0 ? "none" : undefined}
      value={[...new Set(value)]}
      data={data}
      onChange={onChange}
      limit={100}
      searchable={data.length > 8}
      nothingFoundMessage="Nothing fits"
    />
  );
}
