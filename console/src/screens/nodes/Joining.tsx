/** The join command with its countdown, and the steps of the machine that uses it, as they happen. */
import { Alert, Button, CopyButton, Group, Stack, Text } from "@mantine/core";
import { IconCheck, IconCircleCheck, IconCircleDashed, IconCopy, IconHourglass, IconShieldPlus } from "@tabler/icons-react";
import { useState } from "react";
import { Link } from "wouter";
import { to } from "../../app/places";
import { useLive } from "../../live/store";
import { Card } from "../../parts/Card";
import { Copyable } from "../../parts/Equivalent";
import { visible } from "../../parts/format";
import { ProtectDialog } from "../home/ProtectDialog";
import type { Made } from "./AddNode";
import { countdown, joinSteps, type JoinStep, newcomer } from "./joining";
import lines from "../../parts/Rows.module.css";
import classes from "./Nodes.module.css";
import { cancelToken, useOpenTokens, useSecond } from "./OpenTokens";
import { Key, LetIn } from "./WaitingNodes";

export function Joining({ made, onAgain }: { made: Made; onAgain: () => void }) {
  const { token, before } = made;
  const nodes = useLive((live) => live.nodes);
  const tokens = useOpenTokens();
  const [isProtecting, setProtecting] = useState(false);
  const left = countdown(token.expires_at, useSecond());
  const isOpen = left !== null && (tokens.data?.tokens.some((each) => each.id === token.id) ?? true);
  const node = newcomer(nodes, token, before, isOpen);
  return (
    <div className={classes.columns}>
      <Card title={node ? `${visible(node.name)} has joined` : "Run this on the machine"}>
        {node ? (
          <Stack gap="sm" align="flex-start">
            <Text size="sm">The token is used up. Nobody else joins with it.</Text>
            <Group gap="xs">
              {node.state === "online" && (
                <Button leftSection={<IconShieldPlus size={16} aria-hidden />} onClick={() => setProtecting(true)}>
                  Protect a folder of it
                </Button>
              )}
              <Button variant="default" component={Link} href={to.node(node.name)}>
                See {visible(node.name)}
              </Button>
              <Button variant="default" onClick={onAgain}>
                Add another
              </Button>
            </Group>
          </Stack>
        ) : (
          <Command made={made} left={isOpen ? left : null} isGone={!isOpen} onAgain={onAgain} />
        )}
      </Card>
      <Card title="How far it is">
        <ol className={lines.list} aria-live="polite">
          {joinSteps(node, token.hold).map((step) => (
            <StepRow key={step.key} step={step} />
          ))}
        </ol>
        {node?.state === "waiting" && (
          <Stack gap="sm" mt="xs">
            <Key node={node} />
            <LetIn node={node} />
          </Stack>
        )}
      </Card>
      {isProtecting && node && <ProtectDialog node={node.name} onClose={() => setProtecting(false)} />}
    </div>
  );
}

interface CommandProps {
  made: Made;
  left: string | null;
  isGone: boolean;
  onAgain: () => void;
}

function Command({ made, left, isGone, onAgain }: CommandProps) {
  const { token } = made;
  if (isGone)
    return (
      <Stack gap="sm" align="flex-start">
        <Text size="sm">This token no longer opens the door: it was cancelled, was used by somebody else, or has expired.</Text>
        <Button onClick={onAgain}>Make a new one</Button>
      </Stack>
    );
  return (
    <Stack gap="sm">
      <Text size="sm">1. With Holdfast installed there, join, as the user that may read the data (mostly root):</Text>
      <CopyBlock text={token.command} />
      <Text size="sm">2. Then start the agent, by hand or as a service:</Text>
      <Copyable text="holdfast node run" what="command" />
      <Alert color="gray" variant="light" icon={<IconHourglass aria-hidden />}>
        <Text size="sm">
          The token is shown only now. It works once, for{" "}
          <span className={classes.countdown} role="timer" aria-label="Time left">
            {left}
          </span>{" "}
          more.
        </Text>
      </Alert>
      <Group gap="xs">
        <Button
          variant="default"
          onClick={() =>
            void cancelToken(token.id).then((isDone) => {
              if (isDone) onAgain();
            })
          }
        >
          Cancel the token
        </Button>
      </Group>
    </Stack>
  );
}

/** All of it to be seen, since people look before they run. */
function CopyBlock({ text }: { text: string }) {
  return (
    <Stack gap={6} align="flex-start">
      <code className={classes.command} data-testid="join-command">
        {text}
      </code>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Button size="xs" variant="light" onClick={copy} leftSection={copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />}>
            {copied ? "Copied" : "Copy the command"}
          </Button>
        )}
      </CopyButton>
    </Stack>
  );
}

const ICONS = { done: IconCircleCheck, now: IconHourglass, later: IconCircleDashed } as const;
const WORDS = { done: "done", now: "now", later: "later" } as const;

function StepRow({ step }: { step: JoinStep }) {
  const Icon = ICONS[step.state];
  return (
    <li data-step={step.key} data-state={step.state} aria-current={step.state === "now" ? "step" : undefined}>
      <Icon size={22} aria-hidden className={classes.step} data-state={step.state} />
      <div className={lines.grow}>
        <Text fw={600} size="sm">
          {step.title}{" "}
          <Text span size="xs" c="dimmed" fw={400}>
            {WORDS[step.state]}
          </Text>
        </Text>
        <Text size="sm" c="dimmed">
          {visible(step.text)}
        </Text>
      </div>
    </li>
  );
}
