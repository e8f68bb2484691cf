/** Reports that the Master makes and sends by itself: when, where, and how the last one did. */
import { Button, Checkbox, Group, MultiSelect, Select, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, take } from "../../api/client";
import type { Schemas } from "../../api/client";
import { useMay } from "../../api/rights";
import { act, useBusy } from "../../parts/acting";
import { Card } from "../../parts/Card";
import { ZONE } from "../../parts/clock";
import { sentence, visible } from "../../parts/format";
import { FormDialog } from "../../parts/FormDialog";
import { Moment } from "../../parts/Moment";
import { Problem } from "../../parts/Problem";
import { State } from "../../parts/State";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { complaintOfDays, type Kind, KINDS } from "./reports";

type Row = Schemas["ReportScheduleView"];

const KEY = ["report-schedules"] as const;
const FORMATS = ["html", "csv", "json"] as const;
const DAY_S = 86_400;

export function ReportSchedules({ kind }: { kind: Kind }) {
  const found = useQuery({ queryKey: KEY, queryFn: ({ signal }) => take(client.GET("/api/v1/report-schedules", { signal })), refetchInterval: 30_000 });
  const may = useMay()("notifications.manage", "everything");
  const [isAdding, setAdding] = useState(false);
  const rows = found.data?.schedules ?? [];
  return (
    <Card
      title="Sent by themselves"
      actions={
        may && (
          <Button size="xs" variant="default" onClick={() => setAdding(true)}>
            Send a report at times
          </Button>
        )
      }
      flush
    >
      {found.error && <Problem error={found.error} onRetry={() => void found.refetch()} />}
      <VirtualTable label="Reports that are sent" rows={rows} columns={may ? [...COLUMNS, DOING] : COLUMNS} rowKey={(row) => row.schedule.name} rowHeight={56} empty="No report is sent by itself." />
      {isAdding && <ScheduleForm kind={kind} onClose={() => setAdding(false)} />}
    </Card>
  );
}

const whenOf = ({ schedule }: Row): string => schedule.schedule || `${schedule.at.join(", ")} ${schedule.zone}`;

const whereOf = ({ schedule }: Row): string => [...schedule.to, ...(schedule.folder ? ["a folder of the Master"] : [])].join(", ");

const COLUMNS: Column<Row>[] = [
  { key: "name", title: "Name", width: "minmax(110px, 1fr)", sortBy: (row) => row.schedule.name, cell: (row) => visible(row.schedule.name) },
  { key: "what", title: "Report", width: "130px", cell: (row) => `${row.schedule.kind}, ${row.schedule.format}` },
  { key: "when", title: "When", width: "minmax(130px, 1fr)", cell: (row) => visible(whenOf(row)) },
  { key: "to", title: "To", width: "minmax(110px, 1fr)", cell: (row) => <span title={visible(row.file)}>{visible(whereOf(row))}</span> },
  { key: "next", title: "Next", width: "130px", cell: (row) => (row.schedule.enabled ? <Moment time={row.next_at} ago never="never" /> : "disabled") },
  {
    key: "last",
    title: "Last sent",
    width: "minmax(150px, 1.2fr)",
    cell: (row) =>
      row.failing_since ? (
        <span title={sentence(visible(row.error))}>
          <State state="warning" label="not sent" quiet /> {visible(row.error)}
        </span>
      ) : (
        <Moment time={row.sent_at} ago never="not yet" />
      ),
  },
];

const DOING: Column<Row> = { key: "doing", title: "", width: "270px", cell: (row) => <Doing schedule={row.schedule} /> };

function Doing({ schedule: { name, ...body } }: { schedule: Row["schedule"] }) {
  const { busy, attempt } = useBusy();
  const isOn = body.enabled;
  const params = { path: { schedule: name } };
  const run = (call: () => Promise<unknown>, done: string) => attempt(() => act(call, done, KEY));
  return (
    <Group gap={4} wrap="nowrap">
      <Button
        size="compact-sm"
        variant="default"
        loading={busy}
        aria-label={`Send ${name} now`}
        onClick={() => void run(() => take(client.POST("/api/v1/report-schedules/{schedule}/send", { params })), `Report ${name} was made`)}
      >
        Send now
      </Button>
      <Button
        size="compact-sm"
        variant="subtle"
        disabled={busy}
        aria-label={`${isOn ? "Disable" : "Enable"} ${name}`}
        onClick={() =>
          void run(
            () => take(client.PUT("/api/v1/report-schedules/{schedule}", { params, body: { ...body, enabled: !isOn } })),
            `Report ${name} is ${isOn ? "disabled" : "sent at its times"}`,
          )
        }
      >
        {isOn ? "Disable" : "Enable"}
      </Button>
      <Button
        size="compact-sm"
        variant="subtle"
        disabled={busy}
        aria-label={`Remove ${name}`}
        onClick={() => void run(() => take(client.DELETE("/api/v1/report-schedules/{schedule}", { params })), `Report ${name} is not sent any more`)}
      >
        Remove
      </Button>
    </Group>
  );
}

function ScheduleForm({ kind, onClose }: { kind: Kind; onClose: () => void }) {
  const channels = useQuery({ queryKey: ["report-channels"], queryFn: ({ signal }) => take(client.GET("/api/v1/notifications", { signal })) });
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<string>(kind);
  const [at, setAt] = useState("mon 07:00");
  const [zone, setZone] = useState(ZONE);
  const [days, setDays] = useState("30");
  const [format, setFormat] = useState<(typeof FORMATS)[number]>("html");
  const [to, setTo] = useState<string[]>([]);
  const [folder, setFolder] = useState(false);
  const { busy, attempt } = useBusy();
  const save = () =>
    attempt(async () => {
      const times = at.split(";").map((word) => word.trim()).filter(Boolean);
      const body = { kind: chosen as Kind, at: times, zone, schedule: "", since_s: Number(days) * DAY_S, format, to, folder, enabled: true };
      const params = { path: { schedule: name.trim() } };
      if (await act(() => take(client.PUT("/api/v1/report-schedules/{schedule}", { params, body })), `Report ${name.trim()} is sent at its times`, KEY)) onClose();
    });
  return (
    <FormDialog
      title="Send a report at times"
      action="Save"
      leave="Not now"
      disabled={!name.trim() || complaintOfDays(days) !== "" || (to.length === 0 && !folder)}
      busy={busy}
      onSubmit={() => void save()}
      onClose={onClose}
    >
      <TextInput label="Name" value={name} onChange={(event) => setName(event.currentTarget.value)} required data-autofocus />
      <Select label="Report" data={KINDS.map((each) => ({ value: each.kind, label: each.title }))} value={chosen} allowDeselect={false} onChange={(value) => setChosen(value ?? kind)} />
      <TextInput label="Times" description="Such as 07:00, mon 07:00 or day 1 06:00; several with a semicolon between" value={at} onChange={(event) => setAt(event.currentTarget.value)} required />
      <TextInput label="Time zone" value={zone} onChange={(event) => setZone(event.currentTarget.value)} required />
      <TextInput label="Days it reaches back" inputMode="numeric" value={days} error={complaintOfDays(days)} onChange={(event) => setDays(event.currentTarget.value)} required />
      <Select label="As" data={[...FORMATS]} value={format} allowDeselect={false} onChange={(value) => setFormat(FORMATS.find((each) => each === value) ?? "html")} />
      <MultiSelect label="Channels" description="Of notifications; the report is attached" data={(channels.data?.channels ?? []).map((each) => each.name)} value={to} onChange={setTo} />
      <Checkbox label="Write it into a folder of the Master, too" checked={folder} onChange={(event) => setFolder(event.currentTarget.checked)} />
      <Text size="sm" c="dimmed">
        What does not get through is tried again, and shown here and in the status. After downtime one report makes up for all.
      </Text>
    </FormDialog>
  );
}
