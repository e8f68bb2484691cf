/** When things run: the next runs of what is active, the schedules of the working copy, and the RPOs that cannot be met. */
import { Button, Text } from "@mantine/core";
import { IconCalendarTime, IconLock, IconPlus } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import { to } from "../../app/places";
import { ConflictBanner } from "../../draft/ConflictBanner";
import { openDraft, useDraft } from "../../draft/draft";
import { DraftBar } from "../../draft/DraftBar";
import { Card } from "../../parts/Card";
import { Empty } from "../../parts/Empty";
import { visible } from "../../parts/format";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import rows from "../../parts/Rows.module.css";
import { State } from "../../parts/State";
import { diagnosticsIn } from "../policies/diagnostics";
import { Foresight } from "./Foresight";
import { NewSchedule } from "./NewSchedule";
import { NextRuns } from "./NextRuns";
import { nameOfUse, type Schedule, scheduleLines, type Use } from "./schedules";
import { type Shown, useSchedules } from "./useSchedules";

export default function Schedules() {
  const shown = useSchedules();
  const { mayRead, mayChange, error } = shown;
  const [isNew, setNew] = useState(false);
  const create = mayChange && (
    <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={() => setNew(true)}>
      New schedule
    </Button>
  );
  return (
    <Page
      title="Schedules"
      lead="When runs start: often enough for their RPO, inside windows, never in exclusions, and at trigger times. Each node judges this by itself."
      actions={
        mayRead &&
        mayChange && (
          <>
            <DraftBar />
            {shown.named.length > 0 && create}
          </>
        )
      }
      cli="holdfast schedules"
      api="GET /api/v1/schedules"
    >
      {mayRead ? (
        <>
          {mayChange && <ConflictBanner />}
          {error !== null && <Problem error={error} onRetry={() => void openDraft()} />}
          <NextRuns />
          {shown.isThere && <Named shown={shown} create={create} />}
          <Foresight />
        </>
      ) : (
        <NotAllowed />
      )}
      {isNew && <NewSchedule onClose={() => setNew(false)} />}
    </Page>
  );
}

export function NotAllowed() {
  return (
    <Card>
      <Empty icon={IconLock} title="You may not read schedules">
        They stand in the environment&apos;s document, and you have not been granted to read it (environment.read). Somebody who manages access can grant it, under
        Settings, Users.
      </Empty>
    </Card>
  );
}

function Named({ shown: { named, own }, create }: { shown: Shown; create: ReactNode }) {
  return (
    <Card title="Schedules">
      {named.length === 0 && own.length === 0 ? (
        <Empty icon={IconCalendarTime} title="No schedule yet" action={create}>
          Without one a run starts whenever its RPO is due. A schedule keeps runs to the night, out of a maintenance window, or starts them at fixed times; several
          operations can share it.
        </Empty>
      ) : (
        <ul className={rows.list} aria-label="Schedules">
          {named.map((schedule) => (
            <Row key={schedule.name} schedule={schedule} />
          ))}
          {own.map(({ use, fields }) => (
            <li key={nameOfUse(use)}>
              <span className={rows.grow}>
                Of <PolicyLink use={use} /> alone
                <Lines fields={fields} />
              </span>
              <Text size="sm" c="dimmed">
                written in the operation
              </Text>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Row({ schedule: { name, fields, usedIn } }: { schedule: Schedule }) {
  const { diagnostics } = useDraft();
  const errors = diagnosticsIn(diagnostics, ["schedules", name]).filter((each) => each.level === "error").length;
  return (
    <li>
      <span className={rows.grow}>
        <Link href={to.schedule(name)} className={rows.name}>
          {visible(name)}
        </Link>{" "}
        {errors > 0 && <State state="failed" label={errors === 1 ? "one error" : `${errors} errors`} />}
        <Lines fields={fields} />
      </span>
      <UsedBy uses={usedIn} lead="used in " />
    </li>
  );
}

const Lines = ({ fields }: { fields: Schedule["fields"] }) => (
  <Text size="sm" c="dimmed" component="span" display="block">
    {scheduleLines(fields).map(visible).join("; ")}
  </Text>
);

export function UsedBy({ uses, lead = "" }: { uses: readonly Use[]; lead?: string }) {
  if (uses.length === 0)
    return (
      <Text size="sm" c="dimmed">
        Used nowhere
      </Text>
    );
  return (
    <Text size="sm" component="span">
      {lead}
      {uses.map((use, index) => (
        <span key={nameOfUse(use)}>
          {index > 0 && ", "}
          <PolicyLink use={use} />
        </span>
      ))}
    </Text>
  );
}

const PolicyLink = ({ use }: { use: Use }) => <Link href={to.policy(use.policy)}>{visible(nameOfUse(use))}</Link>;
