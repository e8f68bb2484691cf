/** The one sentence first, large; below it what stands in its way, each with its next step. */
import { Button, Text } from "@mantine/core";
import { Link } from "wouter";
import { runNow } from "../../api/trigger";
import { to } from "../../app/places";
import { getLive } from "../../live/store";
import { useBusy } from "../../parts/acting";
import { Coded } from "../../parts/Coded";
import { counted, sentence, visible } from "../../parts/format";
import { sayDone } from "../../parts/notices";
import { State, STATE_ICONS } from "../../parts/State";
import { type DatasetRow, someNames, STANDING_STATES, STANDING_WORDS, type Status, type Trouble, troubleOf, verdictState } from "./overview";
import { type Silence, silencesOf, silentNodes } from "./silences";
import classes from "./Verdict.module.css";
import { OnlyFor } from "../../parts/OnlyFor";

const SHOWN = 6;

export function Verdict({ status, rows }: { status: Status; rows: readonly DatasetRow[] }) {
  const state = verdictState(status);
  const Icon = STATE_ICONS[state];
  const silent = silentNodes(status);
  const all = rows.map((row) => troubleOf(row, silent)).filter((each) => each !== null);
  const silences = silencesOf(status, all);
  const troubles = all.filter((each) => !each.silent);
  return (
    <section className={classes.verdict} data-state={state} aria-label="How everything does">
      <div className={classes.head}>
        <Icon size={44} stroke={1.7} aria-hidden className={classes.icon} />
        <p className={classes.sentence} role="status" data-testid="verdict">
          {visible(status.verdict)}
        </p>
      </div>
      {troubles.length + silences.length > 0 && (
        <ul className={classes.troubles} aria-label="What stands in the way">
          {silences.map((each) => (
            <SilenceRow key={each.node} silence={each} />
          ))}
          {troubles.slice(0, SHOWN).map((each) => (
            <TroubleRow key={each.label} trouble={each} />
          ))}
          {troubles.length > SHOWN && (
            <li>
              <Text size="sm">And {counted(troubles.length - SHOWN, "more dataset")}, below.</Text>
            </li>
          )}
        </ul>
      )}
    </section>
  );
}

function SilenceRow({ silence: { node, hint, datasets, repositories } }: { silence: Silence }) {
  const parts = [datasets, repositories.map((each) => `repository ${each}`)].flat().map(visible);
  return (
    <li>
      <State state="unknown" label="no answer" />
      <div className={classes.what}>
        <Text size="sm">
          <b>{visible(node)}</b> does not answer.{parts.length > 0 && ` Not known until it does: ${someNames(parts, SHOWN)}.`}
        </Text>
        {hint && (
          <Text size="sm" c="dimmed">
            <Coded text={sentence(hint)} />
          </Text>
        )}
      </div>
      <Button component={Link} href={to.node(node)} size="xs" variant="default">
        See {visible(node)}
      </Button>
    </li>
  );
}

function TroubleRow({ trouble }: { trouble: Trouble }) {
  const { label, standing, reason, hint, step } = trouble;
  return (
    <li>
      <State state={STANDING_STATES[standing]} label={STANDING_WORDS[standing]} />
      <div className={classes.what}>
        <Text size="sm">
          <b>{visible(label)}</b> {sentence(visible(reason))}
        </Text>
        {hint && (
          <Text size="sm" c="dimmed">
            <Coded text={sentence(hint)} />
          </Text>
        )}
      </div>
      {step.kind === "go" ? (
        <Button component={Link} href={step.href} size="xs" variant="default">
          {step.label}
        </Button>
      ) : (
        <OnlyFor activity="flows.trigger">
          <RunButton dataset={label} label={step.label} />
        </OnlyFor>
      )}
    </li>
  );
}

/** Runs the flow that this dataset belongs to, its policy alone. */
function RunButton({ dataset, label }: { dataset: string; label: string }) {
  const { busy, attempt } = useBusy();
  const run = async () => {
    const flow = getLive().flows.find((each) => each.datasets.includes(dataset));
    if (!flow) return;
    await attempt(async () => {
      await runNow(flow.name, { policy: dataset.slice(dataset.indexOf("/") + 1) });
      sayDone(`${visible(dataset)} runs`, "Its progress is in the bar below.");
    });
  };
  return (
    <Button size="xs" variant="default" loading={busy} onClick={() => void run()}>
      {label}
    </Button>
  );
}
