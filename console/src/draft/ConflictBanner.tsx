/** Says that somebody saved while one was editing, and leads to the dialog in which the two become one. For every screen that edits. */
import { Button, Group } from "@mantine/core";
import { useState } from "react";
import { visible } from "../parts/format";
import { State } from "../parts/State";
import classes from "./ConflictBanner.module.css";
import { ConflictDialog } from "./ConflictDialog";
import { useDraft } from "./draft";
import { takeTheirs } from "./useMerge";

export function ConflictBanner() {
  const { newer } = useDraft();
  const [isOpen, setOpen] = useState(false);
  if (!newer) return null;
  return (
    <div className={classes.banner} role="alert">
      <Group gap="xs">
        <State state="warning" label="Newer revision" quiet />
        <span>
          {visible(newer.author)} saved revision {newer.revision} while you were editing. Nothing of yours is lost.
        </span>
      </Group>
      <Group gap="xs">
        <Button size="xs" onClick={() => setOpen(true)}>
          See the difference
        </Button>
        <Button size="xs" variant="default" onClick={() => void takeTheirs()}>
          Take theirs and drop mine
        </Button>
      </Group>
      {isOpen && <ConflictDialog newer={newer} onClose={() => setOpen(false)} />}
    </div>
  );
}
