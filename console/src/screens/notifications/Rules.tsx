/** Notify rules in the order in which they are asked: moved, made, changed, switched off, removed. */
import { ActionIcon, Badge, Button, Group, Text, Tooltip } from "@mantine/core";
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";
import { client, take } from "../../api/client";
import { keys } from "../../api/queries";
import { act } from "../../parts/acting";
import { Card } from "../../parts/Card";
import { ConfirmByName } from "../../parts/ConfirmByName";
import { counted, visible } from "../../parts/format";
import lines from "../../parts/Rows.module.css";
import { bodyAsIs, type Channel, choosesWords, howWords, NEW_RULE, type NotifyRule, type RuleWanted, wishOf } from "./notifying";
import { RuleForm } from "./RuleForm";

interface RulesProps {
  rules: readonly NotifyRule[];
  channels: readonly Channel[];
  /** By rule, how much of what stands now it tells. */
  tells: ReadonlyMap<string, number>;
  mayManage: boolean;
}

export const putRule = (name: string, body: RuleWanted) => take(client.PUT("/api/v1/notifications/rules/{rule}", { params: { path: { rule: name } }, body }));

export function Rules({ rules, channels, tells, mayManage }: RulesProps) {
  const [isNew, setNew] = useState(false);
  return (
    <Card
      title={counted(rules.length, "rule")}
      actions={
        mayManage && (
          <Button size="xs" disabled={channels.length === 0} onClick={() => setNew(true)}>
            Add a rule
          </Button>
        )
      }
    >
      {rules.length === 0 && (
        <Text size="sm">
          Nobody is told anything. {channels.length === 0 ? "Add a channel first: where to tell." : "A rule says what is told, and by which channels."}
        </Text>
      )}
      <ol className={lines.list} aria-label="Rules in their order">
        {rules.map((rule, place) => (
          <Row key={rule.name} rule={rule} place={place} count={rules.length} channels={channels} tells={tells.get(rule.name) ?? 0} mayManage={mayManage} />
        ))}
      </ol>
      {isNew && <RuleForm before={NEW_RULE} isNew taken={rules.map((rule) => rule.name)} channels={channels} onClose={() => setNew(false)} />}
    </Card>
  );
}

interface RowProps {
  rule: NotifyRule;
  place: number;
  count: number;
  channels: readonly Channel[];
  tells: number;
  mayManage: boolean;
}

function Row({ rule, place, count, channels, tells, mayManage }: RowProps) {
  const [open, setOpen] = useState<"" | "edit" | "remove">("");
  const remove = () =>
    act(() => take(client.DELETE("/api/v1/notifications/rules/{rule}", { params: { path: { rule: rule.name } } })), `The rule ${rule.name} is removed`, keys.notifications);
  const toggle = () => act(() => putRule(rule.name, { ...bodyAsIs(rule), enabled: !rule.enabled }), `The rule ${rule.name} is ${rule.enabled ? "off" : "on"}`, keys.notifications);
  return (
    <li>
      {mayManage && <Places rule={rule} place={place} count={count} />}
      <div className={lines.grow}>
        <Text size="sm" fw={600}>
          {place + 1}. {rule.name} {!rule.enabled && <Badge variant="default">off</Badge>}
        </Text>
        <Text size="sm">
          {visible(choosesWords(rule))}, to {rule.to.join(", ")}
        </Text>
        <Text size="sm" c="dimmed">
          {[...howWords(rule).map(visible), tells > 0 ? `tells ${counted(tells, "thing")} that stand${tells === 1 ? "s" : ""} now` : "tells nothing that stands now"].join("; ")}
        </Text>
      </div>
      {mayManage && (
        <Group gap="xs">
          <Button size="xs" variant="default" aria-label={`Edit the rule ${rule.name}`} onClick={() => setOpen("edit")}>
            Edit
          </Button>
          <Button size="xs" variant="default" aria-label={`Switch ${rule.enabled ? "off" : "on"} the rule ${rule.name}`} onClick={() => void toggle()}>
            {rule.enabled ? "Switch off" : "Switch on"}
          </Button>
          <Button size="xs" variant="default" color="red" aria-label={`Remove the rule ${rule.name}`} onClick={() => setOpen("remove")}>
            Remove
          </Button>
        </Group>
      )}
      {open === "edit" && <RuleForm before={wishOf(rule)} isNew={false} taken={[]} channels={channels} onClose={() => setOpen("")} />}
      {open === "remove" && (
        <ConfirmByName title={`Remove the rule ${rule.name}?`} name={rule.name} action="Remove" onClose={() => setOpen("")} onConfirm={() => void remove().then((isDone) => isDone && setOpen(""))}>
          What it would still send goes, too. Its channels stay.
        </ConfirmByName>
      )}
    </li>
  );
}

/** Buttons, so that it can be done with keys: the focus stays on the one that was pressed, wherever its row has gone. */
function Places({ rule, place, count }: { rule: NotifyRule; place: number; count: number }) {
  const pressed = useRef<HTMLElement | null>(null);
  useEffect(() => {
    pressed.current?.focus();
    pressed.current = null;
  }, [place]);
  const move = (by: -1 | 1, button: HTMLElement) => {
    pressed.current = button;
    return act(() => putRule(rule.name, { ...bodyAsIs(rule), place: place + by }), `${rule.name} is rule ${place + by + 1} of ${count}`, keys.notifications);
  };
  return (
    <Group gap={2} wrap="nowrap">
      {([-1, 1] as const).map((by) => {
        const label = `Move the rule ${rule.name} ${by < 0 ? "up" : "down"}`;
        const isEnd = place + by < 0 || place + by >= count;
        return (
          <Tooltip key={by} label={label}>
            <ActionIcon variant="default" size="md" aria-label={label} aria-disabled={isEnd} data-disabled={isEnd || undefined} onClick={(event) => !isEnd && void move(by, event.currentTarget)}>
              {by < 0 ? <IconArrowUp size={16} /> : <IconArrowDown size={16} />}
            </ActionIcon>
          </Tooltip>
        );
      })}
    </Group>
  );
}
