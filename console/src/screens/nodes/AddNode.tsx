/** Add a node: make its join command, then watch it come in step by step. */
import { Button, Group, Radio, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { client, type Schemas, take } from "../../api/client";
import { queryClient } from "../../api/queries";
import { getLive, useLive } from "../../live/store";
import { useTrying } from "../../parts/acting";
import { Card } from "../../parts/Card";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { Joining } from "./Joining";
import { nameComplaint } from "./joining";
import classes from "./Nodes.module.css";
import { OpenTokens, TOKENS_KEY } from "./OpenTokens";
import { Troubles } from "./Troubles";

export interface Made {
  token: Schemas["NewJoinToken"];
  /** Nodes that were there before it was made. */
  before: ReadonlySet<string>;
}

export default function AddNode() {
  const [made, setMade] = useState<Made | null>(null);
  return (
    <Page
      title="Add a node"
      lead="A machine joins with one command, which holds a token that works once."
      cli={`holdfast master token${made?.token.name ? ` --name ${made.token.name}` : ""}${made?.token.hold === false ? "" : " --hold"}`}
      api="POST /api/v1/nodes/tokens"
    >
      {made ? <Joining made={made} onAgain={() => setMade(null)} /> : <TokenForm onMade={setMade} />}
      <div className={classes.columns}>
        <Troubles />
        <OpenTokens except={made?.token.id ?? ""} />
      </div>
    </Page>
  );
}

function TokenForm({ onMade }: { onMade: (made: Made) => void }) {
  const taken = useLive((live) => live.nodes.filter((node) => node.state !== "revoked").map((node) => node.name));
  const [name, setName] = useState("");
  const [how, setHow] = useState("hold");
  const { busy, error, attempt } = useTrying();
  const complaint = nameComplaint(name, taken);

  const make = () =>
    attempt(async () => {
      const before = new Set(getLive().nodes.map((node) => node.id));
      const body = { name, hold: how === "hold", replace: false, ttl_s: 3600 };
      const token = await take(client.POST("/api/v1/nodes/tokens", { body }));
      onMade({ token, before });
      void queryClient.invalidateQueries({ queryKey: TOKENS_KEY });
    });
  return (
    <Card title="Who may join">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!complaint) void make();
        }}
      >
        <Stack maw={560}>
          {error !== null && <Problem error={error} />}
          <TextInput
            label="Name"
            description="What the machine is called here. Empty: it takes its own host name"
            placeholder="files1"
            value={name}
            onChange={(event) => setName(event.currentTarget.value.trim())}
            error={complaint || undefined}
            autoComplete="off"
            data-autofocus
          />
          <Radio.Group label="When it has joined" value={how} onChange={setHow}>
            <Stack gap="xs" mt={6}>
              <Radio value="hold" label="I will authorise it" description="It waits until you have compared its key. Best when the token travels over mail or chat" />
              <Radio value="in" label="Let it in at once" description="Whoever has the command is in. For machines you set up yourself" />
            </Stack>
          </Radio.Group>
          <Group>
            <Button type="submit" loading={busy} disabled={complaint !== ""}>
              Make the join command
            </Button>
          </Group>
        </Stack>
      </form>
      <Text size="sm" c="dimmed" mt="sm">
        The token is good for one hour and one machine.
      </Text>
    </Card>
  );
}
