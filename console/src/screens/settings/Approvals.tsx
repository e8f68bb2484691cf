/** The inbox of requests that wait for a second person; what became of the others; and which acts need one. */
import { Button, Checkbox, Code, Group, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, type Schemas, take } from "../../api/client";
import { useSession } from "../../api/queries";
import { useMay } from "../../api/rights";
import { Card } from "../../parts/Card";
import { visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { Problem } from "../../parts/Problem";
import lines from "../../parts/Rows.module.css";
import { State, type StateName } from "../../parts/State";
import { act, useBusy } from "../../parts/acting";

type Approval = Schemas["Approval"];
const KEY = ["approvals"] as const;
const SOON_MS = 10_000;
const STATES: Record<Approval["state"], StateName> = {
  waiting: "warning",
  running: "running",
  done: "ok",
  failed: "failed",
  refused: "off",
  withdrawn: "off",
  expired: "off",
  unknown: "unknown",
};

export function Approvals() {
  const found = useQuery({
    queryKey: [...KEY, "requests"],
    queryFn: ({ signal }) => take(client.GET("/api/v1/approvals", { signal })),
    refetchInterval: SOON_MS,
  });
  const all = found.data?.approvals ?? [];
  const waiting = all.filter((each) => each.state === "waiting");
  const over = all.filter((each) => each.state !== "waiting");
  return (
    <Stack>
      {found.error && <Problem error={found.error} onRetry={() => void found.refetch()} />}
      <Card title="Waiting">
        {waiting.length === 0 && <Text size="sm">Nothing waits for approval.</Text>}
        <ul className={lines.list} aria-label="Requests that wait">
          {waiting.map((each) => (
            <Waiting key={each.id} approval={each} />
          ))}
        </ul>
      </Card>
      <Rules />
      {over.length > 0 && (
        <Card title="Before">
          <ul className={lines.list} aria-label="Requests that are over">
            {over.map((each) => (
              <li key={each.id}>
                <State state={STATES[each.state]} label={each.state} />
                <What approval={each} />
              </li>
            ))}
          </ul>
        </Card>
      )}
    </Stack>
  );
}

/** The act, the very call, and by whom. */
function What({ approval }: { approval: Approval }) {
  const decided = approval.decided_by ? `, ${approval.state === "refused" ? "refused" : "decided"} by ${approval.decided_by}` : "";
  return (
    <div className={lines.grow}>
      <Text size="sm">
        {approval.asked_by} asked to {approval.act} <Moment time={approval.asked_at} ago />
        {decided}
        {approval.comment && `: ${visible(approval.comment)}`}
      </Text>
      <Code>
        {approval.method} {visible(approval.path)} {visible(approval.arguments)}
      </Code>
      {approval.state === "failed" && <Text size="sm">It was answered with {approval.status}: {visible(approval.outcome.slice(0, 300))}</Text>}
    </div>
  );
}

function Waiting({ approval }: { approval: Approval }) {
  const session = useSession();
  const { busy, attempt } = useBusy();
  const isOwn = session.data?.user === approval.asked_by;
  const params = { path: { approval: approval.id } };
  const run = (what: () => Promise<unknown>, done: string) => attempt(() => act(what, done, KEY));
  const refuse = () => run(() => take(client.POST("/api/v1/approvals/{approval}/refuse", { params, body: { comment: "" } })), isOwn ? "Withdrawn" : "Refused");
  const approve = () => run(() => done(take(client.POST("/api/v1/approvals/{approval}/approve", { params }))), "Approved and done");
  return (
    <li>
      <What approval={approval} />
      <Group gap="xs">
        <Button size="xs" variant="default" disabled={busy} onClick={() => void refuse()}>
          {isOwn ? "Withdraw" : "Refuse"}
        </Button>
        {!isOwn && (
          <Button size="xs" loading={busy} onClick={() => void approve()}>
            Approve
          </Button>
        )}
      </Group>
      {isOwn && <Text size="sm" c="dimmed">Somebody else has to approve it.</Text>}
    </li>
  );
}

/** Approved is one thing, done another: what was tried and failed is said as a failure. */
async function done(call: Promise<unknown>): Promise<void> {
  const answer = (await call) as Approval;
  if (answer.state !== "done") throw new Error(`It was approved, and then failed with ${answer.status ?? "no answer"}: ${answer.outcome.slice(0, 300)}`);
}

function Rules() {
  const may = useMay();
  const rules = useQuery({ queryKey: [...KEY, "rules"], queryFn: ({ signal }) => take(client.GET("/api/v1/approvals/rules", { signal })) });
  const [chosen, setChosen] = useState<string[] | null>(null);
  if (rules.error) return <Problem error={rules.error} onRetry={() => void rules.refetch()} />;
  const acts = rules.data?.acts ?? [];
  const now = chosen ?? acts.filter((each) => each.required).map((each) => each.act);
  const save = async () => {
    const acts = now.filter((each) => each !== "approvals" || now.length > 1);
    await act(() => take(client.PUT("/api/v1/approvals/rules", { body: { acts } })), "The rules are changed", KEY);
    setChosen(null);
  };
  return (
    <Card title="What needs a second person">
      <Checkbox.Group value={now} onChange={setChosen} aria-label="Acts that need a second person">
        <Stack gap="xs">
          {acts.map((each) => (
            <Checkbox key={each.act} value={each.act} label={`${each.act}: ${each.meaning}`} disabled={!may("access.manage") || each.act === "approvals"} />
          ))}
        </Stack>
      </Checkbox.Group>
      {chosen && (
        <Group mt="sm" gap="xs">
          <Button size="xs" onClick={() => void save()}>
            Save
          </Button>
          <Button size="xs" variant="default" onClick={() => setChosen(null)}>
            Leave it
          </Button>
        </Group>
      )}
    </Card>
  );
}
