/** API tokens: whose, until when, narrowed to what; a new one is shown once. */
import { Alert, Button, Modal, MultiSelect, NumberInput, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, take } from "../../api/client";
import { queryClient } from "../../api/queries";
import { useMay } from "../../api/rights";
import { Card } from "../../parts/Card";
import { Copyable } from "../../parts/Equivalent";
import { counted, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { sayFailed } from "../../parts/notices";
import { Problem } from "../../parts/Problem";
import lines from "../../parts/Rows.module.css";
import { act } from "../../parts/acting";
import { useActivities } from "./reading";

const KEY = ["tokens"] as const;
const DAY_S = 86_400;

export function Tokens() {
  const tokens = useQuery({ queryKey: KEY, queryFn: ({ signal }) => take(client.GET("/api/v1/tokens", { signal })) });
  const [isNew, setNew] = useState(false);
  const rows = tokens.data?.tokens ?? [];
  const drop = (id: string, name: string) => act(() => take(client.DELETE("/api/v1/tokens/{token}", { params: { path: { token: id } } })), `The token ${name} is dropped`, KEY);
  return (
    <>
      {tokens.error && <Problem error={tokens.error} onRetry={() => void tokens.refetch()} />}
      <Card
        title={counted(rows.length, "token")}
        actions={
          <Button size="xs" onClick={() => setNew(true)}>
            Make a token
          </Button>
        }
      >
        <ul className={lines.list} aria-label="Tokens">
          {rows.map((token) => (
            <li key={token.id}>
              <div className={lines.grow}>
                <Text size="sm" fw={600}>
                  {visible(token.name)}
                </Text>
                <Text size="sm" c="dimmed">
                  of {token.user}, made <Moment time={token.created_at} ago />, ends <Moment time={token.expires_at} never="when it is dropped" />
                  {token.scope && `, narrowed to ${token.scope.activities.join(", ") || "all activities"} on ${token.scope.group}`}
                </Text>
              </div>
              <Button size="xs" variant="default" aria-label={`Drop the token ${visible(token.name)}`} onClick={() => void drop(token.id, visible(token.name))}>
                Drop it
              </Button>
            </li>
          ))}
        </ul>
      </Card>
      {isNew && <NewToken onClose={() => setNew(false)} />}
    </>
  );
}

function NewToken({ onClose }: { onClose: () => void }) {
  const may = useMay();
  const activities = useActivities();
  const [name, setName] = useState("");
  const [days, setDays] = useState<number | string>(30);
  const [chosen, setChosen] = useState<string[]>([]);
  const [secret, setSecret] = useState("");
  const make = async () => {
    try {
      const ttl_s = typeof days === "number" ? days * DAY_S : null;
      setSecret((await take(client.POST("/api/v1/tokens", { body: { name, ttl_s, activities: chosen, group: "everything" } }))).token);
    } catch (error) {
      sayFailed(error);
    }
    void queryClient.invalidateQueries({ queryKey: KEY });
  };
  return (
    <Modal opened onClose={onClose} title="Make a token" closeOnClickOutside={!secret}>
      {secret ? (
        <Stack gap="sm">
          <Alert color="yellow" variant="light" title="It is shown once">
            Copy it now: the Master keeps its hash alone.
          </Alert>
          <Copyable text={secret} what="token" />
          <Button onClick={onClose}>I have it</Button>
        </Stack>
      ) : (
        <Stack gap="sm">
          <TextInput label="Name" description="What it is for" value={name} onChange={(event) => setName(event.currentTarget.value)} autoComplete="off" data-autofocus />
          <NumberInput label="Days" description="Empty: until it is dropped" value={days} onChange={setDays} min={1} max={3650} />
          <MultiSelect
            label="Only these activities"
            description="None: all that you may"
            data={activities.filter((each) => may(each.name)).map((each) => ({ value: each.name, label: each.name }))}
            value={chosen}
            onChange={setChosen}
            searchable
          />
          <Button disabled={!name} onClick={() => void make()}>
            Make it
          </Button>
        </Stack>
      )}
    </Modal>
  );
}
