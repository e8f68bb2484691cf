/** What is wrong or worth a look: in words, with what to do, a way there, and mends that are one click away. */
import { Button, Group, Text, UnstyledButton } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import { Coded } from "../parts/Coded";
import { formatCount, visible } from "../parts/format";
import { sayFailed } from "../parts/notices";
import { State, type StateName } from "../parts/State";
import classes from "./DiagnosticList.module.css";
import { type Diagnostic, edit } from "./draft";
import type { Edit } from "./edits";
import { placeName, placeOf } from "./places";

const LEVELS: Record<Diagnostic["level"], StateName> = { error: "failed", warning: "warning", info: "unknown" };
const LEVEL_WORDS: Record<Diagnostic["level"], string> = { error: "Error", warning: "Warning", info: "Note" };
const RANKS = ["error", "warning", "info"];
const SHOWN = 50;

interface DiagnosticListProps {
  diagnostics: readonly Diagnostic[];
  /** The flow one looks at. */
  flow?: string;
  /** Go there on this screen, in place of the link to another. */
  onGo?: (diagnostic: Diagnostic) => void;
}

export function DiagnosticList({ diagnostics, flow = "", onGo }: DiagnosticListProps) {
  const [isAll, setAll] = useState(false);
  const sorted = [...diagnostics].sort((a, b) => RANKS.indexOf(a.level) - RANKS.indexOf(b.level));
  const shown = isAll ? sorted : sorted.slice(0, SHOWN);
  return (
    <>
      <ul className={classes.list} aria-label="Problems">
        {shown.map((diagnostic, index) => (
          <Item key={index} diagnostic={diagnostic} flow={flow} onGo={onGo} />
        ))}
      </ul>
      {shown.length < sorted.length && (
        <div className={classes.more}>
          <Button variant="subtle" size="xs" onClick={() => setAll(true)}>
            Show all {formatCount(sorted.length)}
          </Button>
        </div>
      )}
    </>
  );
}

function Item({ diagnostic, flow, onGo }: { diagnostic: Diagnostic; flow: string; onGo: DiagnosticListProps["onGo"] }) {
  const { level, message, hint, where, code } = diagnostic;
  const place = visible(placeName(where));
  return (
    <li className={classes.item} data-code={code}>
      <State state={LEVELS[level]} label={LEVEL_WORDS[level]} quiet />
      <div>
        <Text size="sm">
          <Coded text={visible(message)} />
        </Text>
        {hint && (
          <Text size="sm" c="dimmed">
            <Coded text={visible(hint)} />
          </Text>
        )}
        <Fixes diagnostic={diagnostic} />
      </div>
      {onGo ? (
        <UnstyledButton className={classes.place} onClick={() => onGo(diagnostic)}>
          {place}
        </UnstyledButton>
      ) : (
        <Link className={classes.place} href={placeOf(where, flow)}>
          {place}
        </Link>
      )}
    </li>
  );
}

function Fixes({ diagnostic }: { diagnostic: Diagnostic }) {
  const fixes = diagnostic.fixes ?? [];
  if (fixes.length === 0) return null;
  return (
    <Group gap="xs" mt={6}>
      {fixes.map((fix) => (
        <Button key={fix.title} size="compact-sm" variant="default" onClick={() => void edit(fix.edits as Edit[], fix.title).catch(sayFailed)}>
          <Coded text={visible(fix.title)} />
        </Button>
      ))}
    </Group>
  );
}
