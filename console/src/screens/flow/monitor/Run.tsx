/** Buttons that run a part of the flow now; and the one that lets a source run once although most of it is gone. */
import { Alert, Button, Text } from "@mantine/core";
import { IconAlertTriangle, IconPlayerPlay } from "@tabler/icons-react";
import { useState } from "react";
import type { Schemas } from "../../../api/client";
import type { Part } from "../../../api/trigger";
import { ConfirmByName } from "../../../parts/ConfirmByName";
import { sentence, visible } from "../../../parts/format";
import type { MoverMonitor } from "./useMonitor";
import { useTrigger } from "./useTrigger";

export function RunButton({ flow, part = {}, label, main = false }: { flow: string; part?: Part; label: string; main?: boolean }) {
  const trigger = useTrigger(flow);
  return (
    <Button
      size="xs"
      variant={main ? "filled" : "default"}
      leftSection={<IconPlayerPlay size={15} aria-hidden />}
      loading={trigger.isPending}
      onClick={() => trigger.mutate(part)}
    >
      {visible(label)}
    </Button>
  );
}

/** Why a mover failed. */
export function MoverWhy({ flow, mover }: { flow: string; mover: MoverMonitor }) {
  const { error, protections } = mover;
  if (!error) return null;
  const row = protections.find((each) => each.error?.message === error.message) ?? (protections.length === 1 ? protections[0] : undefined);
  return <Why flow={flow} dataset={row?.dataset ?? ""} error={error} />;
}

interface WhyProps {
  flow: string;
  /** Like `files1/documents`. */
  dataset: string;
  error: Schemas["ErrorFacts"];
}

/** What waits for somebody to say that it is meant: by the code of the error. */
const MEANT = {
  "source-vanished": {
    button: "This is meant: run it once",
    title: "Take the source as it is now?",
    action: "Run it once",
    part: { accept: true },
    what: (policy: string) =>
      `The next run of policy ${policy} in this flow takes each source as it finds it, this once: what is gone counts as removed, and mirrors follow it by their own rule. Restore points that exist stay as they are.`,
  },
  "not-adopted": {
    button: "Take the folder over",
    title: "Take over what stands there?",
    action: "Take it over",
    part: { adopt: true },
    what: (policy: string) =>
      `The next run of policy ${policy} in this flow makes each of its mirrors equal to its source, also where a folder is not empty: what is equal stays and is not sent again, all else is kept beside the mirror for a while.`,
  },
};

/** Why it failed and what to do. A source that lost much, or a folder that is not a mirror's yet, waits for somebody to say that this is meant. */
export function Why({ flow, dataset, error }: WhyProps) {
  const [isAsking, setAsking] = useState(false);
  const trigger = useTrigger(flow);
  const [, policy = ""] = dataset.split("/");
  const meant = dataset ? MEANT[error.code as keyof typeof MEANT] : undefined;
  return (
    <Alert color="red" variant="light" icon={<IconAlertTriangle aria-hidden />} title={sentence(visible(error.message))}>
      {error.hint && <Text size="sm">{sentence(visible(error.hint))}</Text>}
      {meant && (
        <Button size="xs" mt="xs" variant="outline" color="red" onClick={() => setAsking(true)}>
          {meant.button}
        </Button>
      )}
      {meant && isAsking && (
        <ConfirmByName
          title={meant.title}
          name={dataset}
          action={meant.action}
          busy={trigger.isPending}
          onConfirm={() => trigger.mutate({ policy, ...meant.part }, { onSettled: () => setAsking(false) })}
          onClose={() => setAsking(false)}
        >
          <Text size="sm" mb={6}>
            {sentence(visible(error.message))}
          </Text>
          <Text size="sm">{meant.what(visible(policy))}</Text>
        </ConfirmByName>
      )}
    </Alert>
  );
}
