/** One repository: its figures, its proof, its growth, its points, and how to read it without Holdfast. */
import { Alert, List, Loader, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconDatabase } from "@tabler/icons-react";
import { Link } from "wouter";
import { usePoints, useRepositories } from "../../api/queries";
import { to } from "../../app/places";
import { Card } from "../../parts/Card";
import { Copyable } from "../../parts/Equivalent";
import { useNow } from "../../parts/clock";
import { formatBytes, formatCount, sentence, shellWord, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { NotThere } from "../../parts/NotThere";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { State } from "../../parts/State";
import { Unreachable } from "../../parts/Unreachable";
import { RepositoryInDocument } from "../policies/PartFields";
import { CheckNow } from "./CheckNow";
import { Drills } from "./Drills";
import { kitOf, type Repository, roomOf, savings } from "./figures";
import { Growth } from "./Growth";
import { InUse } from "./InUse";
import { KeepRules } from "./KeepRules";
import { Keys } from "./Keys";
import { Places } from "./Places";
import { Points } from "./Points";
import { Repair } from "./Repair";
import { Seeding } from "./Seeding";
import { Space } from "./Space";
import classes from "./Repositories.module.css";
import { OnlyFor } from "../../parts/OnlyFor";

export default function RepositoryScreen({ name }: { name: string }) {
  const found = useRepositories();
  const points = usePoints({ repository: name });
  const row = found.data?.repositories.find((each) => each.name === name);
  const silent = found.data?.unreachable.filter((each) => each.repository === name) ?? [];
  return (
    <Page title={visible(name)} lead={row ? <Lead row={row} /> : silent[0] && <SilentLead node={silent[0].node} />} cli={`holdfast repository stats ${shellWord(name)}`} api={`GET /api/v1/points?repository=${encodeURIComponent(name)}`}>
      {found.error && <Problem error={found.error} onRetry={() => void found.refetch()} />}
      <Unreachable rows={silent} what="Its figures and points come when its node answers again." />
      {found.isPending && <Loader aria-label="Asking the repository" />}
      {found.data && !row && silent.length === 0 && <NoRepository />}
      {row && <Figures row={row} />}
      {points.error && row && <Problem error={points.error} onRetry={() => void points.refetch()} />}
      {row && (
        <>
          <div className={classes.columns}>
            <CheckNow row={row} />
            <div className={classes.stack}>
              <Drills row={row} points={points.data?.points ?? []} />
              {points.data && <Growth name={name} points={points.data.points} />}
            </div>
          </div>
          <Points repository={name} points={points.data?.points ?? (points.error ? [] : null)} />
          <div className={classes.columns}>
            <OnlyFor activity="repositories.destroy">
              <Space row={row} />
            </OnlyFor>
            <OnlyFor activity="repositories.care">
              <Repair row={row} />
            </OnlyFor>
          </div>
          <div className={classes.columns}>
            <Keys row={row} />
            <div className={classes.stack}>
              <InUse row={row} />
              <Places row={row} />
              <RepositoryInDocument repository={row.name} delivering={row.delivering} />
              {points.data && <KeepRules points={points.data.points} />}
            </div>
          </div>
          {row.store && <Store store={row.store} />}
          <Seeding row={row} />
          <Elsewhere row={row} />
        </>
      )}
    </Page>
  );
}

function Lead({ row }: { row: Repository }) {
  return (
    <>
      <State state={row.error ? "failed" : "ok"} label={row.error ? "in trouble" : "ok"} /> on <Link href={to.node(row.node)}>{visible(row.node)}</Link>, in{" "}
      {visible(row.location)}
    </>
  );
}

function SilentLead({ node }: { node: string }) {
  return (
    <>
      <State state="unknown" label="no answer" /> on <Link href={to.node(node)}>{visible(node)}</Link>
    </>
  );
}

function Figures({ row }: { row: Repository }) {
  const saved = savings(row);
  const kit = kitOf(row);
  const room = roomOf(row, useNow());
  return (
    <>
      {row.error && (
        <Alert role="alert" color="red" variant="light" icon={<IconAlertTriangle aria-hidden />} title={sentence(visible(row.error.message))}>
          {sentence(visible(row.error.hint ?? ""))}
        </Alert>
      )}
      {kit.state === "warning" && (
        <Alert role="alert" color="yellow" variant="light" icon={<IconAlertTriangle aria-hidden />} title={sentence(kit.word)}>
          {kit.text} The command is below, under Keys.
        </Alert>
      )}
      {room && room.state !== "ok" && (
        <Alert role="alert" color={room.state === "failed" ? "red" : "yellow"} variant="light" icon={<IconAlertTriangle aria-hidden />} title={room.state === "failed" ? "Full" : "Nearly full"}>
          {sentence(room.text)} Make the disk larger or keep less; a prune, below, gives back what expired points needed.
        </Alert>
      )}
      <Card title="What it holds">
        <dl className={classes.big}>
          <div>
            <dt>Stored</dt>
            <dd>{formatBytes(row.stored_bytes)}</dd>
          </div>
          <div>
            <dt>Free where it lies</dt>
            <dd>{row.room ? formatBytes(row.room.free_bytes) : "-"}</dd>
          </div>
          <div>
            <dt>All points restored</dt>
            <dd>{formatBytes(row.points_bytes)}</dd>
          </div>
          <div>
            <dt>Points</dt>
            <dd>{formatCount(row.points)}</dd>
          </div>
          <div>
            <dt>Newest point</dt>
            <dd>
              <Moment time={row.newest_at} ago never="none yet" />
            </dd>
          </div>
        </dl>
        <Text size="sm" c="dimmed" mt="sm">
          {saved ? sentence(`its points are ${saved.short} of what they would take restored${saved.by && `: ${saved.by}`}`) : "There is nothing in it yet."}
        </Text>
      </Card>
    </>
  );
}

/** What the object store it lies in can do for it, as its owner tried it out. */
function Store({ store }: { store: NonNullable<Repository["store"]> }) {
  return (
    <Card title="The object store">
      <List size="sm" spacing={6} listStyleType="none">
        <List.Item>
          <State state={store.object_lock ? "ok" : store.object_lock === false ? "off" : "unknown"} label={store.object_lock ? "object lock" : "no object lock"} quiet />{" "}
          {store.object_lock
            ? "The store itself keeps what locked points need until their locks end, whoever asks, its owner's keys included."
            : visible(store.object_lock_problem) || "Locked points are kept by their owner alone: whoever has its machine, or its keys of the store, can destroy them."}
        </List.Item>
        {store.default_retention && (
          <List.Item>
            <State state="warning" label="default retention" quiet /> The bucket locks every new file by itself, session locks too, which pile up.
          </List.Item>
        )}
        <List.Item>
          <State state={store.versions ? "ok" : "off"} label={store.versions ? "versions" : "no versions"} quiet />{" "}
          {store.versions ? "What is deleted or written over stays as an old version." : "What is deleted is gone."}
        </List.Item>
        <List.Item>
          <State state={store.one_owner ? "ok" : "warning"} label={store.one_owner ? "one owner" : "owners not kept apart"} quiet />{" "}
          {store.one_owner ? "Of two machines that take it at one moment one wins." : "Two machines that take it at one moment are not kept apart before the next look."}
        </List.Item>
      </List>
      <Text size="xs" c="dimmed" mt="sm">
        Tried out <Moment time={store.probed_at} ago />.
      </Text>
    </Card>
  );
}

/** It is no island: restic reads it, given its key. */
function Elsewhere({ row }: { row: Repository }) {
  return (
    <Card title="Without Holdfast">
      <Stack gap="sm">
        <Text size="sm">
          It is a restic repository. On {visible(row.node)}, as the user that runs the agent, this lets stock restic read it:
        </Text>
        <Copyable text={`eval "$(holdfast repository env ${visible(row.name)})" && restic snapshots`} what="command" />
        <Text size="sm" c="dimmed">
          Its password lies in {visible(row.node)}&apos;s home under <code>keys</code> and never comes to the Master, so it is not shown here. A recovery kit opens it
          without that machine.
        </Text>
      </Stack>
    </Card>
  );
}

function NoRepository() {
  return (
    <NotThere icon={IconDatabase} title="There is no repository of this name" href="/repositories" see="See all repositories">
      One that only a draft names is made when its flow is activated.
    </NotThere>
  );
}
