/** Which lines of the log: chosen from what there is, or typed and asked for when Enter is pressed. */
import { Autocomplete, Select, TextInput } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";
import { useLive } from "../../live/store";
import { type LogFilter, SEVERITIES } from "./log";
import classes from "./Log.module.css";

interface FiltersProps {
  filter: LogFilter;
  put: (change: Partial<LogFilter>) => void;
}

type Name = keyof LogFilter;

export function Filters({ filter, put }: FiltersProps) {
  const { nodes, flows } = useLive(({ nodes, flows }) => ({ nodes, flows }));
  const datasets = [...new Set(flows.flatMap((flow) => flow.datasets))].sort();
  const one = (name: Name, label: string, any: string, data: readonly (string | { value: string; label: string })[]) => (
    <Select size="xs" w={138} aria-label={label} placeholder={any} clearable searchable data={[...data]} value={filter[name] || null} onChange={(value) => put({ [name]: value ?? "" })} />
  );
  const typed = (name: Name, label: string, placeholder: string, width = 130) => (
    <Typed key={`${name} ${filter[name]}`} label={label} placeholder={placeholder} width={width} value={filter[name]} onValue={(value) => put({ [name]: value })} />
  );
  return (
    <div className={classes.filters} role="search" aria-label="Which lines">
      {typed("text", "Words", "Words in the line", 190)}
      {one("severity", "Severity", "Any severity", SEVERITIES.map((value) => ({ value, label: value === "error" ? value : `${value} or worse` })))}
      {one("acknowledged", "Acknowledged", "Seen or not", [
        { value: "false", label: "not acknowledged" },
        { value: "true", label: "acknowledged" },
      ])}
      {one("node", "Node", "Any node", [...new Set(nodes.map((node) => node.name))])}
      {one("flow", "Flow", "Any flow", flows.map((flow) => flow.name))}
      <Typed key={`dataset ${filter.dataset}`} label="Dataset" placeholder="Any dataset" width={160} value={filter.dataset} data={datasets} onValue={(dataset) => put({ dataset })} />
      {typed("job", "Job", "Any job")}
      {typed("tag", "Tag", "Any tag")}
      {typed("code", "Code", "Any code")}
      {typed("session", "Session", "Any session")}
      {typed("since", "Since", "Since: 7d, a time")}
      {typed("until", "Until", "Until: 1d, a time")}
    </div>
  );
}

interface TypedProps {
  label: string;
  placeholder: string;
  width: number;
  value: string;
  data?: readonly string[];
  onValue: (value: string) => void;
}

/** Asked for when it is chosen, left or Enter is pressed, not at each letter: the Master wants whole names and times. */
function Typed({ label, placeholder, width, value, data, onValue }: TypedProps) {
  const [typed, setTyped] = useState(value);
  const tell = () => {
    if (typed.trim() !== value) onValue(typed.trim());
  };
  const shared = {
    size: "xs",
    w: width,
    "aria-label": label,
    placeholder,
    value: typed,
    onBlur: tell,
    onKeyDown: (event: { key: string }) => {
      if (event.key === "Enter") tell();
    },
  } as const;
  if (data) return <Autocomplete {...shared} data={[...data]} limit={20} onChange={setTyped} onOptionSubmit={onValue} clearable />;
  return <TextInput {...shared} leftSection={label === "Words" ? <IconSearch size={14} aria-hidden /> : undefined} onChange={(event) => setTyped(event.currentTarget.value)} />;
}
