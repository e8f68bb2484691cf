/** What would become of the RPOs in the next 30 days: of the document as it is saved, and of the working copy before it is applied. */
import { Anchor, Loader, SegmentedControl, Text } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import type { Schemas } from "../../api/client";
import { to } from "../../app/places";
import { DiagnosticList } from "../../draft/DiagnosticList";
import { isDirty, useDraft } from "../../draft/draft";
import { Card } from "../../parts/Card";
import { counted, formatCount, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { Problem } from "../../parts/Problem";
import rows from "../../parts/Rows.module.css";
import { State } from "../../parts/State";
import { Lines } from "./Lines";
import { SIMULATED_DAYS, useSimulated } from "./useCalendar";
import classes from "./schedules.module.css";
import { unmetWords, type Use } from "./schedules";

type Simulation = Schemas["Simulation"];

/** `of`: only what concerns these operations. */
export function Foresight({ of }: { of?: readonly Use[] }) {
  const draft = useDraft();
  const [chosen, setChosen] = useState("copy");
  const isOfCopy = isDirty(draft) && chosen === "copy";
  const found = useSimulated(isOfCopy ? draft.text : null, draft.baseRevision, draft.phase !== "loading");
  return (
    <Card
      title={`The next ${SIMULATED_DAYS} days`}
      actions={
        isDirty(draft) && (
          <SegmentedControl
            size="xs"
            aria-label="Of which document"
            data={[
              { value: "copy", label: "Working copy" },
              { value: "saved", label: "As saved" },
            ]}
            value={chosen}
            onChange={setChosen}
          />
        )
      }
    >
      {found.error && <Problem error={found.error} onRetry={() => void found.refetch()} />}
      {!found.data && !found.error && <Loader size="sm" aria-label="Loading" />}
      {found.data && (
        <div className={found.isPlaceholderData ? classes.stale : undefined} aria-busy={found.isPlaceholderData}>
          {found.data.simulation ? (
            <Foreseen simulation={found.data.simulation} of={of} what={isOfCopy ? "The working copy" : "The saved document"} />
          ) : (
            <>
              <Text size="sm">What cannot be compiled cannot be played through.</Text>
              <DiagnosticList diagnostics={found.data.diagnostics.filter((each) => each.level === "error")} />
            </>
          )}
        </div>
      )}
    </Card>
  );
}

function Foreseen({ simulation, of, what }: { simulation: Simulation; of: readonly Use[] | undefined; what: string }) {
  const isAbout = (each: Use) => !of || of.some((use) => use.policy === each.policy && use.operation === each.operation);
  const lines = simulation.lines.filter(isAbout);
  const unmet = simulation.unmet.filter(isAbout);
  return (
    <>
      <Text size="sm" mb="xs">
        {what}, with all its flows active and all its machines there; runs take no time and receivers answer.
        {simulation.truncated && " Something runs so often that it was cut short."}
      </Text>
      {lines.length === 0 ? (
        <Text size="sm">Nothing of this runs by itself.</Text>
      ) : unmet.length === 0 ? (
        <State state="ok" label="No RPO is found that cannot be met" />
      ) : (
        <>
          <State state="overdue" label={counted(unmet.length, "RPO cannot be met", "RPOs cannot be met")} />
          <ul className={rows.list} aria-label="RPOs that cannot be met" style={{ marginTop: 10 }}>
            {unmet.map((each) => (
              <Unmet key={`${each.policy}/${each.operation} ${each.receiver} ${each.dataset}`} unmet={each} />
            ))}
          </ul>
        </>
      )}
      {lines.length > 0 && (
        <details>
          <summary className={classes.summary}>Runs, points, and what retention would leave ({formatCount(lines.length)})</summary>
          <Lines lines={lines} />
        </details>
      )}
    </>
  );
}

function Unmet({ unmet }: { unmet: Simulation["unmet"][number] }) {
  return (
    <li>
      <span className={rows.grow}>
        <Anchor component={Link} href={to.policy(unmet.policy)} size="sm" underline="always">
          {visible(`${unmet.policy}/${unmet.operation}`)}
        </Anchor>{" "}
        at {visible(unmet.receiver)}. {unmetWords(unmet)} The longest is from <Moment time={unmet.begin} /> to <Moment time={unmet.end} />.
      </span>
    </li>
  );
}
