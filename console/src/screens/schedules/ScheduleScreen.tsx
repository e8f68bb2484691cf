/** One named schedule of the working copy: its times, what they come to in a calendar, where it is used, and what becomes of the RPOs. */
import { ActionIcon, Menu } from "@mantine/core";
import { IconCalendarOff, IconDots } from "@tabler/icons-react";
import { useState } from "react";
import { useLocation } from "wouter";
import { to } from "../../app/places";
import { ConflictBanner } from "../../draft/ConflictBanner";
import { DiagnosticList } from "../../draft/DiagnosticList";
import { openDraft, useDraft } from "../../draft/draft";
import { DraftBar } from "../../draft/DraftBar";
import { Card } from "../../parts/Card";
import { visible } from "../../parts/format";
import { NotThere } from "../../parts/NotThere";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { Loading } from "../../parts/Loading";
import { diagnosticsElsewhere } from "../policies/diagnostics";
import { change } from "../policies/fields";
import policies from "../policies/policies.module.css";
import { RenameDialog } from "../policies/RenameDialog";
import { Foresight } from "./Foresight";
import { Painted } from "./Painted";
import { NotAllowed, UsedBy } from "./Schedules";
import { removeSchedule, renameSchedule, type Schedule, scheduleLines, schedulesOf } from "./schedules";
import { Times } from "./Times";
import { useSchedules } from "./useSchedules";

const FIELDS = ["windows", "exclude", "at", "zone", "missed", "jitter"];

export default function ScheduleScreen({ name }: { name: string }) {
  const { named, isThere, mayRead, mayChange, error } = useSchedules();
  const schedule = named.find((each) => each.name === name);
  return (
    <Page
      title={visible(name)}
      lead="Operations that name this schedule start by it; how often they must run stands in the operation."
      actions={
        mayRead &&
        mayChange && (
          <>
            <DraftBar />
            {schedule && <ScheduleMenu schedule={schedule} />}
          </>
        )
      }
      cli="holdfast apply FILE"
      api="POST /api/v1/environment/edit"
    >
      {!mayRead && <NotAllowed />}
      {mayRead && (
        <>
          {mayChange && <ConflictBanner />}
          {error !== null && <Problem error={error} onRetry={() => void openDraft()} />}
          {!isThere && error === null && <Loading />}
          {isThere && (schedule ? <One key={name} schedule={schedule} mayChange={mayChange} /> : <NoSchedule name={name} />)}
        </>
      )}
    </Page>
  );
}

function One({ schedule, mayChange }: { schedule: Schedule; mayChange: boolean }) {
  const { diagnostics, readable } = useDraft();
  const path = ["schedules", schedule.name];
  const others = diagnosticsElsewhere(
    diagnostics,
    path,
    FIELDS.map((key) => [...path, key]),
  );
  return (
    <>
      {others.length > 0 && (
        <Card title="Worth a look">
          <DiagnosticList diagnostics={others} />
        </Card>
      )}
      {mayChange ? (
        <fieldset className={policies.editor} disabled={!readable}>
          <Times schedule={schedule} />
        </fieldset>
      ) : (
        <Card title="When runs start">{scheduleLines(schedule.fields).map(visible).join("; ")}</Card>
      )}
      <Card title="Calendar">
        <Painted name={visible(schedule.name)} fields={schedule.fields} />
      </Card>
      <Card title="Used in">
        <UsedBy uses={schedule.usedIn} />
      </Card>
      {schedule.usedIn.length > 0 && <Foresight of={schedule.usedIn} />}
    </>
  );
}

function ScheduleMenu({ schedule: { name, usedIn } }: { schedule: Schedule }) {
  const { values } = useDraft();
  const [, go] = useLocation();
  const [isRenaming, setRenaming] = useState(false);
  const taken = schedulesOf(values).map((each) => each.name);
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size="lg" aria-label="More about this schedule">
            <IconDots size={18} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => setRenaming(true)}>Rename …</Menu.Item>
          <Menu.Item
            color="red"
            disabled={usedIn.length > 0}
            onClick={() => {
              change(removeSchedule(values, name), `Remove schedule ${name}`);
              go("/schedules");
            }}
          >
            {usedIn.length > 0 ? "Remove: it is used" : "Remove"}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {isRenaming && (
        <RenameDialog
          title="Rename the schedule"
          name={name}
          taken={taken}
          onClose={() => setRenaming(false)}
          onRename={(other) => {
            change(renameSchedule(values, name, other), `Rename ${name} to ${other}`);
            go(to.schedule(other), { replace: true });
          }}
        >
          Operations that name it follow in the same step.
        </RenameDialog>
      )}
    </>
  );
}

function NoSchedule({ name }: { name: string }) {
  return (
    <NotThere icon={IconCalendarOff} title="There is no such schedule" href="/schedules" see="See all schedules">
      The document has no schedule {visible(name)}. If it was renamed or removed just now, Undo brings it back.
    </NotThere>
  );
}
