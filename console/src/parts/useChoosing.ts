/** A field to type into and a list below it: arrows go along the list, Enter takes what is chosen. */
import { type KeyboardEvent, useEffect, useId, useState } from "react";

/** `onTake` gets what is chosen; nothing where nothing was found. */
export function useChoosing<T extends { id: string }>(found: readonly T[], onTake: (item: T | undefined) => void) {
  const [at, setAt] = useState(0);
  const listId = useId();
  const current = found[Math.min(at, found.length - 1)];
  const idOf = (item: T) => `${listId}-${item.id}`;
  useEffect(() => {
    if (current) document.getElementById(`${listId}-${current.id}`)?.scrollIntoView({ block: "nearest" });
  }, [current, listId]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") setAt(Math.min(found.length - 1, at + 1));
    else if (event.key === "ArrowUp") setAt(Math.max(0, at - 1));
    else if (event.key === "Enter") onTake(current);
    else return;
    event.preventDefault();
  };
  return {
    toFirst: () => setAt(0),
    field: {
      onKeyDown,
      role: "combobox",
      "aria-expanded": true,
      "aria-controls": listId,
      "aria-activedescendant": current && idOf(current),
    },
    list: { id: listId, role: "listbox" },
    option: (item: T) => ({ id: idOf(item), role: "option", tabIndex: -1, "aria-selected": item === current, onClick: () => onTake(item) }),
  };
}
