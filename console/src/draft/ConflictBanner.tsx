/**
 * What one must know of the working copy, on every screen that edits it: somebody saved meanwhile (and the dialog in which the two become
 * one), or its text cannot be read just now.
 */
import { Button, Group } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import { visible } from "../parts/format";
import { State } from "../parts/State";
import classes from "./ConflictBanner.module.css";
import { ConflictDialog } from "./ConflictDialog";
import { type Draft, useDraft } from "./draft";
import { takeTheirs } from "./useMerge";

export function ConflictBanner() {
  const { newer, readable, diagnostics } = useDraft();
  return (
    <>
      {newer && <Newer newer={newer} />}
      {!readable && <Unreadable line={diagnostics[0]?.where.line ?? 0} />}
    </>
  );
}

function Unreadable({ line }: { line: number }) {
  return (
    <div className={classes.banner} role="status">
      <Group gap="xs">
        <State state="failed" label="Not readable" quiet />
        <span>The text is no YAML just now. Drawings and lists show the last text that was, and cannot be edited until it is again.</span>
      </Group>
      <Link href={line > 0 ? `/document?line=${line}` : "/document"}>Go to {line > 0 ? `line ${line}` : "the text"}</Link>
    </div>
  );
}

function Newer({ newer }: { newer: NonNullable<Draft["newer"]> }) {
  const [isOpen, setOpen] = useState(false);
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
