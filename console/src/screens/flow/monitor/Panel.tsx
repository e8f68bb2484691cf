/** Beside the drawing: how what is selected does, in full; with nothing selected, the whole flow. */
import { Group, Text, Title, UnstyledButton } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { to } from "../../../app/places";
import { useLive } from "../../../live/store";
import { counted, formatCount, formatRate, sentence, visible } from "../../../parts/format";
import { FollowedList } from "../../../parts/FollowedList";
import type { Followed } from "../../../parts/following";
import { Moment } from "../../../parts/Moment";
import { placeWord } from "../../../parts/progress";
import { State, stateOf } from "../../../parts/State";
import { Jobs } from "./Jobs";
import classes from "./monitor.module.css";
import { backlogWords, followedOn, lagWords, moverIds, movingOf, runningWords } from "./overlay";
import { Protections } from "./Protections";
import { MoverWhy, RunButton } from "./Run";
import { longWait } from "./waits";
import type { FlowMonitor, MoverMonitor, VertexMonitor } from "./useMonitor";

interface PanelProps {
  monitor: FlowMonitor;
  /** The policies of each vertex that is a source, by its name. */
  policies: ReadonlyMap<string, readonly string[]>;
  selected: string | undefined;
  onSelect: (thing: string) => void;
}

export function Panel({ monitor, policies, selected, onSelect }: PanelProps) {
  const ids = moverIds(monitor.movers);
  const vertex = monitor.vertices.find((each) => `vertex:${each.name}` === selected);
  const mover = monitor.movers.find((_, index) => `mover:${ids[index]}` === selected);
  return (
    <div className={classes.panel}>
      {vertex && <VertexFacts monitor={monitor} vertex={vertex} policies={policies.get(vertex.name) ?? []} />}
      {mover && <MoverFacts monitor={monitor} mover={mover} />}
      {!vertex && !mover && <Whole monitor={monitor} ids={ids} onSelect={onSelect} />}
    </div>
  );
}

function Whole({ monitor, ids, onSelect }: { monitor: FlowMonitor; ids: readonly string[]; onSelect: PanelProps["onSelect"] }) {
  const running = [...monitor.vertices, ...monitor.movers].flatMap((each) => each.running_jobs);
  const datasets = monitor.vertices.flatMap((vertex) => vertex.datasets);
  const thing = (key: string, words: ReactNode, state: VertexMonitor["state"], why = "") => (
    <li key={key}>
      <UnstyledButton className={classes.thing} onClick={() => onSelect(key)}>
        <span>
          {words}
          {why && (
            <Text size="xs" c="dimmed">
              {sentence(visible(why))}
            </Text>
          )}
        </span>
        <State state={state} quiet />
      </UnstyledButton>
    </li>
  );
  return (
    <>
      <Group justify="space-between">
        <Title order={2}>The whole flow</Title>
        <RunButton flow={monitor.flow} label="Run now" main />
      </Group>
      <section className={classes.section} aria-label="Movers">
        <Title order={3}>Movers</Title>
        <ul className={classes.list}>
          {monitor.movers.map((mover, index) =>
            thing(`mover:${ids[index]}`, `${visible(mover.source)} → ${visible(mover.target)}, ${lagWords(mover)}`, mover.state, whyOf(mover)),
          )}
        </ul>
      </section>
      <section className={classes.section} aria-label="Vertices">
        <Title order={3}>Vertices</Title>
        <ul className={classes.list}>{monitor.vertices.map((vertex) => thing(`vertex:${vertex.name}`, visible(vertex.name), vertex.state))}</ul>
      </section>
      <FollowedHere rows={monitor.following} total={monitor.following_total} />
      <Jobs running={running} datasets={datasets} />
    </>
  );
}

function FollowedHere({ rows, total }: { rows: readonly Followed[]; total: number }) {
  if (rows.length === 0) return null;
  return (
    <section className={classes.section} aria-label="Followed as they change">
      <Title order={3}>Followed as they change</Title>
      <FollowedList rows={rows} />
      {total > rows.length && (
        <Text size="sm" c="dimmed">
          Of {formatCount(total)} the worst are shown.
        </Text>
      )}
    </section>
  );
}

function VertexFacts({ monitor, vertex, policies }: { monitor: FlowMonitor; vertex: VertexMonitor; policies: readonly string[] }) {
  const { flow } = monitor;
  const followed = monitor.following.filter((row) => vertex.datasets.includes(row.dataset));
  const failed = monitor.movers.filter((mover) => mover.error && (mover.source === vertex.name || mover.target === vertex.name));
  // A run that fails at its source fails for all its movers, for one reason.
  const reasons = failed.filter((mover, index) => failed.findIndex((each) => each.error!.message === mover.error!.message) === index);
  return (
    <>
      <Group justify="space-between">
        <Title order={2}>{visible(vertex.name)}</Title>
        <State state={vertex.state} />
      </Group>
      {reasons.map((mover) => (
        <MoverWhy key={mover.index} flow={flow} mover={mover} />
      ))}
      <dl className={classes.facts}>
        <dt>{vertex.nodes_total === 1 ? "Node" : `Nodes, ${formatCount(vertex.nodes_total)}`}</dt>
        <dd>
          {vertex.nodes.map((node) => (
            <div key={node.name}>
              <Link href={to.node(node.name)}>{visible(node.name)}</Link> <State state={stateOf(node.state)} label={node.state} quiet />
            </div>
          ))}
          {vertex.nodes_total > vertex.nodes.length && <Link href="/nodes">and {formatCount(vertex.nodes_total - vertex.nodes.length)} more</Link>}
        </dd>
        <dt>Datasets</dt>
        <dd>
          {vertex.datasets.slice(0, 10).map(visible).join(", ") || "none"}
          {vertex.datasets_total > 10 && ` and ${formatCount(vertex.datasets_total - 10)} more`}
        </dd>
        <dt>All there as of</dt>
        <dd>
          <Moment time={vertex.last_at} ago never="nothing yet" />
        </dd>
        <dt>Next run</dt>
        <dd>{vertex.next_at ? <Moment time={vertex.next_at} ago /> : "not by itself at a known time"}</dd>
      </dl>
      {policies.length > 0 && (
        <Group gap="xs">
          {policies.map((policy) => (
            <RunButton key={policy} flow={flow} part={{ policy }} label={`Run ${policy} now`} />
          ))}
        </Group>
      )}
      <FollowedHere rows={followed} total={followed.length} />
      <Jobs running={vertex.running_jobs} datasets={vertex.datasets} />
      {vertex.findings.length > 0 && (
        <section className={classes.section} aria-label="Findings">
          <Title order={3}>{counted(vertex.findings_total, "finding")}</Title>
          <ul className={classes.list}>
            {vertex.findings.map(({ node, finding }, index) => (
              <li key={index} className={classes.item}>
                <State state={finding.severity === "error" ? "failed" : finding.severity === "warning" ? "warning" : "unknown"} label={finding.severity} quiet />{" "}
                {visible(node)}: {sentence(visible(finding.message))}
                {finding.hint && (
                  <Text size="sm" c="dimmed">
                    {sentence(visible(finding.hint))}
                  </Text>
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function MoverFacts({ monitor, mover }: { monitor: FlowMonitor; mover: MoverMonitor }) {
  const { flow } = monitor;
  const followed = followedOn(mover, monitor.following);
  const progress = useLive((live) => live.progress);
  const moving = movingOf(mover, progress);
  const held = moving.bottleneck?.place === "none" ? null : moving.bottleneck;
  const datasets = [...new Set(mover.protections.map((row) => row.dataset))];
  return (
    <>
      <Group justify="space-between">
        <Title order={2}>
          {visible(mover.source)} → {visible(mover.target)}
        </Title>
        <State state={mover.state} />
      </Group>
      <MoverWhy flow={flow} mover={mover} />
      <dl className={classes.facts}>
        <dt>Moves</dt>
        <dd>{mover.mode === "continuous" ? "as it changes" : "in runs"}</dd>
        <dt>Rate</dt>
        <dd>{moving.rateBytesS > 0 ? formatRate(moving.rateBytesS) : "nothing moves now"}</dd>
        {held && (
          <>
            <dt>Held up by</dt>
            <dd title={visible(held.message)}>{placeWord(held)}</dd>
          </>
        )}
        <dt>Behind</dt>
        <dd>{lagWords(mover)}</dd>
        <dt>Waits</dt>
        <dd>
          {mover.running_jobs.length > 0 ? runningWords(mover, moving.leftBytes) : backlogWords(mover)}
          {mover.running_jobs.length === 0 && mover.backlog_since && (
            <>
              , the oldest <Moment time={mover.backlog_since} ago />
            </>
          )}
        </dd>
        {mover.waiting.length > 0 && <dt>Stands still</dt>}
        {mover.waiting.length > 0 && (
          <dd>
            {mover.waiting.map((wait, index) => (
              <div key={index}>
                {longWait(wait)}
                {wait.job && (
                  <>
                    {" "}
                    (<Link href={to.job(wait.job)}>see it</Link>)
                  </>
                )}
              </div>
            ))}
          </dd>
        )}
        <dt>All there as of</dt>
        <dd>
          <Moment time={mover.last_at} ago never="nothing yet" />
        </dd>
        <dt>Next run</dt>
        <dd>{mover.next_at ? <Moment time={mover.next_at} ago /> : "not by itself at a known time"}</dd>
      </dl>
      <Group gap="xs">
        {mover.carries.map((carried) => {
          const [policy = "", operation = ""] = carried.split("/");
          return <RunButton key={carried} flow={flow} part={{ policy, operation }} label={`Run ${carried} now`} />;
        })}
      </Group>
      <FollowedHere rows={followed} total={followed.length} />
      <Jobs running={mover.running_jobs} datasets={datasets} />
      <Protections flow={flow} mover={mover} />
    </>
  );
}

/** What stands still by itself does not hide what is wrong. */
function whyOf({ error, waiting: [wait] }: MoverMonitor): string | undefined {
  const isNoTrouble = wait?.reason === "window" || wait?.reason === "job";
  return wait && !(error && isNoTrouble) ? longWait(wait) : error?.message;
}
