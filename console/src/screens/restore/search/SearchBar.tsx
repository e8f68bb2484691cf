/** The words that are searched for, and what else to go by: each filter a chip that can be taken away. All of it stands in the address. */
import { Button, Group, Menu, Pill, Select, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconFilterPlus, IconSearch } from "@tabler/icons-react";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import classes from "../Restore.module.css";
import { chipOf, type Filter, type FilterKind, FILTERS, type Filters, isAsked, KINDS } from "./asking";

const TYPING_MS = 200;

interface SearchBarProps {
  q: string;
  filters: Filters;
  /** Typing replaces the address, so that going back leaves the search. */
  onChange: (change: Partial<Record<"q" | Filter, string>>) => void;
  /** The arrow down leads to what was found. */
  onDown: () => void;
}

export function SearchBar({ q, filters, onChange, onDown }: SearchBarProps) {
  const [typed, setTyped] = useState(q);
  const said = useRef(q);
  const say = useDebouncedCallback((words: string) => {
    said.current = words;
    onChange({ q: words });
  }, TYPING_MS);
  useEffect(() => {
    // Not what was typed here a moment ago: that must not come back over what is typed now.
    if (q !== said.current) {
      said.current = q;
      setTyped(q);
    }
  }, [q]);
  const clear = () => {
    said.current = "";
    setTyped("");
    onChange({ q: "", ...Object.fromEntries(FILTERS.map((name) => [name, ""])) });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") onDown();
    else if (event.key === "Escape" && isAsked(typed, filters)) clear();
    else return;
    event.preventDefault();
  };
  return (
    <div className={classes.search} role="search">
      <TextInput
        label="Search over all time"
        placeholder="A part of a name, letter*.odt, or a part of a path like 2025/plan"
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          say(event.currentTarget.value.trim());
        }}
        onKeyDown={onKeyDown}
        leftSection={<IconSearch size={16} aria-hidden />}
        className={classes.searchInput}
      />
      <AddFilter onAdd={(name, value) => onChange({ [name]: value })} />
      {isAsked(q, filters) && (
        <Button variant="default" onClick={clear}>
          Back to folders
        </Button>
      )}
      <Chips filters={filters} onRemove={(name) => onChange({ [name]: "" })} />
    </div>
  );
}

function Chips({ filters, onRemove }: { filters: Filters; onRemove: (name: Filter) => void }) {
  const given = FILTERS.filter((name) => filters[name]);
  if (given.length === 0) return null;
  return (
    <Pill.Group className={classes.chips} role="group" aria-label="Filters">
      {given.map((name) => (
        <Pill
          key={name}
          size="md"
          withRemoveButton
          onRemove={() => onRemove(name)}
          removeButtonProps={{ "aria-label": `Remove filter ${chipOf(name, filters[name])}`, "aria-hidden": false, tabIndex: 0 }}
        >
          {chipOf(name, filters[name])}
        </Pill>
      ))}
    </Pill.Group>
  );
}

function AddFilter({ onAdd }: { onAdd: (name: Filter, value: string) => void }) {
  const [kind, setKind] = useState<FilterKind | null>(null);
  const add = (value: string) => {
    setKind(null);
    if (kind && value) onAdd(kind.name, value);
  };
  if (kind) return <ValueForm kind={kind} onValue={add} />;
  return (
    <Menu position="bottom-start">
      <Menu.Target>
        <Button variant="default" leftSection={<IconFilterPlus size={16} aria-hidden />}>
          Add filter
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {KINDS.map((each) => (
          <Menu.Item key={each.name} onClick={() => setKind(each)}>
            {each.title}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

/** Stands where the button was until a value is given; Escape gives none. */
function ValueForm({ kind, onValue }: { kind: FilterKind; onValue: (value: string) => void }) {
  const [value, setValue] = useState("");
  const onKeyDown = (event: KeyboardEvent) => event.key === "Escape" && onValue("");
  if (kind.choices)
    return (
      <Select
        label={kind.title}
        placeholder="Choose"
        data={kind.choices.map(([choice, label]) => ({ value: choice, label }))}
        onChange={(chosen) => onValue(chosen ?? "")}
        onKeyDown={onKeyDown}
        autoFocus
      />
    );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onValue(value.trim());
      }}
    >
      <Group align="flex-end" gap="xs">
        <TextInput
          label={kind.title}
          placeholder={kind.placeholder ?? ""}
          value={value}
          onChange={(event) => setValue(event.currentTarget.value)}
          onKeyDown={onKeyDown}
          autoFocus
        />
        <Button type="submit">Add</Button>
      </Group>
    </form>
  );
}
