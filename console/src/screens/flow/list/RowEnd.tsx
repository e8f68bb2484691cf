/** The end of a row: what is wrong with it, in words, and the way to take it out. */
import { ActionIcon, Tooltip } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import type { Diagnostic } from "../../../draft/draft";
import { sentence, visible } from "../../../parts/format";
import { State } from "../../../parts/State";
import classes from "./list.module.css";

export function RemoveRow({ name, onRemove }: { name: string; onRemove: () => void }) {
  const label = `Remove ${visible(name)}`;
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" size={30} aria-label={label} onClick={onRemove}>
        <IconTrash size={17} />
      </ActionIcon>
    </Tooltip>
  );
}

/** A row of its own below; nothing when nothing is wrong. */
export function RowProblems({ problems, columns }: { problems: readonly Diagnostic[]; columns: number }) {
  if (problems.length === 0) return null;
  return (
    <tr>
      <td colSpan={columns} style={{ borderTop: 0, paddingTop: 0 }}>
        {problems.slice(0, 3).map((problem, index) => (
          <span key={index} className={classes.problem}>
            <State state={problem.level === "error" ? "failed" : "warning"} label={sentence(visible(problem.message))} quiet />
          </span>
        ))}
      </td>
    </tr>
  );
}
