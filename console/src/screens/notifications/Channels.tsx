/** Channels: where it is told. Their addresses are typed and never shown again. */
import { Button, Group, PasswordInput, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { client, take } from "../../api/client";
import { keys, queryClient } from "../../api/queries";
import { act, useBusy } from "../../parts/acting";
import { Card } from "../../parts/Card";
import { ConfirmByName } from "../../parts/ConfirmByName";
import { counted, sentence, visible } from "../../parts/format";
import { FormDialog } from "../../parts/FormDialog";
import { Moment } from "../../parts/Moment";
import { Problem } from "../../parts/Problem";
import lines from "../../parts/Rows.module.css";
import { State } from "../../parts/State";
import type { Channel, NotifyRule } from "./notifying";

interface ChannelsProps {
  channels: readonly Channel[];
  rules: readonly NotifyRule[];
  mayManage: boolean;
}

export function Channels({ channels, rules, mayManage }: ChannelsProps) {
  const [isNew, setNew] = useState(false);
  return (
    <Card
      title={counted(channels.length, "channel")}
      actions={
        mayManage && (
          <Button size="xs" onClick={() => setNew(true)}>
            Add a channel
          </Button>
        )
      }
    >
      {channels.length === 0 && <Text size="sm">There is no channel yet: a mailbox, a room of a chat, a pager, a web hook.</Text>}
      <ul className={lines.list} aria-label="Channels">
        {channels.map((channel) => (
          <Row key={channel.name} channel={channel} users={rules.filter((rule) => rule.to.includes(channel.name)).map((rule) => rule.name)} mayManage={mayManage} />
        ))}
      </ul>
      {isNew && <Address taken={channels.map((channel) => channel.name)} onClose={() => setNew(false)} />}
    </Card>
  );
}

function Row({ channel, users, mayManage }: { channel: Channel; users: readonly string[]; mayManage: boolean }) {
  const [open, setOpen] = useState<"" | "address" | "remove">("");
  const params = { path: { channel: channel.name } };
  const test = useMutation({
    mutationFn: () => take(client.POST("/api/v1/notifications/channels/{channel}/test", { params })),
    onSettled: () => queryClient.invalidateQueries({ queryKey: keys.notifications }),
  });
  const remove = () => act(() => take(client.DELETE("/api/v1/notifications/channels/{channel}", { params })), `The channel ${channel.name} is removed`, keys.notifications);
  return (
    <li>
      <Health channel={channel} />
      <div className={lines.grow}>
        <Text size="sm" fw={600}>
          {channel.name}
        </Text>
        <Text size="sm" c="dimmed">
          {visible(channel.service)}, {users.length > 0 ? `of rule ${users.join(", ")}` : "in no rule"}, address of <Moment time={channel.changed_at} ago />, last taken <Moment time={channel.sent_at} ago />
          {channel.waiting > 0 && `, ${counted(channel.waiting, "message")} waiting`}
        </Text>
        {channel.failing_since && (
          <Text size="sm">
            Fails since <Moment time={channel.failing_since} />: {sentence(visible(channel.error))}
          </Text>
        )}
        <div aria-live="polite">
          {test.isSuccess && <State state="ok" label="The service took the test message" />}
          {test.error && <Problem error={test.error} />}
        </div>
      </div>
      {mayManage && (
        <Group gap="xs">
          <Button size="xs" variant="default" loading={test.isPending} aria-label={`Test the channel ${channel.name}`} onClick={() => test.mutate()}>
            Test
          </Button>
          <Button size="xs" variant="default" aria-label={`Another address for the channel ${channel.name}`} onClick={() => setOpen("address")}>
            Another address
          </Button>
          <Button size="xs" variant="default" color="red" aria-label={`Remove the channel ${channel.name}`} disabled={users.length > 0} title={users.length > 0 ? "A rule names it" : undefined} onClick={() => setOpen("remove")}>
            Remove
          </Button>
        </Group>
      )}
      {open === "address" && <Address channel={channel.name} taken={[]} onClose={() => setOpen("")} />}
      {open === "remove" && (
        <ConfirmByName title={`Remove the channel ${channel.name}?`} name={channel.name} action="Remove" onClose={() => setOpen("")} onConfirm={() => void remove().then((isDone) => isDone && setOpen(""))}>
          Its address goes with it, and what waits for it.
        </ConfirmByName>
      )}
    </li>
  );
}

function Health({ channel }: { channel: Channel }) {
  if (channel.failing_since) return <State state="failed" label="failing" />;
  return channel.sent_at ? <State state="ok" label="works" /> : <State state="unknown" label="not tried" />;
}

/** `channel` empty: a new one. */
function Address({ channel = "", taken, onClose }: { channel?: string; taken: readonly string[]; onClose: () => void }) {
  const [name, setName] = useState(channel);
  const [url, setUrl] = useState("");
  const { busy, attempt } = useBusy();
  const isTaken = !channel && taken.includes(name.trim());
  const save = () =>
    attempt(async () => {
      const put = () => take(client.PUT("/api/v1/notifications/channels/{channel}", { params: { path: { channel: name.trim() } }, body: { secret_url: url.trim() } }));
      if (await act(put, `The channel ${name.trim()} has its address`, keys.notifications)) onClose();
    });
  return (
    <FormDialog
      title={channel ? `Another address for ${channel}` : "Add a channel"}
      action="Save"
      leave="Leave it"
      disabled={!name.trim() || !url.trim() || isTaken}
      busy={busy}
      onSubmit={() => void save()}
      onClose={onClose}
    >
      {!channel && (
        <TextInput
          label="Name"
          value={name}
          error={isTaken && "There is a channel of that name."}
          onChange={(event) => setName(event.currentTarget.value)}
          autoComplete="off"
          data-autofocus
        />
      )}
      <PasswordInput
        label="Address"
        description="As apprise takes it: mailto://USER:PASSWORD@mail.example.net?to=ops@example.net; or script://NAME, a script on the Master's machine. It is encrypted, and never shown again."
        value={url}
        onChange={(event) => setUrl(event.currentTarget.value)}
        autoComplete="off"
        visibilityToggleButtonProps={{ "aria-label": "Show or hide the address" }}
        {...(channel && { "data-autofocus": true })}
      />
    </FormDialog>
  );
}
