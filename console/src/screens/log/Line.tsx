/** One line of the log with all that it holds. */
import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { Fragment } from "react";
import { Link } from "wouter";
import { to } from "../../app/places";
import { formatCount, sentence, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { State, stateOf } from "../../parts/State";
import { factsOf, type LogLine } from "./log";
import classes from "./Log.module.css";

interface LineProps {
  line: LogLine;
  mayAcknowledge: boolean;
  onAcknowledge: () => void;
  onClose: () => void;
}

export function Line({ line, mayAcknowledge, onAcknowledge, onClose }: LineProps) {
  return (
    <Modal opened onClose={onClose} title={`Line ${formatCount(line.number)}`} size="lg">
      <Stack gap="sm">
        <div>
          <State state={stateOf(line.severity)} label={line.severity} />
        </div>
        <Text className={classes.whole}>{sentence(visible(line.message))}</Text>
        {line.facts["hint"] && <Text size="sm">{sentence(visible(line.facts["hint"]))}</Text>}
        <dl className={classes.facts}>
          <dt>When</dt>
          <dd>
            <Moment time={line.time} />
          </dd>
          <dt>From</dt>
          <dd>{line.node_name ? <Link href={to.node(line.node_name)}>{visible(line.node_name)}</Link> : visible(line.node) || "Master"}</dd>
          <dt>Code</dt>
          <dd>{visible(line.code)}</dd>
          {factsOf(line).map(([name, value]) => (
            <Fragment key={name}>
              <dt>{visible(name)}</dt>
              <dd>{name === "job" ? <Link href={to.job(value)}>{visible(value)}</Link> : visible(value)}</dd>
            </Fragment>
          ))}
          {line.session && (
            <>
              <dt>Session</dt>
              <dd>
                <Link href={`/log?session=${encodeURIComponent(line.session)}`} onClick={onClose}>
                  {visible(line.session.slice(0, 8))}
                </Link>
              </dd>
            </>
          )}
          <dt>Acknowledged</dt>
          <dd>
            {line.acknowledged_at === null ? (
              "no"
            ) : (
              <>
                by {visible(line.acknowledged_by)}, <Moment time={line.acknowledged_at} />
                {line.comment && `: ${visible(line.comment)}`}
              </>
            )}
          </dd>
        </dl>
        {mayAcknowledge && line.acknowledged_at === null && (
          <Group justify="flex-end">
            <Button
              onClick={() => {
                onClose();
                onAcknowledge();
              }}
            >
              Acknowledge …
            </Button>
          </Group>
        )}
      </Stack>
    </Modal>
  );
}
